// Adaptive Rice code of a plane; see arithmetic/rice.py. Number is uint16, uint32 or uint64, of at
// most 48 bits.

#pragma once

#include "kernels/bits.h"

namespace qonnx_tools {

// What is known from the numbers before; goes from plane to plane.
struct RiceState {
  std::uint64_t scaled_mean = 512;  // 64 times the mean
  int escape_bits;                  // 16 or 48: of a large quotient
};

template <typename Number>
struct RiceTable {
  void (*encode)(const Number* numbers, std::size_t count, RiceState& state, BitSink& sink);
  // False if no encoder writes this.
  bool (*decode)(BitSource& source, std::size_t count, RiceState& state, Number* numbers);

  static const RiceTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
