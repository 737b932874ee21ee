// What the ops of the QONNX dialect share: rounding-mode names and integer code ranges.

#pragma once

#include <string>

#include "glue/host.h"

namespace qonnx_tools {

// The position in DialectMode of a rounding_mode, upper or lower case. Raises Error if unknown.
int DialectModeFrom(const std::string& name);

struct CodeRange {
  float low;
  float high;
};

// The codes of `bits` bits, computed in float32 as qonnx does: beyond 24 bits the upper end is a
// power of two.
CodeRange CodeRangeOf(int bits, bool is_signed, bool narrow);

// The bits that an input gives, 1..64.
int BitsInput(const char* name, const Tensor& tensor);

}  // namespace qonnx_tools
