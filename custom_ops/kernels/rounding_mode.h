// The rounding modes, positions as in arithmetic/rounding.py.

#pragma once

namespace qonnx_tools {

enum class Rounding { kHalfEven, kHalfUp, kHalfAway, kFloor, kCeil, kTowardZero };
inline constexpr int kRoundings = 6;

}  // namespace qonnx_tools
