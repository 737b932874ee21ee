#include "integer/log_weights.h"

#include <algorithm>

#include "core/level.h"
#include "kernels/tiles.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kWidth = WidthOf(Units::kBytes);
constexpr std::size_t kDeepest = 1 << 15;  // so that 32 bits hold the sums of one shift
// Of the units: where more are filled, it is faster to multiply all.
constexpr double kMostFilled = 0.45;
constexpr double kMostFilledTiles = 0.1;

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

// Of a product of codes one plane alone has both, but for the offset of signed codes.
bool LogWeights::Take(const LogPlanes& planes, const WeightMatrix& codes, Carrier x) {
  const std::size_t planes_a_code = planes.Unit().x_signed ? planes.Count() : 1;
  return AtSelectedLevel<MultiplyTable>().signed_by_unsigned != nullptr && SizeOf(x) == 1 &&
         codes.depth * planes_a_code <= kDeepest;
}

LogWeights::LogWeights(const LogPlanes& planes, const WeightMatrix& codes, std::size_t groups,
                       std::size_t taps)
    : LogWeights(planes, InUnits(codes, taps, kWidth), groups) {}

LogWeights::LogWeights(const LogPlanes& planes, const WeightMatrix& ordered, std::size_t groups)
    : LogWeights(planes, LogTerms(planes, ordered, HasTiles() ? kMostFilledTiles : kMostFilled),
                 groups) {}

LogWeights::LogWeights(const LogPlanes& planes, const LogTerms& terms, std::size_t groups)
    : rows_(terms.Rows() / groups), panel_(planes, terms, tiles_ ? kTileSteps - 1 : 0) {
  layout_.planes = {Units::kBytes};
  layout_.used_steps = layout_.steps = terms.PlaneSteps();
  for (std::size_t i = 0; i < terms.Dense().size(); ++i) AddDense(terms, i);
  for (const LogTerm& term : terms.Sparse()) AddSparse(terms, term);
}

void LogWeights::AddDense(const LogTerms& terms, std::size_t index) {
  const LogTerm& term = terms.Dense()[index];
  const std::size_t grain = tiles_ ? kTileSteps : 1;
  const std::size_t steps = Ceil(terms.Steps(term), grain) * grain;
  dense_.push_back({units_.size(), term.plane * terms.PlaneSteps(), steps, term.shift,
                    term.largest_code, panel_.IsByChunk(term.plane)});
  for (std::size_t i = 0; i < index; ++i) {  // of other octaves the weights may be the same
    if (terms.Dense()[i].digits == term.digits) {
      dense_.back().begin = dense_[i].begin;
      return;
    }
  }
  Pack(terms, term, steps);
}

void LogWeights::Pack(const LogTerms& terms, const LogTerm& term, std::size_t steps) {
  const std::size_t part = tiles_ ? kTileRows : kRows;  // rows that lie together
  for (std::size_t group = 0; group < terms.Rows(); group += rows_) {
    for (std::size_t first = 0; first < rows_; first += part) {
      const std::size_t there = std::min(part, rows_ - first);
      const auto push = [&](std::size_t row, std::size_t step) {
        units_.push_back(row < there ? terms.UnitAt(term, group + first + row, step) : 0);
      };
      if (!tiles_) {
        for (std::size_t step = 0; step < steps; ++step) {
          for (std::size_t row = 0; row < there; ++row) push(row, step);
        }
        continue;
      }
      for (std::size_t step = 0; step < steps; step += kTileSteps) {
        for (std::size_t row = 0; row < kTileRows; ++row) {
          for (std::size_t i = 0; i < kTileSteps; ++i) push(row, step + i);
        }
      }
    }
  }
}

void LogWeights::AddSparse(const LogTerms& terms, const LogTerm& term) {
  sparse_.push_back({begins_.size(), term.shift, term.largest_code});
  for (std::size_t row = 0; row < terms.Rows(); ++row) {
    begins_.push_back(static_cast<std::uint32_t>(sparse_units_.size()));
    for (std::size_t step = 0; step < terms.Steps(term); ++step) {
      const std::int32_t unit = terms.UnitAt(term, row, step);
      const std::size_t in_panel = term.plane * terms.PlaneSteps() + step;
      if (unit != 0) sparse_units_.push_back({static_cast<std::uint32_t>(in_panel), unit});
    }
  }
  begins_.push_back(static_cast<std::uint32_t>(sparse_units_.size()));
}

void LogWeights::Multiply(const ProductRows& rows, const DenseTerm& term, bool begun,
                          std::int32_t* sums) const {
  Factors factors = {};
  factors.a_row = tiles_ ? kTileRows * term.steps : 1;
  factors.a_step = rows.count;
  factors.rows = Rows(rows.count);
  factors.b_step = kColumns;
  factors.c_row = kPitch;
  const std::size_t a_step = tiles_ ? kTileRows : rows.count;  // from step to step, on the whole
  const std::int32_t* const a =
      &units_[term.begin + (rows.group * Rows(rows_) + rows.first) * term.steps];
  const auto multiply = tiles_ ? AtSelectedLevel<TileTable>().multiply
                               : AtSelectedLevel<MultiplyTable>().signed_by_unsigned;
  for (std::size_t first = 0; first < rows.column_groups; first += kGroups) {
    const std::int32_t* const tile = rows.panel + first / kGroups * TileSize();
    factors.groups = std::min(kGroups, rows.column_groups - first);
    factors.c = sums + first * kGroup;
    factors.accumulate = begun;
    const std::size_t most = term.by_chunk ? panel_.ChunkSteps() : term.steps;
    const std::uint8_t* smallest = panel_.Smallest(tile) + (term.by_chunk ? 1 : 0);
    for (std::size_t step = 0; step < term.steps; step += most, ++smallest) {
      if (*smallest > term.largest_code) continue;
      factors.a = a + step * a_step;
      factors.b = tile + (term.panel_step + step) * kColumns;
      factors.steps = std::min(most, term.steps - step);
      multiply(factors);
      factors.accumulate = true;
    }
    if (factors.accumulate) continue;
    for (std::size_t row = 0; row < factors.rows; ++row) {
      std::fill_n(factors.c + row * kPitch, factors.groups * kGroup, 0);
    }
  }
}

template <typename Sum>
void LogWeights::MultiplySparse(const ProductRows& rows, Sum* sums,
                                void (*add)(const SparseProducts<Sum>& products)) const {
  for (std::size_t first = 0; first < rows.column_groups; first += kGroups) {
    const std::int32_t* const tile = rows.panel + first / kGroups * TileSize();
    for (const SparseTerm& term : sparse_) {
      if (panel_.Smallest(tile)[0] > term.largest_code) continue;
      add({.units = sparse_units_.data(),
           .begins = &begins_[term.begin + rows.group * rows_ + rows.first],
           .rows = rows.count,
           .b = tile,
           .b_step = kColumns,
           .groups = std::min(kGroups, rows.column_groups - first),
           .shift = term.shift,
           .sums = sums + first * kGroup,
           .sums_row = kPitch});
    }
  }
}

void LogWeights::Sums(const ProductRows& rows, std::int32_t*, std::int32_t* sums) const {
  const std::size_t size = Rows(rows.count) * kPitch;
  if (dense_.empty()) std::fill_n(sums, size, 0);
  for (std::size_t i = 0; i < dense_.size(); ++i) {
    Multiply(rows, dense_[i], i > 0, sums);
    const int next = i + 1 < dense_.size() ? dense_[i + 1].shift : 0;
    if (next == dense_[i].shift) continue;
    for (std::size_t row = 0; row < rows.count; ++row) {
      AtSelectedLevel<LogPanelTable>().shift_left(sums + row * kPitch, dense_[i].shift - next,
                                                  rows.column_groups * kGroup);
    }
  }
  MultiplySparse(rows, sums, AtSelectedLevel<LogPanelTable>().add_sparse);
}

void LogWeights::Sums(const ProductRows& rows, std::int32_t* few, std::int64_t* sums) const {
  const std::size_t size = Rows(rows.count) * kPitch;
  std::fill_n(sums, size, 0);
  bool begun = false;
  for (std::size_t i = 0; i < dense_.size(); ++i) {
    Multiply(rows, dense_[i], begun, few);
    begun = i + 1 < dense_.size() && dense_[i + 1].shift == dense_[i].shift;
    if (!begun) AtSelectedLevel<MultiplyTable>().widen(few, dense_[i].shift, sums, size);
  }
  MultiplySparse(rows, sums, AtSelectedLevel<LogPanelTable>().widen_sparse);
}

}  // namespace qonnx_tools
