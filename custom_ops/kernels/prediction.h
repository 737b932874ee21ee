// The median-edge prediction of one sample, and signed numbers as unsigned ones. Included by kernel
// sources only.

#pragma once

#include <type_traits>

#include "kernels/wrapping.h"

namespace qonnx_tools {
namespace {

// The gradient is taken modulo 2^bits; those of valid streams fit.
template <typename Value>
inline Value MedianEdge(Value west, Value north, Value corner) {
  const Value least = west < north ? west : north, most = west < north ? north : west;
  const auto gradient = static_cast<Value>(Add<Sum<Value>>(west, Subtract(north, corner)));
  const Value below = gradient < most ? gradient : most;
  return below > least ? below : least;
}

// 2v for v >= 0, -2v - 1 for v < 0.
template <typename Value>
inline std::make_unsigned_t<Value> Folded(Value v) {
  using Number = std::make_unsigned_t<Value>;
  return static_cast<Number>(static_cast<Number>(static_cast<Number>(v) << 1) ^
                             static_cast<Number>(v >> (8 * sizeof(Value) - 1)));
}

template <typename Value>
inline Value Unfolded(std::make_unsigned_t<Value> u) {
  using Number = std::make_unsigned_t<Value>;
  return static_cast<Value>((u >> 1) ^ static_cast<Number>(Number{0} - (u & 1)));
}

}  // namespace
}  // namespace qonnx_tools
