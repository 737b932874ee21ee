// The end of an accumulating op: an accumulator a channel, or an even and an odd one that meet
// first, as in arithmetic/log_products.py.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "integer/epilogue.h"

namespace qonnx_tools {

class Ending {
 public:
  // `bound` and `correction` are those of Epilogue for each row of accumulators. There is a row a
  // channel, or there are two: even, then odd.
  Ending(const OutputFormat& format, int accumulator_bits, const ChannelParameters& parameters,
         const std::vector<std::uint64_t>& bound, const std::vector<std::int64_t>& correction);

  // Whether accumulators modulo 2^32 are enough.
  bool Takes32() const { return paired_ ? takes32_ : epilogue_.Takes32(); }
  std::size_t RowsAChannel() const { return paired_ ? 2 : 1; }

  // Of rows row, row + 1, ...: whole channels. y_pitch is from channel to channel.
  void Rows(std::size_t row, const AccumulatorRows<std::int32_t>& rows) const;
  void Rows(std::size_t row, const AccumulatorRows<std::int64_t>& rows) const;
  // One of each row: row, row + 1, ...: whole channels.
  void Across(std::size_t row, std::int32_t* sums, void* y, std::size_t count) const;
  void Across(std::size_t row, std::int64_t* sums, void* y, std::size_t count) const;

 private:
  void Join(std::size_t row, const std::int32_t* even, const std::int32_t* odd,
            std::int32_t* joined, std::size_t count) const;
  void Join(std::size_t row, const std::int32_t* even, const std::int32_t* odd,
            std::int64_t* joined, std::size_t count) const;
  void Join(std::size_t row, const std::int64_t* even, const std::int64_t* odd,
            std::int64_t* joined, std::size_t count) const;
  template <typename Joined, typename Sum>
  void PairedRows(std::size_t row, const AccumulatorRows<Sum>& rows) const;
  template <typename Joined, typename Sum>
  void PairedAcross(std::size_t row, const Sum* sums, void* y, std::size_t count) const;

  bool paired_;
  std::size_t y_size_;
  bool takes32_ = false;
  int unused32_ = 0;
  int unused64_ = 0;
  std::vector<std::int64_t> addends_;  // a row: bias and correction
  Epilogue epilogue_;                  // paired: of the joined accumulators
};

}  // namespace qonnx_tools
