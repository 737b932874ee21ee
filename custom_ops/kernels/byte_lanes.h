// The sum of byte_sum.h for a register of each of a and b. Included by kernel sources only.

#pragma once

#include <cstdint>

#include "kernels/intrinsics.h"
#include "kernels/narrow_elements.h"

namespace qonnx_tools {
namespace {

#if defined(__AVX512BW__)

using Bytes = __m512i;
inline Bytes LoadBytes(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
inline void StoreBytes(Bytes bytes, std::uint8_t* to) { _mm512_storeu_si512(to, bytes); }
inline Bytes Every8(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }
inline Bytes Every16(int value) { return _mm512_set1_epi16(static_cast<short>(value)); }
inline Bytes Xor(Bytes a, Bytes b) { return _mm512_xor_si512(a, b); }
inline Bytes And(Bytes a, Bytes b) { return _mm512_and_si512(a, b); }
inline Bytes Add16(Bytes a, Bytes b) { return _mm512_add_epi16(a, b); }
inline Bytes LowPairs(Bytes a, Bytes b) { return _mm512_unpacklo_epi8(a, b); }
inline Bytes HighPairs(Bytes a, Bytes b) { return _mm512_unpackhi_epi8(a, b); }
inline Bytes Products(Bytes codes, Bytes factors) { return _mm512_maddubs_epi16(codes, factors); }
inline Bytes Right16(Bytes a, Bytes by) { return _mm512_srav_epi16(a, by); }
inline Bytes RightBy(int shift) { return Every16(shift); }
template <bool is_signed>
inline Bytes Packed(Bytes low, Bytes high) {
  return is_signed ? _mm512_packs_epi16(low, high) : _mm512_packus_epi16(low, high);
}
template <bool is_signed>
inline Bytes Clipped(Bytes codes, Bytes low, Bytes high) {
  return is_signed ? _mm512_min_epi8(_mm512_max_epi8(codes, low), high)
                   : _mm512_min_epu8(_mm512_max_epu8(codes, low), high);
}

#elif defined(__AVX2__)

using Bytes = __m256i;
inline Bytes LoadBytes(const std::uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline void StoreBytes(Bytes bytes, std::uint8_t* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
}
inline Bytes Every8(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
inline Bytes Every16(int value) { return _mm256_set1_epi16(static_cast<short>(value)); }
inline Bytes Xor(Bytes a, Bytes b) { return _mm256_xor_si256(a, b); }
inline Bytes And(Bytes a, Bytes b) { return _mm256_and_si256(a, b); }
inline Bytes Add16(Bytes a, Bytes b) { return _mm256_add_epi16(a, b); }
inline Bytes LowPairs(Bytes a, Bytes b) { return _mm256_unpacklo_epi8(a, b); }
inline Bytes HighPairs(Bytes a, Bytes b) { return _mm256_unpackhi_epi8(a, b); }
inline Bytes Products(Bytes codes, Bytes factors) { return _mm256_maddubs_epi16(codes, factors); }
inline Bytes Right16(Bytes a, __m128i by) { return _mm256_sra_epi16(a, by); }
inline __m128i RightBy(int shift) { return _mm_cvtsi32_si128(shift); }
template <bool is_signed>
inline Bytes Packed(Bytes low, Bytes high) {
  return is_signed ? _mm256_packs_epi16(low, high) : _mm256_packus_epi16(low, high);
}
template <bool is_signed>
inline Bytes Clipped(Bytes codes, Bytes low, Bytes high) {
  return is_signed ? _mm256_min_epi8(_mm256_max_epi8(codes, low), high)
                   : _mm256_min_epu8(_mm256_max_epu8(codes, low), high);
}

#elif defined(__SSE4_1__)

using Bytes = __m128i;
inline Bytes LoadBytes(const std::uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
inline void StoreBytes(Bytes bytes, std::uint8_t* to) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
}
inline Bytes Every8(int value) { return _mm_set1_epi8(static_cast<char>(value)); }
inline Bytes Every16(int value) { return _mm_set1_epi16(static_cast<short>(value)); }
inline Bytes Xor(Bytes a, Bytes b) { return _mm_xor_si128(a, b); }
inline Bytes And(Bytes a, Bytes b) { return _mm_and_si128(a, b); }
inline Bytes Add16(Bytes a, Bytes b) { return _mm_add_epi16(a, b); }
inline Bytes LowPairs(Bytes a, Bytes b) { return _mm_unpacklo_epi8(a, b); }
inline Bytes HighPairs(Bytes a, Bytes b) { return _mm_unpackhi_epi8(a, b); }
inline Bytes Products(Bytes codes, Bytes factors) { return _mm_maddubs_epi16(codes, factors); }
inline Bytes Right16(Bytes a, __m128i by) { return _mm_sra_epi16(a, by); }
inline __m128i RightBy(int shift) { return _mm_cvtsi32_si128(shift); }
template <bool is_signed>
inline Bytes Packed(Bytes low, Bytes high) {
  return is_signed ? _mm_packs_epi16(low, high) : _mm_packus_epi16(low, high);
}
template <bool is_signed>
inline Bytes Clipped(Bytes codes, Bytes low, Bytes high) {
  return is_signed ? _mm_min_epi8(_mm_max_epi8(codes, low), high)
                   : _mm_min_epu8(_mm_max_epu8(codes, low), high);
}

#endif

#if defined(__SSE4_1__)

// Codes of y, of a register of each of a and b. Pairs go apart and come together within each 128
// bits, so that all keep their places.
template <bool is_signed>
class ByteSum {
 public:
  explicit ByteSum(const NarrowSumParameters& by)
      : flip_a_(Every8(by.flip_a)),
        flip_b_(Every8(by.flip_b)),
        factors_(Every16((1 << by.left_a) + (1 << (8 + by.left_b)))),
        addend_(Every16(by.addend)),
        constant_(Every16(by.finish.constant)),
        mask_(Every16(by.finish.mask)),
        low_(Every8(by.finish.low)),
        high_(Every8(by.finish.high)),
        look_(RightBy(by.finish.look)),
        shift_(RightBy(by.finish.shift)) {}

  Bytes operator()(Bytes a, Bytes b) const {
    const Bytes flipped_a = Xor(a, flip_a_);
    const Bytes flipped_b = Xor(b, flip_b_);
    const Bytes low = Rounded(Products(LowPairs(flipped_a, flipped_b), factors_));
    const Bytes high = Rounded(Products(HighPairs(flipped_a, flipped_b), factors_));
    return Clipped<is_signed>(Packed<is_signed>(low, high), low_, high_);
  }

 private:
  Bytes Rounded(Bytes sum) const {
    const Bytes t = Add16(sum, addend_);
    const Bytes tie = And(Right16(t, look_), mask_);
    return Right16(Add16(Add16(t, constant_), tie), shift_);
  }

  Bytes flip_a_, flip_b_, factors_, addend_, constant_, mask_, low_, high_;
  decltype(RightBy(0)) look_, shift_;
};

#endif

}  // namespace
}  // namespace qonnx_tools
