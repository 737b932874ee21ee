#include "kernels/pack.h"

#include "kernels/pack_vector.h"

namespace qonnx_tools {
namespace {

// How one code lies in a unit.
template <Units units, typename T>
struct Part {
  static constexpr std::size_t kCount = units == Units::kWords ? 2 : 4;
  static constexpr std::size_t kBits = 32 / kCount;
  static constexpr bool kSigned = T(-1) < T(0);
  static constexpr bool kHighest = sizeof(T) == 1 || units == Units::kHighBytes;
  static constexpr std::uint32_t kOffset = units == Units::kWords
                                               ? (sizeof(T) == 2 && !kSigned ? 0x80008000u : 0)
                                               : (kSigned && kHighest ? 0x80808080u : 0);
  static std::uint32_t Of(T code) {
    if constexpr (units == Units::kWords) return static_cast<std::uint16_t>(code);
    if constexpr (units == Units::kHighBytes) return static_cast<std::uint16_t>(code) >> 8;
    return static_cast<std::uint8_t>(code);
  }
};

template <Units units, typename T, std::size_t channels>
void Pixels(const T* __restrict x, std::size_t channel, std::int32_t* __restrict to,
            std::size_t count) {
  using P = Part<units, T>;
  std::size_t i = 0;
  if constexpr (units != Units::kWords) {
    i = PackVectors<units == Units::kHighBytes, T, channels>(x, channel, P::kOffset, to, count);
  }
  for (; i < count; ++i) {
    std::uint32_t unit = P::Of(x[i]);
    if constexpr (channels > 1) unit |= P::Of(x[channel + i]) << P::kBits;
    if constexpr (channels > 2) unit |= P::Of(x[2 * channel + i]) << 2 * P::kBits;
    if constexpr (channels > 3) unit |= P::Of(x[3 * channel + i]) << 3 * P::kBits;
    to[i] = static_cast<std::int32_t>(unit ^ P::kOffset);
  }
}

template <Units units, typename T>
void PackPixels(const Packing& packing) {
  constexpr std::size_t kCount = Part<units, T>::kCount;
  const T* from = static_cast<const T*>(packing.x);
  std::int32_t* to = packing.units;
  std::size_t left = packing.channels;
  for (; left >= kCount; left -= kCount) {
    Pixels<units, T, kCount>(from, packing.channel, to, packing.pixels);
    from += kCount * packing.channel;
    to += packing.step;
  }
  if (left == 1) Pixels<units, T, 1>(from, packing.channel, to, packing.pixels);
  if constexpr (kCount == 4) {
    if (left == 2) Pixels<units, T, 2>(from, packing.channel, to, packing.pixels);
    if (left == 3) Pixels<units, T, 3>(from, packing.channel, to, packing.pixels);
  }
}

template <Units units, typename T>
void PackRow(const void* x, std::size_t count, std::int32_t* to) {
  using P = Part<units, T>;
  const T* const from = static_cast<const T*>(x);
  const std::size_t whole = count / P::kCount;
  const auto store = [](std::int32_t* at, std::uint32_t unit) {
    *at = static_cast<std::int32_t>(unit ^ P::kOffset);
  };
  for (std::size_t i = 0; i < whole; ++i) {
    std::uint32_t unit = 0;
    for (std::size_t j = 0; j < P::kCount; ++j) {
      unit |= P::Of(from[i * P::kCount + j]) << (j * P::kBits);
    }
    store(to + i, unit);
  }
  if (whole * P::kCount == count) return;
  std::uint32_t unit = 0;
  for (std::size_t j = 0; whole * P::kCount + j < count; ++j) {
    unit |= P::Of(from[whole * P::kCount + j]) << (j * P::kBits);
  }
  store(to + whole, unit);
}

template <typename Copy>
inline void ForEachPiece(const Gathering& gathering, const Copy& copy) {
  const Gathering by = gathering;
  std::int32_t* to = by.units;
  for (std::size_t i = 0; i < by.channel_units; ++i) {
    for (std::size_t row = 0; row < by.taps[0]; ++row) {
      const std::int32_t* from = by.image + i * by.channel + row * by.tap[0];
      for (std::size_t column = 0; column < by.taps[1]; ++column) {
        for (std::size_t at = 0; at < by.piece_count; ++at) {
          const Piece piece = by.pieces[at];
          copy(from + piece.from, to + piece.to, piece.count);
        }
        from += by.tap[1];
        to += by.step;
      }
    }
  }
}

void Gather(const Gathering& by) {
  if (by.stride == 1) {
    return ForEachPiece(by,
                        [](const std::int32_t* from, std::int32_t* to, std::size_t count)
                            __attribute__((always_inline)) { CopyNeighbours(from, to, count); });
  }
  if (by.stride == 2) {
    return ForEachPiece(by,
                        [](const std::int32_t* from, std::int32_t* to, std::size_t count)
                            __attribute__((always_inline)) { CopyEverySecond(from, to, count); });
  }
  ForEachPiece(by, [stride = by.stride](const std::int32_t* __restrict from,
                                        std::int32_t* __restrict to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) to[i] = from[stride * i];
  });
}

}  // namespace

constinit const PackTable PackTable::QONNX_TOOLS_LEVEL = {
    {{PackPixels<Units::kBytes, std::int8_t>, PackPixels<Units::kBytes, std::uint8_t>,
      PackPixels<Units::kBytes, std::int16_t>, PackPixels<Units::kBytes, std::uint16_t>, nullptr},
     {nullptr, nullptr, PackPixels<Units::kHighBytes, std::int16_t>,
      PackPixels<Units::kHighBytes, std::uint16_t>, nullptr},
     {PackPixels<Units::kWords, std::int8_t>, PackPixels<Units::kWords, std::uint8_t>,
      PackPixels<Units::kWords, std::int16_t>, PackPixels<Units::kWords, std::uint16_t>, nullptr}},
    {{PackRow<Units::kBytes, std::int8_t>, PackRow<Units::kBytes, std::uint8_t>, nullptr, nullptr,
      nullptr},
     {},
     {PackRow<Units::kWords, std::int8_t>, PackRow<Units::kWords, std::uint8_t>,
      PackRow<Units::kWords, std::int16_t>, PackRow<Units::kWords, std::uint16_t>, nullptr}},
    Gather};

}  // namespace qonnx_tools
