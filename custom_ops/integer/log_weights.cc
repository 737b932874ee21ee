#include "integer/log_weights.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "core/level.h"
#include "kernels/log_panel.h"
#include "kernels/lookup.h"
#include "kernels/tiles.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kWidth = WidthOf(Units::kBytes);
constexpr std::size_t kDeepest = 1 << 14;  // so that 32 bits hold the sums of one shift
// Of the units: where more are filled, it is faster to multiply all.
constexpr double kMostFilled = 0.45;
constexpr double kMostFilledTiles = 0.1;

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// The lowest of the digits of `value`, which is left without it.
std::int8_t TakeDigit(std::int64_t& value) {
  const auto digit = static_cast<std::int8_t>(value);
  value = (value - digit) >> 8;
  return digit;
}

}  // namespace

bool LogWeights::Take(const WeightMatrix& codes, Carrier x) {
  return AtSelectedLevel<MultiplyTable>().signed_by_unsigned != nullptr && SizeOf(x) == 1 &&
         codes.depth <= kDeepest;
}

LogWeights::LogWeights(std::unique_ptr<LogPlanes> planes, const WeightMatrix& codes,
                       std::size_t groups, std::size_t taps)
    : planes_(std::move(planes)),
      rows_(codes.rows / groups * ChannelRows()),
      all_rows_(codes.rows * ChannelRows()) {
  const WeightMatrix ordered = InUnits(codes, taps, kWidth);
  plane_steps_ = ordered.depth / kWidth;
  layout_.planes = {Units::kBytes};
  layout_.used_steps = layout_.steps = plane_steps_;
  for (std::size_t plane = 0; plane < planes_->Count(); ++plane) {
    tables_.push_back(planes_->PackedTable(plane));
    AddTerms(plane, ordered);
  }
  Merge();
  largest_codes_.resize(planes_->Count());
  for (const auto* const terms : {&terms_, &sparse_terms_}) {
    for (const Term& term : *terms) {
      for (std::size_t i = 0; i < term.digits.size(); ++i) {
        int& largest = largest_codes_[term.plane + i];
        largest = std::max(largest, term.largest_code);
      }
    }
  }
  std::stable_sort(terms_.begin(), terms_.end(),
                   [](const Term& a, const Term& b) { return a.shift > b.shift; });
  for (Term& term : terms_) Pack(term, ordered);
  for (Term& term : sparse_terms_) PackSparse(term, ordered);
}

std::int8_t LogWeights::DigitAt(const Digits& digits, std::size_t row, std::int64_t code) const {
  const int largest = planes_->Unit().LargestWeight();
  const std::size_t codes = static_cast<std::size_t>(2 * largest + 1);
  return digits[row % ChannelRows() * codes + static_cast<std::size_t>(code + largest)];
}

std::int32_t LogWeights::UnitAt(const Term& term, const WeightMatrix& ordered, std::size_t row,
                                std::size_t step) const {
  const std::size_t plane = step / plane_steps_;
  if (row >= all_rows_ || plane >= term.digits.size()) return 0;
  const std::int64_t* const codes =
      &ordered.values[row / ChannelRows() * ordered.depth + step % plane_steps_ * kWidth];
  std::uint32_t unit = 0;
  for (std::size_t i = 0; i < kWidth; ++i) {
    const auto digit = static_cast<std::uint8_t>(DigitAt(term.digits[plane], row, codes[i]));
    unit |= static_cast<std::uint32_t>(digit) << (8 * i);
  }
  return static_cast<std::int32_t>(unit);
}

// Of all digits of the weights of a plane that are not 0 everywhere.
void LogWeights::AddTerms(std::size_t plane, const WeightMatrix& ordered) {
  const int largest = planes_->Unit().LargestWeight();
  std::vector<bool> there(static_cast<std::size_t>(2 * largest + 1));
  for (const std::int64_t code : ordered.values) {
    there[static_cast<std::size_t>(code + largest)] = true;
  }
  std::vector<std::int64_t> weights;
  std::uint64_t bits = 0;
  for (std::size_t row = 0; row < ChannelRows(); ++row) {
    for (int code = -largest; code <= largest; ++code) {
      const bool counts = there[static_cast<std::size_t>(code + largest)];
      weights.push_back(counts ? planes_->Weight(plane, code, row == 1) : 0);
      bits |= static_cast<std::uint64_t>(std::abs(weights.back()));
    }
  }
  if (bits == 0) return;
  int shift = std::countr_zero(bits);
  for (std::int64_t& weight : weights) weight >>= shift;
  const auto left = [&] {
    return std::any_of(weights.begin(), weights.end(), [](std::int64_t w) { return w != 0; });
  };
  for (; left(); shift += 8) {
    Digits digits;
    for (std::int64_t& weight : weights) digits.push_back(TakeDigit(weight));
    Term term = {plane, {std::move(digits)}, shift, planes_->LargestCode(plane), 0, 0};
    (IsSparse(term, ordered) ? sparse_terms_ : terms_).push_back(std::move(term));
  }
}

bool LogWeights::IsSparse(const Term& term, const WeightMatrix& ordered) const {
  std::size_t filled = 0;
  for (std::size_t row = 0; row < all_rows_; ++row) {
    for (std::size_t step = 0; step < plane_steps_; ++step) {
      filled += UnitAt(term, ordered, row, step) != 0 ? 1 : 0;
    }
  }
  const double most = tiles_ ? kMostFilledTiles : kMostFilled;
  return static_cast<double>(filled) < most * static_cast<double>(all_rows_ * plane_steps_);
}

// Terms of neighbouring planes that have the same shift become one.
void LogWeights::Merge() {
  std::vector<Term> merged;
  for (Term& term : terms_) {
    const auto before = std::find_if(merged.begin(), merged.end(), [&](const Term& other) {
      return other.shift == term.shift && other.plane + other.digits.size() == term.plane;
    });
    if (before == merged.end()) {
      merged.push_back(std::move(term));
    } else {
      before->digits.push_back(std::move(term.digits[0]));
      before->largest_code = std::max(before->largest_code, term.largest_code);
    }
  }
  terms_ = std::move(merged);
}

void LogWeights::Pack(Term& term, const WeightMatrix& ordered) {
  const std::size_t grain = tiles_ ? kTileSteps : 1;
  term.steps = Ceil(term.digits.size() * plane_steps_, grain) * grain;
  for (const Term& other : terms_) {
    if (&other == &term) break;
    if (other.digits == term.digits) {
      term.begin = other.begin;
      return;
    }
  }
  term.begin = units_.size();
  const std::size_t part = tiles_ ? kTileRows : kRows;  // rows that lie together
  for (std::size_t group = 0; group < all_rows_; group += rows_) {
    for (std::size_t first = 0; first < rows_; first += part) {
      const std::size_t there = std::min(part, rows_ - first);
      const auto push = [&](std::size_t row, std::size_t step) {
        units_.push_back(row < there ? UnitAt(term, ordered, group + first + row, step) : 0);
      };
      if (!tiles_) {
        for (std::size_t step = 0; step < term.steps; ++step) {
          for (std::size_t row = 0; row < there; ++row) push(row, step);
        }
        continue;
      }
      for (std::size_t step = 0; step < term.steps; step += kTileSteps) {
        for (std::size_t row = 0; row < kTileRows; ++row) {
          for (std::size_t i = 0; i < kTileSteps; ++i) push(row, step + i);
        }
      }
    }
  }
}

void LogWeights::PackSparse(Term& term, const WeightMatrix& ordered) {
  term.begin = begins_.size();
  for (std::size_t row = 0; row < all_rows_; ++row) {
    begins_.push_back(static_cast<std::uint32_t>(sparse_units_.size()));
    for (std::size_t step = 0; step < plane_steps_; ++step) {
      const std::int32_t unit = UnitAt(term, ordered, row, step);
      if (unit != 0) {
        const std::size_t in_panel = term.plane * plane_steps_ + step;
        sparse_units_.push_back({static_cast<std::uint32_t>(in_panel), unit});
      }
    }
  }
  begins_.push_back(static_cast<std::uint32_t>(sparse_units_.size()));
}

std::vector<std::int64_t> LogWeights::Corrections(const WeightMatrix& codes) const {
  std::vector<std::int64_t> corrections(all_rows_);
  if (!planes_->Unit().x_signed) return corrections;
  for (std::size_t row = 0; row < all_rows_; ++row) {
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < codes.depth; ++k) {
      const std::int64_t code = codes.values[row / ChannelRows() * codes.depth + k];
      for (std::size_t plane = 0; plane < planes_->Count(); ++plane) {
        sum += static_cast<std::uint64_t>(planes_->Weight(plane, code, row % ChannelRows() == 1));
      }
    }
    corrections[row] = static_cast<std::int64_t>(0 - 128 * sum);
  }
  return corrections;
}

// [plane][step][column], what tiles read beyond, and a row of columns of which the last is the
// smallest code that is not 0.
std::size_t LogWeights::TileSize() const {
  return (tables_.size() * plane_steps_ + (tiles_ ? kTileSteps : 1)) * kColumns;
}

void LogWeights::Expand(const std::int32_t* codes, std::size_t tiles, std::int32_t* panel) const {
  const std::size_t size = plane_steps_ * kColumns;
  const auto& lookup = AtSelectedLevel<LookupTable>();
  const auto& log = AtSelectedLevel<LogPanelTable>();
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    const std::int32_t* const from = codes + tile * size;
    std::int32_t* const to = panel + tile * TileSize();
    int smallest = 0;
    if (!planes_->Unit().x_signed) {
      smallest = log.smallest(reinterpret_cast<const std::uint8_t*>(from), size * kWidth,
                              planes_->PackedZero());
      // Codes beyond the format count as its largest.
      if (smallest <= 255) smallest = std::min(smallest, planes_->Unit().LargestX());
    }
    for (std::size_t plane = 0; plane < tables_.size(); ++plane) {
      if (largest_codes_[plane] < smallest) continue;
      lookup.bytes[0](tables_[plane].data(), from, to + plane * size, size * kWidth);
    }
    to[TileSize() - 1] = smallest;
  }
}

void LogWeights::Multiply(const ProductRows& rows, const Term& term, bool begun,
                          std::int32_t* sums) const {
  Factors factors = {};
  factors.a = &units_[term.begin + (rows.group * Rows(rows_) + rows.first) * term.steps];
  factors.a_step = rows.count;
  factors.a_row = tiles_ ? kTileRows * term.steps : 1;
  factors.rows = Rows(rows.count);
  factors.b_step = kColumns;
  factors.steps = term.steps;
  factors.c_row = kPitch;
  factors.accumulate = begun;
  const auto multiply = tiles_ ? AtSelectedLevel<TileTable>().multiply
                               : AtSelectedLevel<MultiplyTable>().signed_by_unsigned;
  for (std::size_t first = 0; first < rows.column_groups; first += kGroups) {
    const std::int32_t* const tile = rows.panel + first / kGroups * TileSize();
    factors.b = tile + term.plane * plane_steps_ * kColumns;
    factors.groups = std::min(kGroups, rows.column_groups - first);
    factors.c = sums + first * kGroup;
    if (!IsEmpty(tile, term)) {
      multiply(factors);
    } else if (!begun) {
      for (std::size_t row = 0; row < factors.rows; ++row) {
        std::fill_n(factors.c + row * kPitch, factors.groups * kGroup, 0);
      }
    }
  }
}

template <typename Sum>
void LogWeights::AddSparse(const ProductRows& rows, Sum* sums,
                           void (*add)(const SparseProducts<Sum>& products)) const {
  for (std::size_t first = 0; first < rows.column_groups; first += kGroups) {
    const std::int32_t* const tile = rows.panel + first / kGroups * TileSize();
    for (const Term& term : sparse_terms_) {
      if (IsEmpty(tile, term)) continue;
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
  if (terms_.empty()) std::fill_n(sums, size, 0);
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    Multiply(rows, terms_[i], i > 0, sums);
    const int next = i + 1 < terms_.size() ? terms_[i + 1].shift : 0;
    if (next == terms_[i].shift) continue;
    AtSelectedLevel<LogPanelTable>().shift_left(sums, terms_[i].shift - next, size);
  }
  AddSparse(rows, sums, AtSelectedLevel<LogPanelTable>().add_sparse);
}

void LogWeights::Sums(const ProductRows& rows, std::int32_t* few, std::int64_t* sums) const {
  const std::size_t size = Rows(rows.count) * kPitch;
  std::fill_n(sums, size, 0);
  bool begun = false;
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    Multiply(rows, terms_[i], begun, few);
    begun = i + 1 < terms_.size() && terms_[i + 1].shift == terms_[i].shift;
    if (!begun) AtSelectedLevel<MultiplyTable>().widen(few, terms_[i].shift, sums, size);
  }
  AddSparse(rows, sums, AtSelectedLevel<LogPanelTable>().widen_sparse);
}

}  // namespace qonnx_tools
