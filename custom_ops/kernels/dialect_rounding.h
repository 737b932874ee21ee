// The rounding modes of the QONNX dialect on float32, quirks included: HALF_UP and HALF_DOWN add or
// subtract 0.5 in float32 (which may round), and -0 becomes +0 in the modes that multiply by
// sign(x). Included by kernel sources only; see element_loops.h.

#pragma once

#include "kernels/dialect_mode.h"
#include "kernels/rounding.h"

namespace qonnx_tools {
namespace {

// As numpy.sign, but for NaN, whose factor is NaN already wherever this is used.
inline float Sign(float x) {
  const float above = x > 0.0f ? 1.0f : 0.0f;
  return x < 0.0f ? -1.0f : above;
}

template <DialectMode mode>
inline float DialectRound(float x) {
  const float size = __builtin_fabsf(x);
  if constexpr (mode == DialectMode::kCeil) {
    return Ceil(x);
  } else if constexpr (mode == DialectMode::kFloor) {
    return Floor(x);
  } else if constexpr (mode == DialectMode::kUp) {
    return Sign(x) * Ceil(size);
  } else if constexpr (mode == DialectMode::kDown) {
    return TowardZero(x);
  } else if constexpr (mode == DialectMode::kHalfUp) {
    return Sign(x) * Floor(size + 0.5f);
  } else if constexpr (mode == DialectMode::kHalfDown) {
    return Sign(x) * Ceil(size - 0.5f);
  } else {
    return RoundHalfEven(x);
  }
}

}  // namespace
}  // namespace qonnx_tools
