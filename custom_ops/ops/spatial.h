// Sliding windows over one or two spatial axes: the attributes kernel_shape, strides, pads,
// dilations, and the sizes that follow.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/shape.h"
#include "glue/attributes.h"
#include "glue/shape_inference.h"
#include "kernels/pool.h"

namespace qonnx_tools {

// Two axes always; with one spatial axis the first has kernel 1, stride 1, no pads.
struct Window {
  std::size_t axes = 0;  // 1 or 2
  std::size_t kernel[2] = {1, 1};
  std::size_t stride[2] = {1, 1};
  std::size_t dilation[2] = {1, 1};
  std::size_t pad_begin[2] = {0, 0};
  std::size_t pad_end[2] = {0, 0};
};

// Raises Error if the attributes are missing, do not agree or are out of range.
Window ReadWindow(const Attributes& attributes);

struct SpatialSizes {
  std::size_t in[2] = {1, 1};
  std::size_t out[2] = {1, 1};
};
// The sizes for x [N, C, spatial ...]. Raises Error if x has another rank or no window fits.
SpatialSizes SizesFor(const Window& window, const Shape& x);

// Both for the kernels of kernels/pool.h.
MapWindows WindowsOf(const Window& window, const SpatialSizes& sizes);

// The spatial dimensions of the output, unknown ones where the attributes are bad.
InferredShape InferWindowed(ShapeInference& inference, const InferredShape& x);

}  // namespace qonnx_tools
