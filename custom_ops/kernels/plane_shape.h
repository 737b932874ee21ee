// The shape of some maps of equal size, one after the other in memory.

#pragma once

#include <cstddef>

namespace qonnx_tools {

struct PlaneShape {
  std::size_t channels, height, width;

  constexpr std::size_t area() const { return height * width; }
  constexpr std::size_t count() const { return channels * height * width; }
};

}  // namespace qonnx_tools
