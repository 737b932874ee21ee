// The inner product of integer matrices, on 32-bit units that hold 4 8-bit or 2 16-bit numbers
// each.
//
//   c[row][column] (+)= sum over step: dot(a[step][row], b[step][column])   modulo 2^32
//
// dot is the sum of the 4 or 2 products of the numbers in two units.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

inline constexpr std::size_t kRows = 6;    // of one call, at most
inline constexpr std::size_t kGroup = 16;  // columns come in groups of 16
inline constexpr std::size_t kGroups = 4;  // of one call, at most
inline constexpr std::size_t kColumns = kGroup * kGroups;

struct Factors {
  const std::int32_t* a;  // a[step * a_step + row * a_row]
  std::size_t a_step;
  std::size_t a_row;
  std::size_t rows;       // 1 .. kRows
  const std::int32_t* b;  // b[step * b_step + column], aligned to 64
  std::size_t b_step;
  std::size_t groups;  // of columns, 1 .. kGroups
  std::size_t steps;
  std::int32_t* c;  // c[row * c_row + column]
  std::size_t c_row;
  bool accumulate;  // add to c
};

// A unit of a sparse row.
struct SparseUnit {
  std::uint32_t step;
  std::int32_t unit;
};

//   sums[row][column] = sums[row][column] * 2^shift[row] + sum over units: dot(unit,
//   b[step][column])
struct SparseFactors {
  const SparseUnit* units;
  const std::uint32_t* begins;  // row's units are begins[row] .. begins[row + 1] - 1
  const std::uint8_t* shifts;
  std::size_t rows;
  const std::int32_t* b;
  std::size_t b_step;
  std::size_t groups;
  std::int32_t* sums;
  std::size_t sums_row;
};

struct MultiplyTable {
  void (*words)(const Factors& factors);  // 2 signed 16-bit numbers a unit

  // 4 8-bit numbers a unit; null where the level has no such instruction.
  void (*signed_by_unsigned)(const Factors& factors);  // a signed, b unsigned
  void (*unsigned_by_signed)(const Factors& factors);  // a unsigned, b signed
  void (*add_sparse)(const SparseFactors& factors);    // units signed, b unsigned

  // sums[i] += c[i] * 2^shift modulo 2^32, shift 0 .. 63.
  void (*add)(const std::int32_t* c, int shift, std::int32_t* sums, std::size_t count);
  // sums[i] += c[i] * 2^shift modulo 2^64, shift 0 .. 63.
  void (*widen)(const std::int32_t* c, int shift, std::int64_t* sums, std::size_t count);

  static const MultiplyTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
