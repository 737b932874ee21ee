// Numbers of a plane as unsigned ones, predicted from their neighbours or as they are; see
// arithmetic/prediction.py. Value is int16, int32 or int64.

#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/plane_shape.h"

namespace qonnx_tools {

template <typename Value>
struct MedianEdgeTable {
  using Number = std::make_unsigned_t<Value>;
  void (*to_unsigned)(const Value* x, std::size_t count, Number* numbers);
  void (*from_unsigned)(const Number* numbers, std::size_t count, Value* x);
  void (*to_residuals)(const Value* x, PlaneShape shape, Number* numbers);
  void (*from_residuals)(const Number* numbers, PlaneShape shape, Value* x);

  static const MedianEdgeTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
