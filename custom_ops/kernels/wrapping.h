// Sums and differences modulo 2^bits of numbers that a damaged stream may have made too large.
// Included by kernel sources only.

#pragma once

#include <cstdint>
#include <type_traits>

namespace qonnx_tools {
namespace {

// At least 32 bits, so that the sum of two 16-bit numbers is itself.
template <typename Value>
using Sum = std::conditional_t<sizeof(Value) < 4, std::int32_t, Value>;

template <typename Value>
inline Sum<Value> Add(Value a, Value b) {
  using Bits = std::make_unsigned_t<Sum<Value>>;
  return static_cast<Sum<Value>>(static_cast<Bits>(a) + static_cast<Bits>(b));
}

template <typename Value>
inline Sum<Value> Subtract(Value a, Value b) {
  using Bits = std::make_unsigned_t<Sum<Value>>;
  return static_cast<Sum<Value>>(static_cast<Bits>(a) - static_cast<Bits>(b));
}

template <typename Value>
inline Sum<Value> Magnitude(Value a) {
  return a < 0 ? Subtract<Sum<Value>>(0, a) : a;
}

}  // namespace
}  // namespace qonnx_tools
