#include "integer/ending.h"

#include <algorithm>
#include <type_traits>

#include "core/level.h"
#include "core/scratch.h"
#include "kernels/join.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kAtOnce = 4096;  // codes that wait for their sum, about
constexpr std::uint64_t kTwo31 = std::uint64_t{1} << 31;
constexpr std::uint64_t kTwo63 = std::uint64_t{1} << 63;

std::uint64_t Magnitude(std::int64_t value) {
  return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

bool ArePairs(const ChannelParameters& parameters, const std::vector<std::uint64_t>& bound) {
  return bound.size() == 2 * parameters.bias.size();
}

// What a row can be at most, with its bias, before it wraps.
std::vector<std::uint64_t> WithBias(const ChannelParameters& parameters,
                                    const std::vector<std::uint64_t>& bound) {
  std::vector<std::uint64_t> largest = bound;
  for (std::size_t row = 0; row < bound.size(); row += 2) {
    largest[row] = std::min(kTwo63, bound[row] + Magnitude(parameters.bias[row / 2]));
  }
  return largest;
}

Epilogue AfterJoining(const OutputFormat& format, int accumulator_bits,
                      const ChannelParameters& parameters,
                      const std::vector<std::uint64_t>& bound) {
  const std::uint64_t limit = std::uint64_t{1} << (accumulator_bits - 1);
  const std::vector<std::uint64_t> largest = WithBias(parameters, bound);
  const bool wraps = *std::max_element(largest.begin(), largest.end()) >= limit;
  ChannelParameters after = parameters;
  std::vector<std::uint64_t> joined(after.bias.size());
  for (std::size_t m = 0; m < joined.size(); ++m) {
    after.bias[m] = 0;
    const std::uint64_t even = wraps ? limit : largest[2 * m];
    const std::uint64_t odd = wraps ? limit : largest[2 * m + 1];
    // Beyond, the product with 46341 is modulo 2^64.
    joined[m] = std::max(even, odd) >= kTwo63 / 65536 ? kTwo63 : even + odd;
  }
  return {format, 64, after, joined, std::vector<std::int64_t>(joined.size())};
}

}  // namespace

Ending::Ending(const EndingTerms& terms, const std::vector<std::uint64_t>& bound,
               const std::vector<std::int64_t>& correction)
    : paired_(ArePairs(terms.channels, bound)),
      code_size_(SizeOf(terms.format.carrier)),
      sum_(terms.sum),
      epilogue_(paired_ ? AfterJoining(terms.format, terms.accumulator_bits, terms.channels, bound)
                        : Epilogue(terms.format, terms.accumulator_bits, terms.channels, bound,
                                   correction)) {
  if (!paired_) return;
  const ChannelParameters& parameters = terms.channels;
  const int accumulator_bits = terms.accumulator_bits;
  const std::vector<std::uint64_t> largest = WithBias(parameters, bound);
  const std::uint64_t most = *std::max_element(largest.begin(), largest.end());
  takes32_ = accumulator_bits <= 32 || most < kTwo31;
  unused32_ = std::max(0, 32 - accumulator_bits);
  unused64_ = 64 - accumulator_bits;
  addends_ = correction;
  for (std::size_t m = 0; m < parameters.bias.size(); ++m) {
    addends_[2 * m] = static_cast<std::int64_t>(static_cast<std::uint64_t>(correction[2 * m]) +
                                                static_cast<std::uint64_t>(parameters.bias[m]));
  }
}

// The accumulators of a channel from those of its rows, in the type that holds them.
void Ending::Join(std::size_t row, const std::int32_t* even, const std::int32_t* odd,
                  std::int32_t* joined, std::size_t count) const {
  AtSelectedLevel<JoinTable>().narrow({even, odd, addends_[row], addends_[row + 1], unused32_},
                                      joined, count);
}

void Ending::Join(std::size_t row, const std::int32_t* even, const std::int32_t* odd,
                  std::int64_t* joined, std::size_t count) const {
  AtSelectedLevel<JoinTable>().widening({even, odd, addends_[row], addends_[row + 1], unused32_},
                                        joined, count);
}

void Ending::Join(std::size_t row, const std::int64_t* even, const std::int64_t* odd,
                  std::int64_t* joined, std::size_t count) const {
  AtSelectedLevel<JoinTable>().wide({even, odd, addends_[row], addends_[row + 1], unused64_},
                                    joined, count);
}

template <typename Joined, typename Sum>
void Ending::PairedRows(std::size_t row, const AccumulatorRows<Sum>& rows) const {
  auto* const joined = ScratchOf<Joined>(ScratchUse::kJoined, rows.count);
  auto* y = static_cast<std::uint8_t*>(rows.y);
  for (std::size_t i = 0; i < rows.rows; i += 2, y += rows.y_pitch * code_size_) {
    const Sum* const even = rows.sums + i * rows.pitch;
    Join(row + i, even, even + rows.pitch, joined, rows.count);
    epilogue_.Row((row + i) / 2, joined, y, rows.count);
  }
}

template <typename Joined, typename Sum>
void Ending::PairedAcross(std::size_t row, const Sum* sums, void* y, std::size_t count) const {
  auto* const joined = ScratchOf<Joined>(ScratchUse::kJoined, count / 2);
  for (std::size_t i = 0; i < count; i += 2)
    Join(row + i, sums + i, sums + i + 1, joined + i / 2, 1);
  epilogue_.Across(row / 2, joined, y, count / 2);
}

void Ending::CodeRows(std::size_t row, const AccumulatorRows<std::int32_t>& rows) const {
  if (!paired_) return epilogue_.Rows(row, rows);
  if (epilogue_.Takes32()) return PairedRows<std::int32_t>(row, rows);
  PairedRows<std::int64_t>(row, rows);
}

void Ending::CodeRows(std::size_t row, const AccumulatorRows<std::int64_t>& rows) const {
  if (!paired_) return epilogue_.Rows(row, rows);
  PairedRows<std::int64_t>(row, rows);
}

// The codes of a few rows at a time, so that they are still in the cache when they are added.
template <typename Sum>
void Ending::SummedRows(std::size_t row, const AccumulatorRows<Sum>& rows,
                        const std::uint8_t* residual) const {
  if constexpr (std::is_same_v<Sum, std::int32_t>) {
    const NarrowSumParameters* const by = sum_->OfBytes();
    if (by != nullptr && !paired_ &&
        epilogue_.SummedRows(row, rows, {*by, residual}, sum_->YIsSigned())) {
      return;
    }
  }
  auto* const y = static_cast<std::uint8_t*>(rows.y);
  const std::size_t channels = rows.rows / RowsAChannel();
  const std::size_t most = std::max<std::size_t>(1, kAtOnce / std::max<std::size_t>(1, rows.count));
  for (std::size_t first = 0; first < channels; first += most) {
    const std::size_t some = std::min(most, channels - first);
    auto* const codes = ScratchOf<std::uint8_t>(ScratchUse::kCodes, some * rows.count * code_size_);
    const std::size_t first_row = first * RowsAChannel();
    CodeRows(row + first_row, AccumulatorRows<Sum>{.sums = rows.sums + first_row * rows.pitch,
                                                   .pitch = rows.pitch,
                                                   .rows = some * RowsAChannel(),
                                                   .count = rows.count,
                                                   .y = codes,
                                                   .y_pitch = rows.count});
    const std::size_t at = first * rows.y_pitch;
    CodePairs pairs = {codes,
                       residual + at * sum_->BSize(),
                       y + at * sum_->YSize(),
                       some,
                       rows.count,
                       rows.count,
                       rows.y_pitch,
                       rows.y_pitch};
    if (rows.y_pitch == rows.count) {
      pairs.count *= some;
      pairs.rows = 1;
    }
    sum_->Run(pairs);
  }
}

template void Ending::SummedRows(std::size_t row, const AccumulatorRows<std::int32_t>& rows,
                                 const std::uint8_t* residual) const;
template void Ending::SummedRows(std::size_t row, const AccumulatorRows<std::int64_t>& rows,
                                 const std::uint8_t* residual) const;

void Ending::Across(std::size_t row, std::int32_t* sums, void* y, std::size_t count) const {
  if (!paired_) return epilogue_.Across(row, sums, y, count);
  if (epilogue_.Takes32()) return PairedAcross<std::int32_t>(row, sums, y, count);
  PairedAcross<std::int64_t>(row, sums, y, count);
}

void Ending::Across(std::size_t row, std::int64_t* sums, void* y, std::size_t count) const {
  if (!paired_) return epilogue_.Across(row, sums, y, count);
  PairedAcross<std::int64_t>(row, sums, y, count);
}

}  // namespace qonnx_tools
