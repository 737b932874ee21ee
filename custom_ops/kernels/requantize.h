// The epilogue of every op on codes: from an accumulator to an output code.
//
//   a = wrap(accumulator + bias, accumulator_bits);  t = multiplier * a + addend
//   y = clip(round_shift(t, shift), low, high)
//
// All in 64 bits, or with 32-bit accumulators where 32 bits hold accumulator + bias or the wrap is
// to 32 bits or fewer: then only their low 32 bits matter.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/carrier.h"
#include "kernels/rounding_mode.h"

namespace qonnx_tools {

struct Requantization {
  const std::int64_t* bias;  // one a channel each
  const std::int64_t* multiplier;
  const std::int64_t* addend;
  const std::int64_t* shift;  // -62 .. 62
  int unused_bits;            // 64 - accumulator_bits; 32-bit accumulators: 32 - those, at least 0
  std::int32_t low;
  std::int32_t high;
};

struct RequantizeTable {
  // Element i is of channel `channel` (uniform) or of channel + i (varying); y may be accumulator.
  template <typename Accumulator>
  using Wide = void (*)(const Requantization&, std::size_t channel, const Accumulator* accumulator,
                        std::int32_t* y, std::size_t count);

  Wide<std::int32_t> uniform32[kRoundings];
  Wide<std::int32_t> varying32[kRoundings];
  Wide<std::int64_t> uniform64[kRoundings];
  Wide<std::int64_t> varying64[kRoundings];

  // Stores codes that fit.
  void (*store[kCarriers])(const std::int32_t* codes, void* y, std::size_t count);
  // Loads codes.
  void (*load32[kCarriers])(const void* x, std::int32_t* codes, std::size_t count);
  void (*load64[kCarriers])(const void* x, std::int64_t* codes, std::size_t count);

  static const RequantizeTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
