// The largest code or the sum of the codes of each window of a map.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/carrier.h"

namespace qonnx_tools {

// Rows, then columns.
struct MapWindows {
  std::size_t in[2];
  std::size_t out[2];
  std::size_t kernel[2];
  std::size_t stride[2];
  std::size_t dilation[2];
  std::size_t pad_begin[2];
  std::size_t pad_end[2];

  // Numbers that `padded` and `columns` hold.
  std::size_t PaddedSize() const {
    return (pad_begin[0] + in[0] + pad_end[0]) * (pad_begin[1] + in[1] + pad_end[1]) + kSlack;
  }
  std::size_t ColumnsSize() const {
    return out[0] * (pad_begin[1] + in[1] + pad_end[1]) + dilation[1] * (kernel[1] - 1) + kSlack;
  }
  static constexpr std::size_t kSlack = 64;  // read and written beyond the last
};

// x [in], y [out]; `padded` and `columns` are memory to work in, for numbers of the type of y.
using Pool = void (*)(const MapWindows& windows, const void* x, void* padded, void* columns,
                      void* y);

// By the carrier of x.
struct PoolTable {
  Pool maxima[kCarriers];  // codes as x; padding never wins
  Pool sums32[4];          // 32-bit integers, which must hold the sums; padding is 0
  Pool sums64[4];          // 64-bit integers

  static const PoolTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
