// Which numbers a map is computed in.

#pragma once

#include "codec/feature_map_header.h"

namespace qonnx_tools {

// Calls body with a number of the type in which no valid map of this coding overflows.
template <typename Body>
auto WithValue(const FeatureMapCoding& coding, Body body) {
  const std::size_t bytes = ElementBytes(coding.element);
  if (bytes == 4) return body(std::int64_t{});
  // Quantization can double coefficients, and three levels of 5/3 then leave 16 bits.
  const bool large = coding.levels == 3 && coding.step != kStepUnit &&
                     coding.transform == static_cast<int>(Transform::kLeGall);
  if (bytes == 2 || large) return body(std::int32_t{});
  return body(std::int16_t{});
}

}  // namespace qonnx_tools
