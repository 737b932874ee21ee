// Elementwise ops on 8-bit and 16-bit codes, from codes to codes in one pass, in lanes of 16 or 32
// bits that are known to hold everything.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/code_pairs.h"

namespace qonnx_tools {

// y = clip((t + constant + ((t >> look) & mask)) >> shift, low, high): any rounding.
struct NarrowFinish {
  std::int32_t constant;
  std::int32_t look;
  std::int32_t mask;
  std::int32_t shift;
  std::int32_t low;
  std::int32_t high;
};

// Codes are read as unsigned numbers; `flip` is the sign bit of signed ones, else 0.

struct NarrowAffineParameters {  // t = multiplier * (x ^ flip) + addend
  std::int32_t flip;
  std::int32_t multiplier;
  std::int32_t addend;
  NarrowFinish finish;
};
struct NarrowSumParameters {  // t = (a ^ flip_a) * 2^left_a + (b ^ flip_b) * 2^left_b + addend
  std::int32_t flip_a;
  std::int32_t flip_b;
  std::int32_t left_a;
  std::int32_t left_b;
  std::int32_t addend;
  NarrowFinish finish;
};
struct NarrowProductParameters {  // t = ((a ^ flip_a) - flip_a) * ((b ^ flip_b) - flip_b)
  std::int32_t flip_a;
  std::int32_t flip_b;
  NarrowFinish finish;
};

using NarrowAffineKernel = void (*)(const NarrowAffineParameters& by, const void* x, void* y,
                                    std::size_t count);
using NarrowSumKernel = void (*)(const NarrowSumParameters& by, const CodePairs& pairs);
using NarrowProductKernel = void (*)(const NarrowProductParameters& by, const void* a,
                                     const void* b, void* y, std::size_t count);

// By the sizes of codes in bytes: [0] 1, [1] 2, [2] 4.
struct NarrowElementsTable {
  // Lanes of 16 bits: inputs of 1 byte; [size of y].
  NarrowAffineKernel affine16[2];
  NarrowSumKernel sum16[2];
  NarrowProductKernel product16[2];
  // Lanes of 32 bits: [size of x][size of y], [size of a][size of b][size of y].
  NarrowAffineKernel affine32[2][3];
  NarrowSumKernel sum32[2][2][3];
  NarrowProductKernel product32[2][2][3];

  static const NarrowElementsTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
