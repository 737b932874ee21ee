// The parameter frac: fraction bits.

#pragma once

#include <cstdint>
#include <vector>

#include "glue/host.h"

namespace qonnx_tools {

// Raises Error unless all values lie in FRAC_RANGE of arithmetic/fixed_point.py: every power of two
// and every value stays normal.
void CheckFrac(const Tensor& frac);

// 2^(sign * frac) of each element.
std::vector<float> PowersOf(const Tensor& frac, int sign);

}  // namespace qonnx_tools
