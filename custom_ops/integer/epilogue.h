// From accumulators to output codes, with the parameters of one node: picks the kernel that its
// bounds allow.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "integer/output_format.h"
#include "kernels/finish.h"
#include "kernels/finish_sum.h"
#include "kernels/requantize.h"

namespace qonnx_tools {

// One value a channel each.
struct ChannelParameters {
  std::vector<std::int64_t> bias;
  std::vector<std::int64_t> multiplier;
  std::vector<std::int64_t> addend;
  std::vector<std::int64_t> shift;
};

// Rows of accumulators, one a channel, and where their codes go.
template <typename Sum>
struct AccumulatorRows {
  const Sum* sums;
  std::size_t pitch;  // from row to row
  std::size_t rows;
  std::size_t count;  // of a row
  void* y;
  std::size_t y_pitch;  // in codes
};

class Epilogue {
 public:
  // `bound` is the largest |accumulator| of each channel before the bias, saturated to 2^63;
  // `correction` is added to the accumulators: it makes up for how x is packed.
  Epilogue(const OutputFormat& format, int accumulator_bits, const ChannelParameters& parameters,
           const std::vector<std::uint64_t>& bound, const std::vector<std::int64_t>& correction);

  // Whether accumulators modulo 2^32 are enough.
  bool Takes32() const { return takes32_; }

  // Of channel, channel + 1, ...
  void Rows(std::size_t channel, const AccumulatorRows<std::int32_t>& rows) const;
  void Rows(std::size_t channel, const AccumulatorRows<std::int64_t>& rows) const;
  // The same with bytes added; `rows` lead to the sum, signed or not. False, and nothing is done,
  // where the level or the numbers do not allow both at once.
  bool SummedRows(std::size_t channel, const AccumulatorRows<std::int32_t>& rows,
                  const ByteResidual& residual, bool is_signed) const;
  // All of one channel.
  template <typename Sum>
  void Row(std::size_t channel, const Sum* accumulators, void* y, std::size_t count) const {
    Rows(channel, AccumulatorRows<Sum>{accumulators, 0, 1, count, y, 0});
  }
  // One of each channel: channel, channel + 1, ...
  void Across(std::size_t channel, std::int32_t* accumulators, void* y, std::size_t count) const;
  void Across(std::size_t channel, std::int64_t* accumulators, void* y, std::size_t count) const;

 private:
  // What all numbers on the way to the codes are known to fit.
  enum class Fit { kNarrow, kWide, kAny };

  Fit FitOf(std::size_t channel, std::uint64_t largest) const;
  Requantization Any(int unused_bits) const;
  template <typename Sum>
  SumRows<Sum> Fitting(const AccumulatorRows<Sum>& rows, int unused_bits) const;

  OutputFormat format_;
  ChannelParameters parameters_;
  int unused32_ = 0;
  int unused64_ = 0;
  bool takes32_ = false;
  Fit fit_ = Fit::kNarrow;
  std::vector<NarrowRow> narrow_;
  std::vector<WideRow> wide_;
};

}  // namespace qonnx_tools
