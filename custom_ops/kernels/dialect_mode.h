// The rounding modes of the QONNX dialect.

#pragma once

namespace qonnx_tools {

enum class DialectMode { kHalfEven, kCeil, kFloor, kUp, kDown, kHalfUp, kHalfDown };
inline constexpr int kDialectModes = 7;

}  // namespace qonnx_tools
