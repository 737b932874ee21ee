// FixedQuant: y = clip(round(x * 2^frac), low, high) * 2^-frac, as arithmetic/fixed_point.py.

#pragma once

#include "kernels/loop.h"
#include "kernels/rounding_mode.h"

namespace qonnx_tools {

struct FixedQuantParameters {
  const float* up;    // 2^frac
  const float* down;  // 2^-frac
  float low;          // the code range
  float high;
};

struct FixedQuantTable {
  Loops<FixedQuantParameters> by_rounding[kRoundings];
  static const FixedQuantTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
