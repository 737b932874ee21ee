// How the maps of one node are divided for kernels/depthwise_blocks.h.

#pragma once

#include <cstddef>

#include "integer/convolution_geometry.h"
#include "kernels/depthwise_map.h"

namespace qonnx_tools {

// How the taps of a row of the kernel are divided into units of 4 bytes.
struct DepthwiseTaps {
  std::size_t number;      // bytes of a number of the padded map, 1 or 2
  std::size_t group_taps;  // of a unit, at most
  std::size_t row_groups;  // units of a row of the kernel

  DepthwiseTaps(const ConvolutionGeometry& geometry, bool bytes);
};

// What it points to is memory of this thread, until it is called again. With `small`, a small map
// has its paddings.
DepthwiseMap DepthwiseMapOf(const ConvolutionGeometry& geometry, const DepthwiseTaps& taps,
                            const ImageSize& size, bool small);

}  // namespace qonnx_tools
