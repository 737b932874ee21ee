// Weights of up to 15 bits as two planes of 8: w = dense * 2^shift + sparse, with a shift for each
// row. Log weights fit this well: few weights of a row lie octaves below its largest ones.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "integer/weights.h"

namespace qonnx_tools {

struct SplitWeights {
  WeightMatrix dense;
  WeightMatrix sparse;
  std::vector<std::uint8_t> shifts;  // one a row
};

// None if the weights do not fit, or if too many 32-bit units of the sparse plane are not zero for
// this to be faster than 16-bit products.
std::optional<SplitWeights> Split(const WeightMatrix& weights);

}  // namespace qonnx_tools
