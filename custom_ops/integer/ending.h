// The end of an accumulating op: an accumulator a channel, or an even and an odd one that meet
// first, as in arithmetic/log_products.py.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "integer/code_sum.h"
#include "integer/epilogue.h"

namespace qonnx_tools {

// How the accumulators of a node become what it gives.
struct EndingTerms {
  OutputFormat format;  // of the codes that they become
  int accumulator_bits;
  ChannelParameters channels;
  std::optional<CodeSum> sum;  // of these codes and a residual, where that is what the node gives

  std::size_t ResidualSize() const { return sum ? sum->BSize() : 0; }
  std::size_t YSize() const { return sum ? sum->YSize() : SizeOf(format.carrier); }
};

class Ending {
 public:
  // `bound` and `correction` are those of Epilogue for each row of accumulators. There is a row a
  // channel, or there are two: even, then odd.
  Ending(const EndingTerms& terms, const std::vector<std::uint64_t>& bound,
         const std::vector<std::int64_t>& correction);

  // Whether accumulators modulo 2^32 are enough.
  bool Takes32() const { return paired_ ? takes32_ : epilogue_.Takes32(); }
  std::size_t RowsAChannel() const { return paired_ ? 2 : 1; }

  // Of rows row, row + 1, ...: whole channels. y_pitch is from channel to channel, and `residual`,
  // where there is a sum, lies as y does.
  template <typename Sum>
  void Rows(std::size_t row, const AccumulatorRows<Sum>& rows, const void* residual) const {
    sum_ ? SummedRows(row, rows, static_cast<const std::uint8_t*>(residual)) : CodeRows(row, rows);
  }
  // One of each row: row, row + 1, ...: whole channels. Without a sum.
  void Across(std::size_t row, std::int32_t* sums, void* y, std::size_t count) const;
  void Across(std::size_t row, std::int64_t* sums, void* y, std::size_t count) const;

 private:
  void CodeRows(std::size_t row, const AccumulatorRows<std::int32_t>& rows) const;
  void CodeRows(std::size_t row, const AccumulatorRows<std::int64_t>& rows) const;
  template <typename Sum>
  void SummedRows(std::size_t row, const AccumulatorRows<Sum>& rows,
                  const std::uint8_t* residual) const;
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
  std::size_t code_size_;
  std::optional<CodeSum> sum_;
  bool takes32_ = false;
  int unused32_ = 0;
  int unused64_ = 0;
  std::vector<std::int64_t> addends_;  // a row: bias and correction
  Epilogue epilogue_;                  // paired: of the joined accumulators
};

}  // namespace qonnx_tools
