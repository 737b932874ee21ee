// The epilogue of finish.h, to bytes, with the sum of byte_sum.h behind it while the codes are
// still in a register.

#pragma once

#include "kernels/finish.h"
#include "kernels/narrow_elements.h"

namespace qonnx_tools {

// Bytes that are added; they lie as y does.
struct ByteResidual {
  NarrowSumParameters by;  // a: the codes
  const void* codes;
};

struct FinishSumTable {
  // [1 if the codes are unsigned][1 if those of y are signed]; null where the level finishes first
  // and adds then. `by.low` and `by.high` are those of the codes.
  void (*narrow[2][2])(const NarrowRow* row, const SumRows<std::int32_t>& by,
                       const ByteResidual& residual);
  void (*wide32[2][2])(const WideRow* row, const SumRows<std::int32_t>& by,
                       const ByteResidual& residual);

  static const FinishSumTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
