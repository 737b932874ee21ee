#include "integer/packed_weights.h"

#include <algorithm>

#include "core/level.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

PackedWeights::PackedWeights(const WeightMatrix& weights, std::size_t groups, std::size_t taps,
                             Carrier x, bool wide)
    : groups_(groups), rows_(weights.rows / groups) {
  ChooseKernel(weights, x, wide);
  const std::size_t grain = tiles_ ? kTileSteps : 1;
  WeightMatrix ordered = InUnits(weights, taps, WidthOf(layout_.planes[0]));
  if (!wide && AreBytes() && SizeOf(x) == 1 && !FitUnits(ordered, Units::kBytes)) {
    if (tiles_) {
      digit_ = SparseDigit::TakenFrom(ordered);
    } else {
      sparse_ = SparsePlane::TakenFrom(ordered);
    }
  }
  layout_.used_steps = ordered.depth / WidthOf(layout_.planes[0]);
  layout_.steps = Ceil(layout_.used_steps, grain) * grain;
  Pack(ordered, SegmentsOf(ordered, x, layout_.planes[0], wide, layout_.used_steps, grain));
}

// Bytes take as many products as both sides have bytes, words, with less speed, one for up to 16
// bits; but where 32 bits do not hold the sums of words, those must be cut into short runs.
void PackedWeights::ChooseKernel(const WeightMatrix& weights, Carrier x, bool wide) {
  const auto& multiply = AtSelectedLevel<MultiplyTable>();
  const bool one_word = !wide && SizeOf(x) == 2 && FitUnits(weights, Units::kWords);
  const bool bytes = tiles_ || (multiply.signed_by_unsigned != nullptr && !one_word);
  if (!bytes) {
    layout_.planes = {Units::kWords};
    multiply_ = multiply.words;
    return;
  }
  layout_.planes = {Units::kBytes};
  if (SizeOf(x) == 2) layout_.planes.push_back(Units::kHighBytes);
  multiply_ = tiles_ ? AtSelectedLevel<TileTable>().multiply : multiply.signed_by_unsigned;
}

void PackedWeights::Pack(const WeightMatrix& ordered, const std::vector<Segment>& segments) {
  std::vector<int> planes;
  for (const Segment& segment : segments) {
    if (planes.empty() || planes.back() != segment.plane) planes.push_back(segment.plane);
    const std::size_t last = segment.first_step + segment.steps == layout_.used_steps
                                 ? layout_.steps
                                 : segment.first_step + segment.steps;
    for (std::size_t i = 0; i < layout_.planes.size(); ++i) {
      terms_.push_back({i * layout_.steps + segment.first_step, planes.size() - 1,
                        segment.first_step, last - segment.first_step,
                        segment.shift + static_cast<int>(8 * i)});
    }
  }
  std::stable_sort(terms_.begin(), terms_.end(),
                   [](const Term& a, const Term& b) { return a.shift < b.shift; });
  plane_count_ = planes.size();
  plane_size_ = Rows(rows_) * layout_.steps;
  units_.reserve(groups_ * plane_count_ * plane_size_);
  const std::size_t part = tiles_ ? kTileRows : kRows;  // rows that lie together
  for (std::size_t group = 0; group < groups_; ++group) {
    for (const int plane : planes) {
      for (std::size_t first = 0; first < rows_; first += part) {
        PackBlock(ordered, plane, group * rows_ + first, std::min(part, rows_ - first));
      }
    }
  }
}

void PackedWeights::PackBlock(const WeightMatrix& ordered, int plane, std::size_t first_row,
                              std::size_t rows) {
  const auto push = [&](std::size_t row, std::size_t step) {
    const bool there = row < rows && step < layout_.used_steps;
    units_.push_back(there ? UnitAt(ordered, layout_.planes[0], plane, first_row + row, step) : 0);
  };
  if (!tiles_) {
    for (std::size_t step = 0; step < layout_.steps; ++step) {
      for (std::size_t row = 0; row < rows; ++row) push(row, step);
    }
    return;
  }
  for (std::size_t step = 0; step < layout_.steps; step += kTileSteps) {
    for (std::size_t row = 0; row < kTileRows; ++row) {
      for (std::size_t i = 0; i < kTileSteps; ++i) push(row, step + i);
    }
  }
}

void PackedWeights::Multiply(const ProductRows& rows, const Term& term, bool accumulate,
                             std::int32_t* c) const {
  const std::size_t together = tiles_ ? kTileRows : rows.count;
  Factors factors = {};
  factors.a = units_.data() + (rows.group * plane_count_ + term.plane) * plane_size_ +
              rows.first * layout_.steps + term.first_step * together;
  factors.a_step = rows.count;
  factors.a_row = tiles_ ? kTileRows * layout_.steps : 1;
  factors.rows = Rows(rows.count);
  factors.b_step = kColumns;
  factors.steps = term.steps;
  factors.c_row = kPitch;
  factors.accumulate = accumulate;
  for (std::size_t first = 0; first < rows.column_groups; first += kGroups) {
    factors.b = rows.panel + first / kGroups * layout_.TileSize() + term.panel_step * kColumns;
    factors.groups = std::min(kGroups, rows.column_groups - first);
    factors.c = c + first * kGroup;
    multiply_(factors);
  }
}

void PackedWeights::Sums(const ProductRows& rows, std::int32_t* few, std::int32_t* sums) const {
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    const bool plain = terms_[i].shift == 0;
    Multiply(rows, terms_[i], plain && i > 0, plain ? sums : few);
    if (plain) continue;
    AtSelectedLevel<MultiplyTable>().add(few, terms_[i].shift, sums, Rows(rows.count) * kPitch);
  }
  if (digit_) digit_->Add(rows, rows.group * rows_ + rows.first, layout_.TileSize(), sums);
  for (std::size_t first = 0; sparse_ && first < rows.column_groups; first += kGroups) {
    sparse_->Add(rows.group * rows_ + rows.first, rows.count,
                 rows.panel + first / kGroups * layout_.TileSize(),
                 std::min(kGroups, rows.column_groups - first), sums + first * kGroup, kPitch);
  }
}

void PackedWeights::Sums(const ProductRows& rows, std::int32_t* few, std::int64_t* sums) const {
  const std::size_t size = Rows(rows.count) * kPitch;
  std::fill_n(sums, size, 0);
  for (const Term& term : terms_) {
    Multiply(rows, term, false, few);
    AtSelectedLevel<MultiplyTable>().widen(few, term.shift, sums, size);
  }
}

}  // namespace qonnx_tools
