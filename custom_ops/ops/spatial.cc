#include "ops/spatial.h"

#include <string>

#include "core/error.h"

namespace qonnx_tools {
namespace {

constexpr std::int64_t kLargest = 65535;  // of any number here

std::vector<std::int64_t> Checked(const Attributes& attributes, const char* name, std::size_t count,
                                  std::int64_t lowest, std::int64_t missing) {
  std::vector<std::int64_t> values = attributes.Ints(name);
  if (values.empty()) values.assign(count, missing);
  if (values.size() != count) {
    throw Error("attribute '" + std::string(name) + "' has " + std::to_string(values.size()) +
                " numbers; kernel_shape asks for " + std::to_string(count));
  }
  for (const std::int64_t value : values) {
    if (value < lowest || value > kLargest) {
      throw Error("attribute '" + std::string(name) + "' has " + std::to_string(value) +
                  "; its numbers must lie in " + std::to_string(lowest) + ".." +
                  std::to_string(kLargest));
    }
  }
  return values;
}

}  // namespace

Window ReadWindow(const Attributes& attributes) {
  const std::size_t axes = attributes.Ints("kernel_shape").size();
  if (axes != 1 && axes != 2) {
    throw Error("attribute 'kernel_shape' has " + std::to_string(axes) +
                " numbers; give 1 or 2, one a spatial axis");
  }
  const auto kernel = Checked(attributes, "kernel_shape", axes, 1, 1);
  const auto strides = Checked(attributes, "strides", axes, 1, 1);
  const auto dilations = Checked(attributes, "dilations", axes, 1, 1);
  const auto pads = Checked(attributes, "pads", 2 * axes, 0, 0);
  Window window;
  window.axes = axes;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    const std::size_t at = 2 - axes + axis;
    window.kernel[at] = static_cast<std::size_t>(kernel[axis]);
    window.stride[at] = static_cast<std::size_t>(strides[axis]);
    window.dilation[at] = static_cast<std::size_t>(dilations[axis]);
    window.pad_begin[at] = static_cast<std::size_t>(pads[axis]);
    window.pad_end[at] = static_cast<std::size_t>(pads[axes + axis]);
  }
  return window;
}

SpatialSizes SizesFor(const Window& window, const Shape& x) {
  if (x.rank != window.axes + 2) {
    throw Error("input 'x' has shape " + x.Text() + "; kernel_shape of " +
                std::to_string(window.axes) + " numbers asks for " +
                std::to_string(window.axes + 2) + " dimensions");
  }
  SpatialSizes sizes;
  for (std::size_t axis = 0; axis < window.axes; ++axis) {
    const std::size_t at = 2 - window.axes + axis;
    sizes.in[at] = static_cast<std::size_t>(x.dims[2 + axis]);
    const std::size_t padded = sizes.in[at] + window.pad_begin[at] + window.pad_end[at];
    const std::size_t extent = window.dilation[at] * (window.kernel[at] - 1) + 1;
    if (padded < extent) {
      throw Error("input 'x' has shape " + x.Text() + ", padded too small for a window of " +
                  std::to_string(extent) + "; correct kernel_shape, dilations or pads");
    }
    sizes.out[at] = (padded - extent) / window.stride[at] + 1;
  }
  return sizes;
}

MapWindows WindowsOf(const Window& window, const SpatialSizes& sizes) {
  MapWindows windows = {};
  for (int axis = 0; axis < 2; ++axis) {
    windows.in[axis] = sizes.in[axis];
    windows.out[axis] = sizes.out[axis];
    windows.kernel[axis] = window.kernel[axis];
    windows.stride[axis] = window.stride[axis];
    windows.dilation[axis] = window.dilation[axis];
    windows.pad_begin[axis] = window.pad_begin[axis];
    windows.pad_end[axis] = window.pad_end[axis];
  }
  return windows;
}

InferredShape InferWindowed(ShapeInference& inference, const InferredShape& x) {
  const auto kernel = inference.Ints("kernel_shape");
  const std::size_t axes = x.size() > 2 ? x.size() - 2 : kernel.size();
  auto strides = inference.Ints("strides");
  auto dilations = inference.Ints("dilations");
  auto pads = inference.Ints("pads");
  if (strides.empty()) strides.assign(axes, 1);
  if (dilations.empty()) dilations.assign(axes, 1);
  if (pads.empty()) pads.assign(2 * axes, 0);
  const bool good = kernel.size() == axes && strides.size() == axes && dilations.size() == axes &&
                    pads.size() == 2 * axes && x.size() == axes + 2;
  InferredShape spatial(axes);
  for (std::size_t axis = 0; good && axis < axes; ++axis) {
    const std::int64_t in = x[2 + axis].size;
    const bool sane = in >= 0 && kernel[axis] >= 1 && kernel[axis] <= kLargest &&
                      strides[axis] >= 1 && dilations[axis] >= 1 && dilations[axis] <= kLargest &&
                      pads[axis] >= 0 && pads[axis] <= kLargest && pads[axes + axis] >= 0 &&
                      pads[axes + axis] <= kLargest;
    if (!sane) continue;
    const std::int64_t room =
        in + pads[axis] + pads[axes + axis] - dilations[axis] * (kernel[axis] - 1) - 1;
    if (room >= 0) spatial[axis].size = room / strides[axis] + 1;
  }
  return spatial;
}

}  // namespace qonnx_tools
