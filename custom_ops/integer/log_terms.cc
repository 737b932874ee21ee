#include "integer/log_terms.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

namespace qonnx_tools {
namespace {

constexpr std::size_t kWidth = WidthOf(Units::kBytes);
constexpr int kDigit = 8;  // bits

// The lowest of the digits of `value`, which is left without it.
std::int8_t TakeDigit(std::int64_t& value) {
  const auto digit = static_cast<std::int8_t>(value);
  value = (value - digit) >> kDigit;
  return digit;
}

// Adds the planes of `next`, which come after those of `term`.
void Append(LogTerm& term, LogTerm&& next) {
  const LogTerm::Digits none(next.digits[0].size());
  term.digits.resize(next.plane - term.plane, none);
  term.digits.push_back(std::move(next.digits[0]));
  term.largest_code = std::max(term.largest_code, next.largest_code);
}

}  // namespace

// Planes of the same octaves begin at the same shift, so that their terms can be merged.
LogTerms::LogTerms(const LogPlanes& planes, const WeightMatrix& ordered, double most_filled)
    : planes_(planes),
      ordered_(ordered),
      channel_rows_(static_cast<std::size_t>(planes.Unit().steps)) {
  const int largest = planes.Unit().LargestWeight();
  std::vector<bool> there(static_cast<std::size_t>(2 * largest + 1));
  for (const std::int64_t code : ordered.values) {
    there[static_cast<std::size_t>(code + largest)] = true;
  }
  for (std::size_t plane = 0; plane < planes.Count();) {
    const std::size_t first = plane;
    std::vector<std::vector<std::int64_t>> weights;
    std::uint64_t bits = 0;
    for (; plane < planes.Count() && planes.AreAlike(first, plane); ++plane) {
      weights.push_back(WeightsOf(plane, there));
      for (const std::int64_t weight : weights.back()) {
        bits |= static_cast<std::uint64_t>(std::abs(weight));
      }
    }
    const int shift = bits == 0 ? 0 : std::countr_zero(bits);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      AddDigits(first + i, std::move(weights[i]), shift, most_filled);
    }
  }
  MergeDense();
  MergeSparse();
}

// Of the codes that are there, the weights by the row of a channel and the code; 0 of others.
std::vector<std::int64_t> LogTerms::WeightsOf(std::size_t plane,
                                              const std::vector<bool>& there) const {
  const int largest = planes_.Unit().LargestWeight();
  std::vector<std::int64_t> weights;
  for (std::size_t row = 0; row < channel_rows_; ++row) {
    for (int code = -largest; code <= largest; ++code) {
      const bool counts = there[static_cast<std::size_t>(code + largest)];
      weights.push_back(counts ? planes_.Weight(plane, code, row == 1) : 0);
    }
  }
  return weights;
}

// `weights` are multiples of 2^shift.
void LogTerms::AddDigits(std::size_t plane, std::vector<std::int64_t> weights, int shift,
                         double most_filled) {
  for (std::int64_t& weight : weights) weight >>= shift;
  const auto left = [&] {
    return std::any_of(weights.begin(), weights.end(), [](std::int64_t w) { return w != 0; });
  };
  for (; left(); shift += kDigit) {
    LogTerm::Digits digits;
    for (std::int64_t& weight : weights) digits.push_back(TakeDigit(weight));
    LogTerm term = {plane, {std::move(digits)}, shift, planes_.LargestCode(plane)};
    (IsSparse(term, most_filled) ? sparse_ : dense_).push_back(std::move(term));
  }
}

std::int32_t LogTerms::UnitAt(const LogTerm& term, std::size_t row, std::size_t step) const {
  const std::size_t plane = step / PlaneSteps();
  if (plane >= term.digits.size()) return 0;
  const int largest = planes_.Unit().LargestWeight();
  const auto codes_a_row = static_cast<std::size_t>(2 * largest + 1);
  const std::int8_t* const digits =
      term.digits[plane].data() + row % channel_rows_ * codes_a_row + largest;
  const std::int64_t* const codes =
      &ordered_.values[row / channel_rows_ * ordered_.depth + step % PlaneSteps() * kWidth];
  std::uint32_t unit = 0;
  for (std::size_t i = 0; i < kWidth; ++i) {
    const auto digit = static_cast<std::uint8_t>(digits[codes[i]]);
    unit |= static_cast<std::uint32_t>(digit) << (8 * i);
  }
  return static_cast<std::int32_t>(unit);
}

bool LogTerms::IsSparse(const LogTerm& term, double most_filled) const {
  std::size_t filled = 0;
  for (std::size_t row = 0; row < Rows(); ++row) {
    for (std::size_t step = 0; step < PlaneSteps(); ++step) {
      filled += UnitAt(term, row, step) != 0 ? 1 : 0;
    }
  }
  return static_cast<double>(filled) < most_filled * static_cast<double>(Rows() * PlaneSteps());
}

// Neighbours of the same shift become one, unless chunks of them may be left out.
void LogTerms::MergeDense() {
  std::vector<LogTerm> merged;
  for (LogTerm& term : dense_) {
    const auto before = std::find_if(merged.begin(), merged.end(), [&](const LogTerm& other) {
      return !planes_.IsRare(term.plane) && other.shift == term.shift &&
             other.plane + other.digits.size() == term.plane;
    });
    if (before == merged.end()) {
      merged.push_back(std::move(term));
    } else {
      Append(*before, std::move(term));
    }
  }
  std::stable_sort(merged.begin(), merged.end(),
                   [](const LogTerm& a, const LogTerm& b) { return a.shift > b.shift; });
  dense_ = std::move(merged);
}

void LogTerms::MergeSparse() {
  std::vector<LogTerm> merged;
  for (LogTerm& term : sparse_) {
    const auto before = std::find_if(merged.begin(), merged.end(), [&](const LogTerm& other) {
      return other.shift == term.shift && planes_.IsRare(other.plane) == planes_.IsRare(term.plane);
    });
    if (before == merged.end()) {
      merged.push_back(std::move(term));
    } else {
      Append(*before, std::move(term));
    }
  }
  sparse_ = std::move(merged);
}

}  // namespace qonnx_tools
