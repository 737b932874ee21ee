// The loops of pack.cc on 512-bit registers. Included by it only.

#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX512BW__)
#include <immintrin.h>
#endif

namespace qonnx_tools {
namespace {

#if defined(__AVX512BW__)

inline constexpr std::size_t kLanes = 16;

inline __mmask16 FirstLanes(std::size_t count) { return static_cast<__mmask16>((1u << count) - 1); }

// One byte of each of 16 codes, zeros where `mask` has none.
template <bool high, typename T>
inline __m128i Bytes(const T* from, __mmask16 mask) {
  if constexpr (sizeof(T) == 1) return _mm_maskz_loadu_epi8(mask, from);
  __m256i codes = _mm256_maskz_loadu_epi16(mask, from);
  if constexpr (high) codes = _mm256_srli_epi16(codes, 8);
  return _mm256_cvtepi16_epi8(codes);
}
template <bool high, typename T>
inline __m128i Bytes(const T* from) {
  if constexpr (sizeof(T) == 1) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return Bytes<high>(from, 0xffff);
}

// Units of `channels` channels; returns how many of the pixels are done.
template <bool high, typename T, std::size_t channels>
std::size_t PackVectors(const T* x, std::size_t channel, std::uint32_t offset, std::int32_t* to,
                        std::size_t count) {
  // 4 bytes of each channel, then the bytes of each pixel.
  const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i pixels =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i flip = _mm512_set1_epi32(static_cast<std::int32_t>(offset));
  const auto pack = [&](const auto& bytes) __attribute__((always_inline)) {
    __m512i rows = _mm512_zextsi128_si512(bytes(0));
    if constexpr (channels > 1) rows = _mm512_inserti32x4(rows, bytes(1), 1);
    if constexpr (channels > 2) rows = _mm512_inserti32x4(rows, bytes(2), 2);
    if constexpr (channels > 3) rows = _mm512_inserti32x4(rows, bytes(3), 3);
    const __m512i units = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quarters, rows), pixels);
    return _mm512_xor_si512(units, flip);
  };
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    _mm512_storeu_si512(to + i, pack([&](std::size_t row) __attribute__((always_inline)) {
                          return Bytes<high>(x + row * channel + i);
                        }));
  }
  if (i < count) {
    const __mmask16 rest = FirstLanes(count - i);
    const __m512i units = pack([&](std::size_t row) __attribute__((always_inline)) {
      return Bytes<high>(x + row * channel + i, rest);
    });
    _mm512_mask_storeu_epi32(to + i, rest, units);
  }
  return count;
}

// Of at most 16 units.
[[gnu::always_inline]] inline void CopyNeighbours(const std::int32_t* from, std::int32_t* to,
                                                  std::size_t count) {
  const __mmask16 mask = FirstLanes(count);
  _mm512_mask_storeu_epi32(to, mask, _mm512_maskz_loadu_epi32(mask, from));
}
[[gnu::always_inline]] inline void CopyEverySecond(const std::int32_t* from, std::int32_t* to,
                                                   std::size_t count) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const std::uint32_t needed = (std::uint32_t{1} << (2 * count - 1)) - 1;
  const __m512i low = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(needed), from);
  const __m512i high =
      _mm512_maskz_loadu_epi32(static_cast<__mmask16>(needed >> kLanes), from + kLanes);
  _mm512_mask_storeu_epi32(to, FirstLanes(count), _mm512_permutex2var_epi32(low, even, high));
}

#else

template <bool high, typename T, std::size_t channels>
std::size_t PackVectors(const T*, std::size_t, std::uint32_t, std::int32_t*, std::size_t) {
  return 0;
}

inline void CopyNeighbours(const std::int32_t* __restrict from, std::int32_t* __restrict to,
                           std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = from[i];
}

inline void CopyEverySecond(const std::int32_t* __restrict from, std::int32_t* __restrict to,
                            std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = from[2 * i];
}

#endif

}  // namespace
}  // namespace qonnx_tools
