// Quant and IntQuant: y = (round(clip(x / scale + zero_point, low, high)) - zero_point) * scale,
// each step rounded to float32, as arithmetic/qonnx_dialect.py.

#pragma once

#include "kernels/dialect_mode.h"
#include "kernels/loop.h"

namespace qonnx_tools {

struct IntQuantParameters {
  const float* divisor;  // scale, or its reciprocal where the table multiplies
  const float* scale;
  const float* zero_point;
  float low;  // the code range
  float high;
};

struct IntQuantTable {
  Loops<IntQuantParameters> divide[kDialectModes];
  Loops<IntQuantParameters> multiply[kDialectModes];
  Loops<IntQuantParameters> divide_bipolar;  // one bit, signed: codes -1 and 1
  static const IntQuantTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
