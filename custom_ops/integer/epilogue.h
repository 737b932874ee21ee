// From accumulators to output codes, with the parameters of one node: picks the kernel that its
// bounds allow.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "integer/output_format.h"
#include "kernels/requantize.h"

namespace qonnx_tools {

// One value a channel each.
struct ChannelParameters {
  std::vector<std::int64_t> bias;
  std::vector<std::int64_t> multiplier;
  std::vector<std::int64_t> addend;
  std::vector<std::int64_t> shift;
};

class Epilogue {
 public:
  // `bound` is the largest |accumulator| of each channel before the bias, saturated to 2^63;
  // `correction` is added to the accumulators: it makes up for how x is packed.
  Epilogue(const OutputFormat& format, int accumulator_bits, const ChannelParameters& parameters,
           const std::vector<std::uint64_t>& bound, const std::vector<std::int64_t>& correction);

  // Whether accumulators modulo 2^32 are enough.
  bool Takes32() const { return takes32_; }

  // All of one channel.
  void Row(std::size_t channel, std::int32_t* accumulators, void* y, std::size_t count) const;
  void Row(std::size_t channel, std::int64_t* accumulators, void* y, std::size_t count) const;
  // Of channel, channel + 1, ...
  void Across(std::size_t channel, std::int32_t* accumulators, void* y, std::size_t count) const;
  void Across(std::size_t channel, std::int64_t* accumulators, void* y, std::size_t count) const;

 private:
  Requantization Wide(int unused_bits) const;

  OutputFormat format_;
  const RequantizeTable* kernels_;
  ChannelParameters parameters_;
  int unused32_ = 0;
  int unused64_ = 0;
  bool takes32_ = false;
  bool narrow_ = false;
  std::vector<std::int32_t> narrow_bias_;
  std::vector<std::int32_t> narrow_shift_;
};

}  // namespace qonnx_tools
