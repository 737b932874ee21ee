// BipolarQuant: y = scale where x >= 0, else -scale (also for NaN).

#pragma once

#include "kernels/loop.h"

namespace qonnx_tools {

struct BipolarQuantParameters {
  const float* scale;
};

struct BipolarQuantTable {
  Loops<BipolarQuantParameters> loops;
  static const BipolarQuantTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
