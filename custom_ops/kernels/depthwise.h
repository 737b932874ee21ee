// Convolution of one channel with its own filter, 32-bit codes, accumulators modulo 2^32.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

//   sums[row][column] = sum over tap: weights[tap] * x[offsets[tap] + row * row_step + column]
struct DepthwiseFactors {
  const std::int32_t* x;
  std::size_t row_step;
  const std::size_t* offsets;
  const std::int32_t* weights;
  std::size_t taps;
  std::size_t rows;
  std::size_t columns;
  std::int32_t* sums;  // [rows][columns]
};

inline constexpr std::size_t kDepthwiseSlack = 32;  // columns read and written beyond the last

struct DepthwiseTable {
  void (*multiply)(const DepthwiseFactors& factors);
  // Divides a row by column modulo stride: to[phase * pitch + i] = x[i * stride + phase].
  void (*divide)(const std::int32_t* x, std::size_t count, std::size_t stride, std::int32_t* to,
                 std::size_t pitch);

  static const DepthwiseTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
