// round_shift(value, shift) = value / 2^shift rounded, as arithmetic/rounding.py.
// Included by kernel sources only; see element_loops.h.

#pragma once

#include <cstdint>

#include "kernels/rounding_mode.h"

namespace qonnx_tools {
namespace {

// Exact for every value and shift -62 .. 62; a left shift is modulo 2^64.
template <Rounding rounding>
inline std::int64_t RoundShift(std::int64_t value, std::int64_t shift) {
  const std::int64_t right = shift > 0 ? shift : 0;
  const std::int64_t left = shift < 0 ? -shift : 0;
  const std::int64_t mask = (std::int64_t{1} << right) - 1;
  const std::int64_t half = (mask + 1) >> 1;  // 0 if right is 0, and so is the rest
  const std::int64_t floor = value >> right;
  const std::int64_t rest = value & mask;
  std::int64_t up = 0;
  if constexpr (rounding == Rounding::kHalfEven) {
    up = rest + (floor & 1) > half ? 1 : 0;
  } else if constexpr (rounding == Rounding::kHalfUp) {
    up = rest >= half ? 1 : 0;
  } else if constexpr (rounding == Rounding::kHalfAway) {
    up = rest + (value >= 0 ? 1 : 0) > half ? 1 : 0;
  } else if constexpr (rounding == Rounding::kCeil) {
    up = rest > 0 ? 1 : 0;
  } else if constexpr (rounding == Rounding::kTowardZero) {
    up = (rest > 0 ? 1 : 0) & (value < 0 ? 1 : 0);
  }
  if constexpr (rounding == Rounding::kHalfEven || rounding == Rounding::kHalfUp ||
                rounding == Rounding::kHalfAway) {
    up = right > 0 ? up : 0;
  }
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(floor + up) << left);
}

}  // namespace
}  // namespace qonnx_tools
