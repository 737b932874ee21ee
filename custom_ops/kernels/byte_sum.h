// The sum of narrow_elements.h for 8-bit codes in and out: pairs of bytes become one lane of 16
// bits in a single multiplication by their two factors.

#pragma once

#include "kernels/code_pairs.h"
#include "kernels/narrow_elements.h"

namespace qonnx_tools {

inline constexpr int kMostByteLeft = 6;  // of either: the factor is a signed byte, both sums int16

struct ByteSumTable {
  // [1 if the codes of y are signed]; null where the level has no such multiplication.
  void (*run[2])(const NarrowSumParameters& by, const CodePairs& pairs);

  static const ByteSumTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
