#include "integer/log_weights.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/level.h"
#include "kernels/log_panel.h"
#include "kernels/lookup.h"
#include "kernels/tiles.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kWidth = WidthOf(Units::kBytes);
constexpr std::size_t kStepBytes = kColumns * kWidth;
constexpr std::size_t kDeepest = 1 << 15;  // so that 32 bits hold the sums of one shift
constexpr int kRareOctaves = 16;           // below the largest: few codes are so small
constexpr std::size_t kMostChunks = 255;   // of a plane
// Of the units: where more are filled, it is faster to multiply all.
constexpr double kMostFilled = 0.45;
constexpr double kMostFilledTiles = 0.1;

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

bool IsZero(const std::vector<std::int8_t>& digits) {
  return std::all_of(digits.begin(), digits.end(), [](std::int8_t digit) { return digit == 0; });
}

// The lowest of the digits of `value`, which is left without it.
std::int8_t TakeDigit(std::int64_t& value) {
  const auto digit = static_cast<std::int8_t>(value);
  value = (value - digit) >> 8;
  return digit;
}

}  // namespace

// Of a product of codes one plane alone has both, but for the offset of signed codes.
bool LogWeights::Take(const LogPlanes& planes, const WeightMatrix& codes, Carrier x) {
  const std::size_t planes_a_code = planes.Unit().x_signed ? planes.Count() : 1;
  return AtSelectedLevel<MultiplyTable>().signed_by_unsigned != nullptr && SizeOf(x) == 1 &&
         codes.depth * planes_a_code <= kDeepest;
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
  chunk_steps_ = Ceil(Ceil(plane_steps_, kTileSteps), kMostChunks) * kTileSteps;
  AddTerms(ordered);
  Merge();
  MergeSparse();
  for (std::size_t plane = 0; plane < planes_->Count(); ++plane) {
    tables_.push_back({planes_->PackedTable(plane), 0, IsRare(plane)});
    leaves_out_ |= IsRare(plane);
  }
  for (const auto* const terms : {&terms_, &sparse_terms_}) {
    for (const Term& term : *terms) {
      for (std::size_t i = 0; i < term.digits.size(); ++i) {
        if (IsZero(term.digits[i])) continue;
        Table& table = tables_[term.plane + i];
        table.largest_code = std::max(table.largest_code, term.largest_code);
        table.by_chunk &= terms == &terms_;
      }
    }
  }
  std::stable_sort(terms_.begin(), terms_.end(),
                   [](const Term& a, const Term& b) { return a.shift > b.shift; });
  for (Term& term : terms_) Pack(term, ordered);
  for (Term& term : sparse_terms_) PackSparse(term, ordered);
}

bool LogWeights::IsRare(std::size_t plane) const {
  const LogUnit& unit = planes_->Unit();
  return !unit.x_signed &&
         planes_->LargestCode(plane) <= unit.LargestX() - kRareOctaves * unit.steps;
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

std::vector<std::int64_t> LogWeights::WeightsOf(std::size_t plane,
                                                const std::vector<bool>& there) const {
  const int largest = planes_->Unit().LargestWeight();
  std::vector<std::int64_t> weights;
  for (std::size_t row = 0; row < ChannelRows(); ++row) {
    for (int code = -largest; code <= largest; ++code) {
      const bool counts = there[static_cast<std::size_t>(code + largest)];
      weights.push_back(counts ? planes_->Weight(plane, code, row == 1) : 0);
    }
  }
  return weights;
}

// Terms of all digits that are not 0 everywhere. Planes of the same octaves have the same shifts,
// so that their terms can be merged.
void LogWeights::AddTerms(const WeightMatrix& ordered) {
  const int largest = planes_->Unit().LargestWeight();
  std::vector<bool> there(static_cast<std::size_t>(2 * largest + 1));
  for (const std::int64_t code : ordered.values) {
    there[static_cast<std::size_t>(code + largest)] = true;
  }
  const std::size_t count = planes_->Count();
  for (std::size_t plane = 0; plane < count;) {
    const std::size_t first = plane;
    std::vector<std::vector<std::int64_t>> weights;
    std::uint64_t bits = 0;
    for (; plane < count && planes_->AreAlike(first, plane); ++plane) {
      weights.push_back(WeightsOf(plane, there));
      for (const std::int64_t weight : weights.back()) {
        bits |= static_cast<std::uint64_t>(std::abs(weight));
      }
    }
    const int shift = bits == 0 ? 0 : std::countr_zero(bits);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      for (std::int64_t& weight : weights[i]) weight >>= shift;
      AddDigits(first + i, std::move(weights[i]), shift, ordered);
    }
  }
}

void LogWeights::AddDigits(std::size_t plane, std::vector<std::int64_t> weights, int shift,
                           const WeightMatrix& ordered) {
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

// Terms of neighbouring planes that have the same shift become one, unless chunks are left out.
void LogWeights::Merge() {
  std::vector<Term> merged;
  for (Term& term : terms_) {
    const auto before = std::find_if(merged.begin(), merged.end(), [&](const Term& other) {
      return !IsRare(term.plane) && other.shift == term.shift &&
             other.plane + other.digits.size() == term.plane;
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

// Sparse terms of the same shift become one, of all planes that lie between theirs, too.
void LogWeights::MergeSparse() {
  std::vector<Term> merged;
  for (Term& term : sparse_terms_) {
    const auto before = std::find_if(merged.begin(), merged.end(), [&](const Term& other) {
      return other.shift == term.shift && IsRare(other.plane) == IsRare(term.plane);
    });
    if (before == merged.end()) {
      merged.push_back(std::move(term));
      continue;
    }
    const Digits none(term.digits[0].size());
    before->digits.resize(term.plane - before->plane, none);
    before->digits.push_back(std::move(term.digits[0]));
    before->largest_code = std::max(before->largest_code, term.largest_code);
  }
  sparse_terms_ = std::move(merged);
}

void LogWeights::PackSparse(Term& term, const WeightMatrix& ordered) {
  term.begin = begins_.size();
  for (std::size_t row = 0; row < all_rows_; ++row) {
    begins_.push_back(static_cast<std::uint32_t>(sparse_units_.size()));
    for (std::size_t step = 0; step < term.digits.size() * plane_steps_; ++step) {
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

// [plane][step][column], what tiles read beyond, and a row of columns that holds bytes: the
// smallest code that is not 0, of all and of each chunk of steps.
std::size_t LogWeights::TileSize() const {
  return (tables_.size() * plane_steps_ + (tiles_ ? kTileSteps : 1)) * kColumns;
}

const std::uint8_t* LogWeights::Smallest(const std::int32_t* tile) const {
  return reinterpret_cast<const std::uint8_t*>(tile + TileSize() - kColumns);
}

void LogWeights::Expand(std::int32_t* codes, std::size_t columns, std::int32_t* panel) const {
  const std::size_t size = plane_steps_ * kColumns;
  const std::size_t tiles = Ceil(columns, kColumns);
  if (columns % kColumns != 0) {  // so that no chunk looks filled that is not
    std::int32_t zero;
    std::memset(&zero, planes_->PackedZero(), sizeof(zero));
    std::int32_t* const last = codes + (tiles - 1) * size;
    for (std::size_t step = 0; step < plane_steps_; ++step) {
      std::fill(last + step * kColumns + columns % kColumns, last + (step + 1) * kColumns, zero);
    }
  }
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    ExpandTile(codes + tile * size, panel + tile * TileSize());
  }
}

void LogWeights::ExpandTile(const std::int32_t* codes, std::int32_t* tile) const {
  const LogUnit& unit = planes_->Unit();
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(codes);
  auto* const smallest = reinterpret_cast<std::uint8_t*>(tile + TileSize() - kColumns);
  std::size_t chunks = 0;
  for (std::size_t step = 0; step < plane_steps_; step += chunk_steps_) {
    const std::size_t steps = std::min(chunk_steps_, plane_steps_ - step);
    std::uint8_t& least = smallest[++chunks];
    least = 0;
    if (!leaves_out_) continue;
    least = AtSelectedLevel<LogPanelTable>().smallest(bytes + step * kStepBytes, steps * kStepBytes,
                                                      planes_->PackedZero());
    // Codes beyond the format count as its largest.
    if (least < 255) least = static_cast<std::uint8_t>(std::min(least + 1, unit.LargestX()));
  }
  smallest[0] = *std::min_element(smallest + 1, smallest + 1 + chunks);
  ExpandSteps(bytes, {0, plane_steps_}, smallest[0], false, tile);
  for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
    const std::size_t step = chunk * chunk_steps_;
    ExpandSteps(bytes, {step, std::min(chunk_steps_, plane_steps_ - step)}, smallest[1 + chunk],
                true, tile);
  }
}

// Of the planes that are expanded by chunk, or of the others, unless all their codes are below
// `smallest`.
void LogWeights::ExpandSteps(const std::uint8_t* codes, const Steps& steps, int smallest,
                             bool by_chunk, std::int32_t* tile) const {
  constexpr std::size_t kTogether = 16;
  const std::uint8_t* tables[kTogether];
  std::uint8_t* planes[kTogether];
  LogExpansion expansion = {};
  expansion.codes = codes + steps.first * kStepBytes;
  expansion.count = steps.count * kStepBytes;
  const int zero = planes_->PackedZero();
  const int largest = planes_->Unit().LargestX();
  expansion.low =
      static_cast<std::uint8_t>(std::max(0, planes_->Unit().x_signed ? zero - largest : zero));
  expansion.high = static_cast<std::uint8_t>(std::min(255, zero + largest));
  expansion.tables = tables;
  expansion.planes = planes;
  const bool small = expansion.high - expansion.low < static_cast<int>(kLogEntries);
  for (std::size_t plane = 0; plane < tables_.size(); ++plane) {
    const Table& table = tables_[plane];
    auto* const to =
        reinterpret_cast<std::uint8_t*>(tile) + (plane * plane_steps_ + steps.first) * kStepBytes;
    if (table.by_chunk == by_chunk && table.largest_code >= smallest) {
      if (small) {
        tables[expansion.plane_count] = &table.bytes[expansion.low];
        planes[expansion.plane_count++] = to;
      } else {
        AtSelectedLevel<LookupTable>().bytes[0](table.bytes.data(), expansion.codes, to,
                                                expansion.count);
      }
    }
    const bool last = plane + 1 == tables_.size();
    if (expansion.plane_count == kTogether || (last && expansion.plane_count > 0)) {
      AtSelectedLevel<LogPanelTable>().expand(expansion);
      expansion.plane_count = 0;
    }
  }
}

void LogWeights::Multiply(const ProductRows& rows, const Term& term, bool begun,
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
    const bool by_chunk = tables_[term.plane].by_chunk;
    const std::size_t most = by_chunk ? chunk_steps_ : term.steps;
    const std::uint8_t* smallest = Smallest(tile) + (by_chunk ? 1 : 0);
    for (std::size_t step = 0; step < term.steps; step += most, ++smallest) {
      if (*smallest > term.largest_code) continue;
      factors.a = a + step * a_step;
      factors.b = tile + (term.plane * plane_steps_ + step) * kColumns;
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
void LogWeights::AddSparse(const ProductRows& rows, Sum* sums,
                           void (*add)(const SparseProducts<Sum>& products)) const {
  for (std::size_t first = 0; first < rows.column_groups; first += kGroups) {
    const std::int32_t* const tile = rows.panel + first / kGroups * TileSize();
    for (const Term& term : sparse_terms_) {
      if (Smallest(tile)[0] > term.largest_code) continue;
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
    for (std::size_t row = 0; row < rows.count; ++row) {
      AtSelectedLevel<LogPanelTable>().shift_left(sums + row * kPitch, terms_[i].shift - next,
                                                  rows.column_groups * kGroup);
    }
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
