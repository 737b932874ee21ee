#include "kernels/depthwise_pad.h"

#include "kernels/intrinsics.h"

namespace qonnx_tools {
namespace {

#if defined(__AVX512VNNI__)

// To gather bytes of a register is not in all CPUs of the level.
#define QONNX_TOOLS_VBMI __attribute__((target("avx512vbmi")))

inline std::uint64_t FirstOf(std::size_t count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

// How a register is filled with codes, zeros where the mask has none; and code 0.
struct BytesOfInt8 {
  static constexpr std::size_t kLanes = 64;
  static constexpr std::size_t kNumber = 1;
  static constexpr std::size_t kCode = 1;
  static __m512i Load(const std::uint8_t* x, std::uint64_t mask) {
    return _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, x), Zero());
  }
  static __m512i Zero() { return _mm512_set1_epi8(-128); }
};
struct BytesOfUint8 {
  static constexpr std::size_t kLanes = 64;
  static constexpr std::size_t kNumber = 1;
  static constexpr std::size_t kCode = 1;
  static __m512i Load(const std::uint8_t* x, std::uint64_t mask) {
    return _mm512_maskz_loadu_epi8(mask, x);
  }
  static __m512i Zero() { return _mm512_setzero_si512(); }
};
struct WordsOfInt8 {
  static constexpr std::size_t kLanes = 32;
  static constexpr std::size_t kNumber = 2;
  static constexpr std::size_t kCode = 1;
  static __m512i Load(const std::uint8_t* x, std::uint64_t mask) {
    return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask), x));
  }
  static __m512i Zero() { return _mm512_setzero_si512(); }
};
struct WordsOfUint8 {
  static constexpr std::size_t kLanes = 32;
  static constexpr std::size_t kNumber = 2;
  static constexpr std::size_t kCode = 1;
  static __m512i Load(const std::uint8_t* x, std::uint64_t mask) {
    return _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask), x));
  }
  static __m512i Zero() { return _mm512_setzero_si512(); }
};
struct WordsOfInt16 {
  static constexpr std::size_t kLanes = 32;
  static constexpr std::size_t kNumber = 2;
  static constexpr std::size_t kCode = 2;
  static __m512i Load(const std::uint8_t* x, std::uint64_t mask) {
    return _mm512_maskz_loadu_epi16(static_cast<__mmask32>(mask), x);
  }
  static __m512i Zero() { return _mm512_setzero_si512(); }
};
struct WordsOfUint16 {
  static constexpr std::size_t kLanes = 32;
  static constexpr std::size_t kNumber = 2;
  static constexpr std::size_t kCode = 2;
  static __m512i Load(const std::uint8_t* x, std::uint64_t mask) {
    return _mm512_xor_si512(_mm512_maskz_loadu_epi16(static_cast<__mmask32>(mask), x), Zero());
  }
  static __m512i Zero() { return _mm512_set1_epi16(-32768); }
};

inline std::uint8_t* FillTo(std::uint8_t* from, const std::uint8_t* to, __m512i zero) {
  for (; from < to; from += kBlockBytes) _mm512_storeu_si512(from, zero);
  return from;
}

// Whole registers are stored: what goes too far is written again by what follows.
template <typename Codes>
void Pad(const DepthwiseMap& map, const void* x, void* padded) {
  constexpr std::size_t kLanes = Codes::kLanes;
  const std::size_t row_bytes = map.pitch * Codes::kNumber;
  const std::size_t before = map.pad_begin[1];
  const std::size_t behind = before + map.in[1];
  // Of the code that the first number of a row would be without padding.
  const auto* from = static_cast<const std::uint8_t*>(x) - before * Codes::kCode;
  auto* to = static_cast<std::uint8_t*>(padded);
  const std::uint8_t* const end = to + map.rows * row_bytes;
  FillTo(to, to + map.pad_begin[0] * row_bytes, Codes::Zero());
  to += map.pad_begin[0] * row_bytes;
  const auto inside = [&](std::size_t at) {
    return FirstOf(behind < at ? 0 : behind - at) & ~FirstOf(before < at ? 0 : before - at);
  };
  constexpr std::size_t kMasks = 16;  // registers of a row whose masks are kept
  std::uint64_t masks[kMasks];
  const std::size_t registers = (map.pitch + kLanes - 1) / kLanes;
  for (std::size_t i = 0; i < kMasks && i < registers; ++i) masks[i] = inside(i * kLanes);
  for (std::size_t row = 0; row < map.in[0]; ++row) {
    for (std::size_t i = 0; i < registers; ++i) {
      const std::uint64_t mask = i < kMasks ? masks[i] : inside(i * kLanes);
      _mm512_storeu_si512(to + i * kBlockBytes,
                          Codes::Load(from + i * kLanes * Codes::kCode, mask));
    }
    from += map.in[1] * Codes::kCode;
    to += row_bytes;
  }
  FillTo(to, end, Codes::Zero());
}

template <typename Codes>
QONNX_TOOLS_VBMI void PadSmall(const DepthwiseMap& map, const void* x, void* padded) {
  auto* to = static_cast<std::uint8_t*>(padded);
  for (std::size_t i = 0; i < map.padding_count; ++i, to += kBlockBytes) {
    const DepthwisePadding& padding = map.paddings[i];
    const void* const from = static_cast<const std::uint8_t*>(x) + padding.from;
    const __m512i bytes = _mm512_maskz_loadu_epi8(padding.readable, from);
    _mm512_storeu_si512(to, _mm512_mask_permutexvar_epi8(Codes::Zero(), padding.inside,
                                                         _mm512_load_si512(padding.gather),
                                                         _mm512_xor_si512(bytes, Codes::Zero())));
  }
}

constexpr DepthwisePadTable kTable = {
    {Pad<BytesOfInt8>, Pad<BytesOfUint8>},
    {Pad<WordsOfInt8>, Pad<WordsOfUint8>, Pad<WordsOfInt16>, Pad<WordsOfUint16>},
    {PadSmall<BytesOfInt8>, PadSmall<BytesOfUint8>},
    {nullptr, nullptr, PadSmall<WordsOfInt16>, PadSmall<WordsOfUint16>}};

#else

constexpr DepthwisePadTable kTable = {};

#endif

}  // namespace

constinit const DepthwisePadTable DepthwisePadTable::QONNX_TOOLS_LEVEL = kTable;

}  // namespace qonnx_tools
