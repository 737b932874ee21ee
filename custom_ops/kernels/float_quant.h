// FloatQuant: x / scale rounded to a minifloat grid, clipped, times scale, as
// arithmetic/qonnx_dialect.py: float32 up to the clip, float64 from there, rounded once at the end.

#pragma once

#include <cstdint>

#include "kernels/dialect_mode.h"
#include "kernels/loop.h"

namespace qonnx_tools {

struct FloatQuantParameters {
  const float* scale;
  std::int32_t mantissa_bits;
  std::int32_t smallest_exponent;  // of the grid step: 1 - exponent bias - mantissa bits
  double max_value;
  double above;  // what a value above max_value, or below -max_value, becomes
  double below;
};

struct FloatQuantTable {
  Loops<FloatQuantParameters> by_mode[kDialectModes];
  static const FloatQuantTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
