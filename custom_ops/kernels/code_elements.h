// Elementwise loops of the ops on codes, up to the epilogue.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/log_quant.h"
#include "kernels/rounding_mode.h"

namespace qonnx_tools {

struct CodeElementsTable {
  // sums[i] = a[i] * 2^left_a + b[i] * 2^left_b modulo 2^32 or 2^64; lefts 0 .. 62.
  void (*add32)(const std::int32_t* a, int left_a, const std::int32_t* b, int left_b,
                std::int32_t* sums, std::size_t count);
  void (*add64)(const std::int64_t* a, int left_a, const std::int64_t* b, int left_b,
                std::int64_t* sums, std::size_t count);
  void (*multiply32)(const std::int32_t* a, const std::int32_t* b, std::int32_t* products,
                     std::size_t count);
  void (*multiply64)(const std::int64_t* a, const std::int64_t* b, std::int64_t* products,
                     std::size_t count);

  // codes[i] = clip(round(x[i] * up[i * step]), low, high), 0 for NaN; step 0 or 1.
  void (*quantize[kRoundings])(const float* x, const float* up, std::size_t step, std::int32_t low,
                               std::int32_t high, std::int32_t* codes, std::size_t count);
  // x[i] = codes[i] * down[i * step], rounded once.
  void (*dequantize)(const std::int32_t* codes, const float* down, std::size_t step, float* x,
                     std::size_t count);
  // sign * (K - k) of the nearest magnitude, 0 for zero and NaN; step 0 or 1 from index on.
  void (*log_quantize[2])(const LogQuantParameters& parameters, std::size_t index, std::size_t step,
                          const float* x, std::int32_t* codes, std::size_t count);
  // The value of each code, clipped to low .. high: sign * table[|code|].
  void (*log_dequantize)(const std::int32_t* codes, const float* table, std::int32_t low,
                         std::int32_t high, float* x, std::size_t count);

  static const CodeElementsTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
