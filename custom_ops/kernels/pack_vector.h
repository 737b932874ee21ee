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

// Units of `channels` channels; returns how many of the pixels are done.
template <bool high, typename T, std::size_t channels>
std::size_t PackVectors(const T* x, std::size_t channel, std::uint32_t offset, std::int32_t* to,
                        std::size_t count) {
  // 4 bytes of each channel, then the bytes of each pixel.
  const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i pixels =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i flip = _mm512_set1_epi32(static_cast<std::int32_t>(offset));
  const auto pack = [&](std::size_t i, __mmask16 mask) {
    __m512i rows = _mm512_zextsi128_si512(Bytes<high>(x + i, mask));
    if constexpr (channels > 1) {
      rows = _mm512_inserti32x4(rows, Bytes<high>(x + channel + i, mask), 1);
    }
    if constexpr (channels > 2) {
      rows = _mm512_inserti32x4(rows, Bytes<high>(x + 2 * channel + i, mask), 2);
    }
    if constexpr (channels > 3) {
      rows = _mm512_inserti32x4(rows, Bytes<high>(x + 3 * channel + i, mask), 3);
    }
    rows = _mm512_permutexvar_epi32(quarters, rows);
    _mm512_mask_storeu_epi32(to + i, mask,
                             _mm512_xor_si512(_mm512_shuffle_epi8(rows, pixels), flip));
  };
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) pack(i, 0xffff);
  if (i < count) pack(i, FirstLanes(count - i));
  return count;
}

inline void CopyNeighbours(const std::int32_t* from, std::int32_t* to, std::size_t count) {
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    _mm512_storeu_si512(to + i, _mm512_loadu_si512(from + i));
  }
  const __mmask16 rest = FirstLanes(count - i);
  if (rest != 0) _mm512_mask_storeu_epi32(to + i, rest, _mm512_maskz_loadu_epi32(rest, from + i));
}

inline void CopyEverySecond(const std::int32_t* from, std::int32_t* to, std::size_t count) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  for (std::size_t i = 0; i < count; i += kLanes) {
    const std::size_t some = count - i < kLanes ? count - i : kLanes;
    const std::uint32_t mask = some == kLanes ? 0x7fffffff : (1u << (2 * some - 1)) - 1;
    const __m512i low = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(mask), from + 2 * i);
    const __m512i high =
        _mm512_maskz_loadu_epi32(static_cast<__mmask16>(mask >> kLanes), from + 2 * i + kLanes);
    _mm512_mask_storeu_epi32(to + i, FirstLanes(some), _mm512_permutex2var_epi32(low, even, high));
  }
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
