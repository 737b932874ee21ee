// Convolution of a map with a filter of its own, 16 outputs at a time: the codes that the lanes of
// a register multiply are gathered within a register.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/depthwise_map.h"
#include "kernels/narrow_elements.h"

namespace qonnx_tools {

// y = clip(round_shift((sum << up) >> down, ..)): wraps the sum, or shifts it to the left.
struct DepthwiseFinish {
  std::int32_t up;
  std::int32_t down;
  NarrowFinish rounding;
};

struct DepthwiseFilter {
  const std::int32_t* numbers;  // the bias, then for each group a unit of signed bytes or words
  const DepthwiseFinish* finish;
};

// y [out] = finish(sums), by the form of y.
using DepthwiseFilterKernel = void (*)(const DepthwiseMap& map, const DepthwiseFilter& filter,
                                       const void* padded, void* y);
struct DepthwiseFilters {
  // [0] for rounding to even without up and down, [1] for any.
  DepthwiseFilterKernel bytes[2];
  DepthwiseFilterKernel all_int8[2];  // of all codes -128 .. 127
  DepthwiseFilterKernel shorts[2];
  DepthwiseFilterKernel all_int16[2];
  DepthwiseFilterKernel sums;  // 32 bits, not finished
};

struct DepthwiseBlocksTable {
  // Whether the CPU has what these functions and those of depthwise_pad.h need, which are null
  // where the level lacks it.
  bool (*available)();

  DepthwiseFilters bytes;
  DepthwiseFilters words;

  static const DepthwiseBlocksTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
