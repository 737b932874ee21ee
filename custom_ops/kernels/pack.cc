#include "kernels/pack.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace qonnx_tools {
namespace {

// How one code lies in a unit.
template <Units units, typename T>
struct Part;

template <typename T>
struct Part<Units::kBytes, T> {
  static constexpr std::size_t kCount = 4;
  static constexpr std::uint32_t kFlip = T(-1) < T(0) ? 0x80 : 0;  // adds 128
  static constexpr std::uint32_t kZero = kFlip * 0x01010101u;
  static std::uint32_t Of(T code) { return static_cast<std::uint8_t>(code); }
};

template <typename T>
struct Part<Units::kWords, T> {
  static constexpr std::size_t kCount = 2;
  static constexpr std::uint32_t kFlip = sizeof(T) == 2 && T(-1) > T(0) ? 0x8000 : 0;
  static constexpr std::uint32_t kZero = kFlip * 0x00010001u;
  static std::uint32_t Of(T code) { return static_cast<std::uint16_t>(code); }
};

template <Units units, typename T>
inline void StoreUnit(std::int32_t* to, std::uint32_t unit) {
  *to = static_cast<std::int32_t>(unit ^ Part<units, T>::kZero);
}

template <Units units, typename T, std::size_t channels>
void SomeChannels(const T* __restrict x, std::size_t row, std::int32_t* __restrict to,
                  std::size_t count) {
  using P = Part<units, T>;
  constexpr std::size_t bits = 32 / P::kCount;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t unit = P::Of(x[i]);
    if constexpr (channels > 1) unit |= P::Of(x[row + i]) << bits;
    if constexpr (channels > 2) unit |= P::Of(x[2 * row + i]) << 2 * bits;
    if constexpr (channels > 3) unit |= P::Of(x[3 * row + i]) << 3 * bits;
    StoreUnit<units, T>(to + i, unit);
  }
}

template <Units units, typename T>
void PackChannels(const void* x, std::size_t row, std::size_t channels, std::int32_t* to,
                  std::size_t count) {
  const T* const from = static_cast<const T*>(x);
  if (channels == 1) return SomeChannels<units, T, 1>(from, row, to, count);
  if constexpr (units == Units::kBytes) {
    if (channels == 2) return SomeChannels<units, T, 2>(from, row, to, count);
    if (channels == 3) return SomeChannels<units, T, 3>(from, row, to, count);
  }
  SomeChannels<units, T, Part<units, T>::kCount>(from, row, to, count);
}

template <Units units, typename T>
void PackRow(const void* x, std::size_t count, std::int32_t* to) {
  using P = Part<units, T>;
  constexpr std::size_t bits = 32 / P::kCount;
  const T* const from = static_cast<const T*>(x);
  const std::size_t whole = count / P::kCount;
  for (std::size_t i = 0; i < whole; ++i) {
    std::uint32_t unit = 0;
    for (std::size_t j = 0; j < P::kCount; ++j) {
      unit |= P::Of(from[i * P::kCount + j]) << (j * bits);
    }
    StoreUnit<units, T>(to + i, unit);
  }
  if (whole * P::kCount == count) return;
  std::uint32_t unit = 0;
  for (std::size_t j = 0; whole * P::kCount + j < count; ++j) {
    unit |= P::Of(from[whole * P::kCount + j]) << (j * bits);
  }
  StoreUnit<units, T>(to + whole, unit);
}

constexpr std::size_t kChunk = 16;

void GatherNeighbours(const std::int32_t* rows, const Piece* pieces, std::size_t count,
                      std::int32_t* units) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t* const from = rows + pieces[i].from;
    std::int32_t* const to = units + pieces[i].to;
    for (std::size_t at = 0; at < pieces[i].count; at += kChunk) {
      __builtin_memcpy(to + at, from + at, kChunk * sizeof(std::int32_t));
    }
  }
}

#if defined(__AVX512F__)
void GatherEverySecond(const std::int32_t* rows, const Piece* pieces, std::size_t count,
                       std::int32_t* units) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t* from = rows + pieces[i].from;
    std::int32_t* const to = units + pieces[i].to;
    for (std::size_t at = 0; at < pieces[i].count; at += kChunk, from += 2 * kChunk) {
      const __m512i low = _mm512_loadu_si512(from);
      const __m512i high = _mm512_loadu_si512(from + kChunk);
      _mm512_storeu_si512(to + at, _mm512_permutex2var_epi32(low, even, high));
    }
  }
}
#endif

void Gather(const std::int32_t* rows, std::size_t stride, const Piece* pieces, std::size_t count,
            std::int32_t* units) {
  if (stride == 1) return GatherNeighbours(rows, pieces, count, units);
#if defined(__AVX512F__)
  if (stride == 2) return GatherEverySecond(rows, pieces, count, units);
#endif
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t* const from = rows + pieces[i].from;
    std::int32_t* const to = units + pieces[i].to;
    for (std::size_t at = 0; at < pieces[i].count; ++at) to[at] = from[at * stride];
  }
}

}  // namespace

constinit const PackTable PackTable::QONNX_TOOLS_LEVEL = {
    {{PackChannels<Units::kBytes, std::int8_t>, PackChannels<Units::kBytes, std::uint8_t>, nullptr,
      nullptr, nullptr},
     {PackChannels<Units::kWords, std::int8_t>, PackChannels<Units::kWords, std::uint8_t>,
      PackChannels<Units::kWords, std::int16_t>, PackChannels<Units::kWords, std::uint16_t>,
      nullptr}},
    {{PackRow<Units::kBytes, std::int8_t>, PackRow<Units::kBytes, std::uint8_t>, nullptr, nullptr,
      nullptr},
     {PackRow<Units::kWords, std::int8_t>, PackRow<Units::kWords, std::uint8_t>,
      PackRow<Units::kWords, std::int16_t>, PackRow<Units::kWords, std::uint16_t>, nullptr}},
    Gather};

}  // namespace qonnx_tools
