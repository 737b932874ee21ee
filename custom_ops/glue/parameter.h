// Reading parameter inputs.

#pragma once

#include <string>
#include <vector>

#include "core/shape.h"
#include "glue/host.h"

namespace qonnx_tools {

// "input 'scale'", for messages.
std::string InputName(const char* name);

// The integer that the one element of `tensor` holds, of any number type, within low .. high.
// Raises Error, naming the input, if it is not that.
int IntegerInput(const char* name, const Tensor& tensor, int low, int high);

// Element i of the result is the element of `tensor` that broadcasts to element i of `shape`.
template <typename T>
std::vector<T> Expanded(const Tensor& tensor, const Shape& shape) {
  std::vector<T> expanded(shape.Count());
  const T* const from = static_cast<const T*>(tensor.data);
  BroadcastIndex(tensor.shape, shape)
      .ForEachRun(
          0, expanded.size(),
          [&](std::size_t at, std::size_t count, std::size_t index) {
            for (std::size_t i = 0; i < count; ++i) expanded[at + i] = from[index];
          },
          [&](std::size_t at, std::size_t count, std::size_t index) {
            for (std::size_t i = 0; i < count; ++i) expanded[at + i] = from[index + i];
          });
  return expanded;
}

}  // namespace qonnx_tools
