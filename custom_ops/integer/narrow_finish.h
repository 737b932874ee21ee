// Rounding in lanes of a register that are known to hold everything.

#pragma once

#include <cstdint>
#include <optional>

#include "integer/output_format.h"
#include "kernels/narrow_elements.h"

namespace qonnx_tools {

struct Range {
  std::int64_t low;
  std::int64_t high;
};

// y = clip(round_shift(t, shift)) for numbers t in `range`, in lanes of `bits` bits; nothing if
// those do not hold every number on the way.
std::optional<NarrowFinish> FinishOf(Range range, std::int64_t shift, const OutputFormat& format,
                                     int bits);

}  // namespace qonnx_tools
