#include "integer/split_weights.h"

#include <algorithm>
#include <bit>

namespace qonnx_tools {
namespace {

constexpr std::size_t kWidth = 4;  // weights of a unit
constexpr int kMostShift = 8;      // so that the sparse plane fits 8 bits
constexpr int kDenseBits = 7;
constexpr double kMostFilled = 0.45;  // of the sparse plane's units

bool Fits(std::int64_t number) { return number >= -128 && number <= 127; }

}  // namespace

std::optional<SplitWeights> Split(const WeightMatrix& weights) {
  SplitWeights split = {weights, weights, std::vector<std::uint8_t>(weights.rows)};
  std::size_t filled = 0;
  for (std::size_t row = 0; row < weights.rows; ++row) {
    const std::int64_t* const w = &weights.values[row * weights.depth];
    std::uint64_t largest = 0;
    for (std::size_t k = 0; k < weights.depth; ++k) {
      largest = std::max(largest, static_cast<std::uint64_t>(w[k] < 0 ? -w[k] : w[k]));
    }
    const int shift = std::max(0, static_cast<int>(std::bit_width(largest)) - kDenseBits);
    if (shift > kMostShift) return {};
    const std::int64_t half = (std::int64_t{1} << shift) >> 1;
    split.shifts[row] = static_cast<std::uint8_t>(shift);
    for (std::size_t k = 0; k < weights.depth; ++k) {
      const std::int64_t dense = (w[k] + half) >> shift;
      const std::int64_t sparse = w[k] - (dense << shift);
      if (!Fits(dense) || !Fits(sparse)) return {};
      split.dense.values[row * weights.depth + k] = dense;
      split.sparse.values[row * weights.depth + k] = sparse;
    }
    for (std::size_t k = 0; k < weights.depth; k += kWidth) {
      const std::int64_t* const unit = &split.sparse.values[row * weights.depth + k];
      filled += std::any_of(unit, unit + kWidth, [](std::int64_t part) { return part != 0; });
    }
  }
  const std::size_t units = weights.rows * weights.depth / kWidth;
  if (static_cast<double>(filled) > kMostFilled * static_cast<double>(units)) return {};
  return split;
}

}  // namespace qonnx_tools
