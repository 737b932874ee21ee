// Storing codes of rows that lie in registers, as they are or after others are added to them.
// Included by finish_row.h only.

#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/byte_lanes.h"

#if defined(__AVX512BW__)

namespace qonnx_tools {
namespace {

inline constexpr std::size_t kLanes = 16;

// Stores 16 codes that T holds, or saturates them.
template <typename T>
[[gnu::always_inline]] inline void Store(T* y, __m512i codes, __mmask16 mask) {
  if constexpr (std::is_same_v<T, std::int8_t>) {
    _mm_mask_storeu_epi8(y, mask, _mm512_cvtsepi32_epi8(codes));
  } else if constexpr (std::is_same_v<T, std::uint8_t>) {
    const __m512i positive = _mm512_max_epi32(codes, _mm512_setzero_si512());
    _mm_mask_storeu_epi8(y, mask, _mm512_cvtusepi32_epi8(positive));
  } else if constexpr (std::is_same_v<T, std::int16_t>) {
    _mm256_mask_storeu_epi16(y, mask, _mm512_cvtsepi32_epi16(codes));
  } else if constexpr (std::is_same_v<T, std::uint16_t>) {
    const __m512i positive = _mm512_max_epi32(codes, _mm512_setzero_si512());
    _mm256_mask_storeu_epi16(y, mask, _mm512_cvtusepi32_epi16(positive));
  } else {
    _mm512_mask_storeu_epi32(y, mask, codes);
  }
}

// 4 times 16 codes that T, of one byte, holds, or saturates them.
template <typename T, typename Codes>
[[gnu::always_inline]] inline __m512i FourAsBytes(const Codes& codes) {
  const __m512i low = _mm512_packs_epi32(codes(0), codes(1));
  const __m512i high = _mm512_packs_epi32(codes(2), codes(3));
  const __m512i mixed = std::is_same_v<T, std::int8_t> ? _mm512_packs_epi16(low, high)
                                                       : _mm512_packus_epi16(low, high);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, mixed);
}

// Stores 4 times 16 codes, with fewer instructions.
template <typename T, typename Codes>
[[gnu::always_inline]] inline void StoreFour(T* y, const Codes& codes) {
  if constexpr (sizeof(T) == 1) {
    _mm512_storeu_si512(y, FourAsBytes<T>(codes));
  } else if constexpr (sizeof(T) == 2) {
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    for (int half = 0; half < 2; ++half) {
      const __m512i low = codes(2 * half);
      const __m512i high = codes(2 * half + 1);
      const __m512i mixed = std::is_same_v<T, std::int16_t> ? _mm512_packs_epi32(low, high)
                                                            : _mm512_packus_epi32(low, high);
      _mm512_storeu_si512(y + half * 2 * kLanes, _mm512_permutexvar_epi64(order, mixed));
    }
  } else {
    for (int i = 0; i < 4; ++i) _mm512_storeu_si512(y + i * kLanes, codes(i));
  }
}

// Where bytes of y go, after others are added to the codes.
template <bool is_signed>
struct SumTo {
  const ByteSum<is_signed>* sum;
  const std::uint8_t* residual;
  std::uint8_t* y;
};

// to[i ..] = code(i, mask): 16 codes, not clipped, for all i below count that are not done.
template <typename T, typename Code>
[[gnu::always_inline]] inline void StoreRest(T* to, std::size_t i, std::size_t count,
                                             const Code& code) {
  for (; i + kLanes <= count; i += kLanes) Store(to + i, code(i, 0xffff), 0xffff);
  const auto rest = static_cast<__mmask16>((1u << (count - i)) - 1);
  if (rest != 0) Store(to + i, code(i, rest), rest);
}

template <typename T, bool is_signed, typename Code>
[[gnu::always_inline]] inline void StoreRest(const SumTo<is_signed>& to, std::size_t i,
                                             std::size_t count, const Code& code) {
  if (i == count) return;
  const __mmask64 some = (std::uint64_t{1} << (count - i)) - 1;
  const __m512i codes = FourAsBytes<T>([&](int part) __attribute__((always_inline)) {
    const std::size_t first = i + static_cast<std::size_t>(part) * kLanes;
    if (first >= count) return _mm512_setzero_si512();
    return code(first, static_cast<__mmask16>(some >> (16 * part)));
  });
  const __m512i residual = _mm512_maskz_loadu_epi8(some, to.residual + i);
  _mm512_mask_storeu_epi8(to.y + i, some, (*to.sum)(codes, residual));
}

template <typename T, typename Codes>
[[gnu::always_inline]] inline void StoreFourAt(T* to, std::size_t i, const Codes& codes) {
  StoreFour(to + i, codes);
}

template <typename T, bool is_signed, typename Codes>
[[gnu::always_inline]] inline void StoreFourAt(const SumTo<is_signed>& to, std::size_t i,
                                               const Codes& codes) {
  StoreBytes((*to.sum)(FourAsBytes<T>(codes), LoadBytes(to.residual + i)), to.y + i);
}

// to[i ..] = code(i, mask): 16 codes of T, not clipped.
template <typename T, bool clips, typename To, typename Code>
[[gnu::always_inline]] inline void StoreRow(std::size_t count, std::int32_t lowest,
                                            std::int32_t highest, const To& to, const Code& code) {
  const __m512i low = _mm512_set1_epi32(lowest);
  const __m512i high = _mm512_set1_epi32(highest);
  const auto clipped = [&](std::size_t i, __mmask16 mask) __attribute__((always_inline)) {
    const __m512i codes = code(i, mask);
    if constexpr (!clips) return codes;
    return _mm512_min_epi32(_mm512_max_epi32(codes, low), high);
  };
  std::size_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    StoreFourAt<T>(to, i, [&](int part) __attribute__((always_inline)) {
      return clipped(i + static_cast<std::size_t>(part) * kLanes, 0xffff);
    });
  }
  StoreRest<T>(to, i, count, clipped);
}

}  // namespace
}  // namespace qonnx_tools

#endif
