// The element types that codes travel in.

#pragma once

#include <cstddef>

namespace qonnx_tools {

enum class Carrier { kInt8, kUint8, kInt16, kUint16, kInt32 };
inline constexpr int kCarriers = 5;

}  // namespace qonnx_tools
