// What every kernel offers to its op: two loops over consecutive elements.

#pragma once

#include <cstddef>

namespace qonnx_tools {

// Quantizes x[0 .. count-1] into y with the parameters at `index` (of `parameters`' arrays).
template <typename Parameters>
using Loop = void (*)(const Parameters& parameters, std::size_t index, const float* x, float* y,
                      std::size_t count);

template <typename Parameters>
struct Loops {
  Loop<Parameters> uniform;  // element i uses the parameters at index
  Loop<Parameters> varying;  // element i uses the parameters at index + i
};

}  // namespace qonnx_tools
