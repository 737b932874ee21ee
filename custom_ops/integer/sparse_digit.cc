#include "integer/sparse_digit.h"

#include <algorithm>
#include <utility>

#include "core/level.h"
#include "kernels/log_panel.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kWidth = WidthOf(Units::kBytes);
constexpr int kDigit = 8;            // bits
constexpr double kMostFilled = 0.1;  // of the units

}  // namespace

std::optional<SparseDigit> SparseDigit::TakenFrom(WeightMatrix& weights) {
  WeightMatrix dense = weights;
  WeightMatrix sparse = weights;
  for (std::size_t i = 0; i < weights.values.size(); ++i) {
    dense.values[i] = static_cast<std::int8_t>(weights.values[i]);
    sparse.values[i] = (weights.values[i] - dense.values[i]) >> kDigit;
  }
  if (!FitUnits(sparse, Units::kBytes)) return {};
  SparseDigit digit;
  digit.begins_.push_back(0);
  const std::size_t steps = weights.depth / kWidth;
  for (std::size_t row = 0; row < weights.rows; ++row) {
    for (std::size_t step = 0; step < steps; ++step) {
      const std::int32_t unit = UnitAt(sparse, Units::kBytes, -1, row, step);
      if (unit != 0) digit.units_.push_back({static_cast<std::uint32_t>(step), unit});
    }
    digit.begins_.push_back(static_cast<std::uint32_t>(digit.units_.size()));
  }
  const auto filled = static_cast<double>(digit.units_.size());
  if (filled > kMostFilled * static_cast<double>(weights.rows * steps)) return {};
  weights = std::move(dense);
  return digit;
}

void SparseDigit::Add(const ProductRows& rows, std::size_t first, std::size_t tile_size,
                      std::int32_t* sums) const {
  for (std::size_t group = 0; group < rows.column_groups; group += kGroups) {
    AtSelectedLevel<LogPanelTable>().add_sparse(
        {.units = units_.data(),
         .begins = &begins_[first],
         .rows = rows.count,
         .b = rows.panel + group / kGroups * tile_size,
         .b_step = kColumns,
         .groups = std::min(kGroups, rows.column_groups - group),
         .shift = kDigit,
         .sums = sums + group * kGroup,
         .sums_row = Products::kPitch});
  }
}

}  // namespace qonnx_tools
