// Trunc: y = (round(clip(rint(x / scale + zero_point) / step, low, high)) - out_zero_point)
// * out_scale, each step rounded to float32, as arithmetic/qonnx_dialect.py. Version 1 has the
// infinities as low and high.

#pragma once

#include "kernels/dialect_mode.h"
#include "kernels/loop.h"

namespace qonnx_tools {

struct TruncParameters {
  const float* scale;
  const float* zero_point;
  const float* step;  // a power of two: how many input codes an output code covers
  const float* out_zero_point;
  const float* out_scale;
  float low;  // the output code range
  float high;
};

struct TruncTable {
  Loops<TruncParameters> by_mode[kDialectModes];
  static const TruncTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
