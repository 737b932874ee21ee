#include "integer/sparse_plane.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/level.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kWidth = WidthOf(Units::kBytes);
constexpr int kMostShift = 8;  // so that the sparse plane fits 8 bits
constexpr int kDenseBits = 7;
constexpr double kMostFilled = 0.45;  // of the units

bool Fits(std::int64_t number) { return number >= -128 && number <= 127; }

}  // namespace

std::optional<SparsePlane> SparsePlane::TakenFrom(WeightMatrix& weights) {
  SparsePlane plane;
  WeightMatrix dense = weights;
  WeightMatrix sparse = weights;
  for (std::size_t row = 0; row < weights.rows; ++row) {
    const std::int64_t* const w = &weights.values[row * weights.depth];
    std::uint64_t largest = 0;
    for (std::size_t k = 0; k < weights.depth; ++k) {
      largest = std::max(largest, static_cast<std::uint64_t>(w[k] < 0 ? -w[k] : w[k]));
    }
    const int shift = std::max(0, static_cast<int>(std::bit_width(largest)) - kDenseBits);
    if (shift > kMostShift) return {};
    const std::int64_t half = (std::int64_t{1} << shift) >> 1;
    plane.shifts_.push_back(static_cast<std::uint8_t>(shift));
    for (std::size_t k = 0; k < weights.depth; ++k) {
      const std::int64_t part = (w[k] + half) >> shift;
      const std::int64_t rest = w[k] - (part << shift);
      if (!Fits(part) || !Fits(rest)) return {};
      dense.values[row * weights.depth + k] = part;
      sparse.values[row * weights.depth + k] = rest;
    }
  }
  plane.begins_.push_back(0);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    for (std::size_t step = 0; step < weights.depth / kWidth; ++step) {
      const std::int32_t unit = UnitAt(sparse, Units::kBytes, -1, row, step);
      if (unit != 0) plane.units_.push_back({static_cast<std::uint32_t>(step), unit});
    }
    plane.begins_.push_back(static_cast<std::uint32_t>(plane.units_.size()));
  }
  const std::size_t units = weights.rows * weights.depth / kWidth;
  if (static_cast<double>(plane.units_.size()) > kMostFilled * static_cast<double>(units)) {
    return {};
  }
  weights = std::move(dense);
  return plane;
}

void SparsePlane::Add(std::size_t first, std::size_t rows, const std::int32_t* tile,
                      std::size_t column_groups, std::int32_t* sums, std::size_t pitch) const {
  AtSelectedLevel<MultiplyTable>().add_sparse({.units = units_.data(),
                                               .begins = begins_.data() + first,
                                               .shifts = shifts_.data() + first,
                                               .rows = rows,
                                               .b = tile,
                                               .b_step = kColumns,
                                               .groups = column_groups,
                                               .sums = sums,
                                               .sums_row = pitch});
}

}  // namespace qonnx_tools
