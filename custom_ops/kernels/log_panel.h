// What the products of log codes take besides those of kernels/multiply.h.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/multiply.h"

namespace qonnx_tools {

//   sums[row][column] += (sum over units: dot(unit, b[step][column])) * 2^shift
// of bytes: units signed, b unsigned. Rows without units are left alone.
template <typename Sum>
struct SparseProducts {
  const SparseUnit* units;
  const std::uint32_t* begins;  // row's units are begins[row] .. begins[row + 1] - 1
  std::size_t rows;
  const std::int32_t* b;
  std::size_t b_step;
  std::size_t groups;  // of columns, 1 .. kGroups
  int shift;           // 0 .. 63
  Sum* sums;
  std::size_t sums_row;
};

inline constexpr std::size_t kLogEntries = 64;  // of a table

// planes[i][j] = tables[i][clamp(codes[j], low, high) - low]
struct LogExpansion {
  const std::uint8_t* codes;
  std::size_t count;  // a multiple of 64
  std::uint8_t low;   // high - low < kLogEntries
  std::uint8_t high;
  const std::uint8_t* const* tables;
  std::uint8_t* const* planes;
  std::size_t plane_count;
};

struct LogPanelTable {
  void (*expand)(const LogExpansion& expansion);
  // One less than the smallest of the codes above 0, 255 if there is none: of bytes that are `zero`
  // for code 0 and count upward from it, modulo 256.
  std::uint8_t (*smallest)(const std::uint8_t* bytes, std::size_t count, std::uint8_t zero);
  // Modulo 2^32, or exact products modulo 2^64; null where the level has no such instruction.
  void (*add_sparse)(const SparseProducts<std::int32_t>& products);
  void (*widen_sparse)(const SparseProducts<std::int64_t>& products);
  // sums[i] *= 2^shift modulo 2^32, shift 0 .. 63.
  void (*shift_left)(std::int32_t* sums, int shift, std::size_t count);

  static const LogPanelTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
