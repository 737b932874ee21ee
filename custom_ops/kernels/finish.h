// The epilogue of requantize.h for rows of accumulators, in one pass and in lanes that are known to
// hold every step:
//
//   v = wrap(sum + bias);  t = multiplier * v + addend
//   y = clip((t + constant + ((t >> look) & mask)) >> shift, low, high)
//
// constant, look and mask make any rounding.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/carrier.h"

namespace qonnx_tools {

// A row whose t is v, in 32 bits.
struct NarrowRow {
  std::int32_t bias;  // modulo 2^32
  std::int32_t constant;
  std::int32_t look;
  std::int32_t mask;
  std::int32_t shift;
};

// A row in 64 bits. With 32-bit sums, v and the multiplier are of 32 bits, and so is what is
// clipped unless the codes are of 32 bits.
struct WideRow {
  std::int64_t bias;
  std::int64_t multiplier;
  std::int64_t addend;
  std::int64_t constant;
  std::int64_t look;
  std::int64_t mask;
  std::int64_t shift;
};

template <typename Sum>
struct SumRows {
  const Sum* sums;
  std::size_t pitch;  // from row to row
  std::size_t rows;
  std::size_t count;  // of a row
  void* y;
  std::size_t y_pitch;  // in codes
  int unused_bits;      // bits of Sum less accumulator_bits
  std::int32_t low;
  std::int32_t high;
};

struct FinishTable {
  // Row i takes row[i].
  void (*narrow[kCarriers])(const NarrowRow* row, const SumRows<std::int32_t>& by);
  void (*wide32[kCarriers])(const WideRow* row, const SumRows<std::int32_t>& by);
  void (*wide64[kCarriers])(const WideRow* row, const SumRows<std::int64_t>& by);

  static const FinishTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
