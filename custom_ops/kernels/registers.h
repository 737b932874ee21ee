// Vector registers of the level, as the compiler's vector types. Included by kernel sources only;
// see element_loops.h.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/intrinsics.h"

namespace qonnx_tools {
namespace {

#if defined(__AVX512F__)
constexpr std::size_t kRegister = 64;  // bytes
#elif defined(__AVX2__)
constexpr std::size_t kRegister = 32;
#else
constexpr std::size_t kRegister = 16;
#endif

template <typename T, std::size_t bytes>
struct VectorOf {
  typedef T Type __attribute__((vector_size(bytes)));  // an alias would lose the attribute
};
template <typename T, std::size_t bytes = kRegister>
using Vector = typename VectorOf<T, bytes>::Type;

// As many codes as a register has lanes of the type Lane.
template <typename Lane>
constexpr std::size_t kLanesOf = kRegister / sizeof(Lane);
template <typename Lane, typename Code>
using CodesOf = Vector<Code, kLanesOf<Lane> * sizeof(Code)>;

// Codes, zero-extended. The compiler takes more instructions for its own conversion.
#if defined(__AVX512F__)
inline __m512i Widened(const std::uint8_t* from, std::uint16_t) {
  return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
inline __m512i Widened(const std::uint8_t* from, std::uint32_t) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
inline __m512i Widened(const std::uint16_t* from, std::uint32_t) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
#elif defined(__AVX2__)
inline __m256i Widened(const std::uint8_t* from, std::uint16_t) {
  return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
inline __m256i Widened(const std::uint8_t* from, std::uint32_t) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}
inline __m256i Widened(const std::uint16_t* from, std::uint32_t) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
#elif defined(__SSE2__)
inline __m128i Widened(const std::uint8_t* from, std::uint16_t) {
  return _mm_unpacklo_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)), __m128i{});
}
inline __m128i Widened(const std::uint16_t* from, std::uint32_t) {
  return _mm_unpacklo_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)), __m128i{});
}
inline __m128i Widened(const std::uint8_t* from, std::uint32_t) {
  const __m128i shorts = _mm_unpacklo_epi8(_mm_loadu_si32(from), __m128i{});
  return _mm_unpacklo_epi16(shorts, __m128i{});
}
#endif

template <typename Lane, typename Code>
inline Vector<Lane> LoadLanes(const Code* from) {
#if defined(__SSE2__)
  return reinterpret_cast<Vector<Lane>>(Widened(from, Lane{}));
#else
  CodesOf<Lane, Code> codes;
  __builtin_memcpy(&codes, from, sizeof codes);
  return __builtin_convertvector(codes, Vector<Lane>);
#endif
}

// Keeps the low bits of each lane.
template <typename Lane, typename Code>
inline void StoreLanes(Vector<Lane> lanes, Code* to) {
  CodesOf<Lane, Code> codes;
  if constexpr (sizeof(Lane) == 4 && sizeof(Code) == 1) {
    // The compiler would take the lanes out of the register one by one.
#if defined(__AVX512F__)
    codes = reinterpret_cast<CodesOf<Lane, Code>>(
        _mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(lanes)));
#else
    const auto halves = __builtin_convertvector(lanes, CodesOf<Lane, std::uint16_t>);
    codes = __builtin_convertvector(halves, CodesOf<Lane, Code>);
#endif
  } else {
    codes = __builtin_convertvector(lanes, CodesOf<Lane, Code>);
  }
  __builtin_memcpy(to, &codes, sizeof codes);
}

// The same for the first `count` of them, fewer than the lanes.
template <typename Lane, typename Code>
inline Vector<Lane> LoadSomeLanes(const Code* from, std::size_t count) {
  Code codes[kLanesOf<Lane>] = {};
  __builtin_memcpy(codes, from, count * sizeof(Code));
  return LoadLanes<Lane>(codes);
}
template <typename Lane, typename Code>
inline void StoreSomeLanes(Vector<Lane> lanes, Code* to, std::size_t count) {
  Code codes[kLanesOf<Lane>];
  StoreLanes<Lane>(lanes, codes);
  __builtin_memcpy(to, codes, count * sizeof(Code));
}

// y[0 .. count-1] = function(lanes of each of the inputs). The last lanes are computed twice where
// count is no multiple of their number.
template <typename Lane, typename Y, typename Function, typename... Codes>
inline void ForLanes(std::size_t count, Y* y, Function function, const Codes*... inputs) {
  constexpr std::size_t kLanes = kLanesOf<Lane>;
  if (count < kLanes) {
    StoreSomeLanes<Lane>(function(LoadSomeLanes<Lane>(inputs, count)...), y, count);
    return;
  }
  const auto at = [&](std::size_t i) {
    StoreLanes<Lane>(function(LoadLanes<Lane>(inputs + i)...), y + i);
  };
  for (std::size_t i = 0; i + kLanes <= count; i += kLanes) at(i);
  if (count % kLanes != 0) at(count - kLanes);
}

}  // namespace
}  // namespace qonnx_tools
