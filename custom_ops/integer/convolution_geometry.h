// What a convolution of integer codes convolves: x [N, C, H, W], weights [M, C/group, kernel],
// y [N, M, OH, OW].

#pragma once

#include <cstddef>

namespace qonnx_tools {

// Of two spatial axes, rows and columns; with one spatial axis the rows are all 1.
struct ConvolutionGeometry {
  std::size_t groups = 1;
  std::size_t in_channels = 0;   // of a group
  std::size_t out_channels = 0;  // of a group
  std::size_t kernel[2] = {1, 1};
  std::size_t stride[2] = {1, 1};
  std::size_t dilation[2] = {1, 1};
  std::size_t pad_begin[2] = {0, 0};
  std::size_t pad_end[2] = {0, 0};
};

struct ImageSize {
  std::size_t count;  // N
  std::size_t in[2];
  std::size_t out[2];
};

}  // namespace qonnx_tools
