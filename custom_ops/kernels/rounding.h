// Rounding of one float to an integer, exact, the same at every SIMD level.
// Included by kernel sources only; see element_loops.h.

#pragma once

namespace qonnx_tools {
namespace {

// To nearest, ties to even. NaN and infinities are returned as they are; the sign of zero is x's.
inline float RoundHalfEven(float x) {
#if defined(__SSE2__) && !defined(__SSE4_1__)
  // SSE2 has no rounding instruction. From 2^23 on a float has no fraction bits, so adding 2^23
  // to a smaller magnitude rounds it, and taking 2^23 away again is exact.
  constexpr float kNoFraction = 8388608.0f;
  const float size = __builtin_fabsf(x);
  const float rounded = (size + kNoFraction) - kNoFraction;
  return __builtin_copysignf(size < kNoFraction ? rounded : size, x);
#else
  return __builtin_rintf(x);
#endif
}

inline float Floor(float x) {
#if defined(__SSE2__) && !defined(__SSE4_1__)
  const float nearest = RoundHalfEven(x);
  return __builtin_copysignf(nearest > x ? nearest - 1.0f : nearest, x);
#else
  return __builtin_floorf(x);
#endif
}

inline float Ceil(float x) { return -Floor(-x); }

inline float TowardZero(float x) { return __builtin_copysignf(Floor(__builtin_fabsf(x)), x); }

}  // namespace
}  // namespace qonnx_tools
