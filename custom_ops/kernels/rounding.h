// Rounding of one float to an integer, exact, the same at every SIMD level.
// Included by kernel sources only; see element_loops.h.

#pragma once

#include "kernels/rounding_mode.h"

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

// x - RoundHalfEven(x) is exact, so ties are recognised exactly; floor(x + 0.5) would not be.
template <Rounding rounding>
inline float Round(float x) {
  if constexpr (rounding == Rounding::kHalfUp) {
    const float nearest = RoundHalfEven(x);
    return x - nearest == 0.5f ? nearest + 1.0f : nearest;
  } else if constexpr (rounding == Rounding::kHalfAway) {
    const float size = __builtin_fabsf(x);
    const float nearest = RoundHalfEven(size);
    return __builtin_copysignf(size - nearest == 0.5f ? nearest + 1.0f : nearest, x);
  } else if constexpr (rounding == Rounding::kFloor) {
    return Floor(x);
  } else if constexpr (rounding == Rounding::kCeil) {
    return Ceil(x);
  } else if constexpr (rounding == Rounding::kTowardZero) {
    return TowardZero(x);
  } else {
    return RoundHalfEven(x);
  }
}

}  // namespace
}  // namespace qonnx_tools
