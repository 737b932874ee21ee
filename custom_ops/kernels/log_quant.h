// LogQuant: the nearest of zero and +-scale * g^-k, as arithmetic/log.py, in integer arithmetic on
// the bits of the floats.
//
// The bits of a float >= 0, read as an integer, grow with its value, and one octave is 2^23 of
// them. All thresholds but the lowest are one (base 2) or two (base sqrt 2) numbers times 2^-j, all
// of them normal, so the number of thresholds that |x| reaches is a shifted difference of bits.

#pragma once

#include <cstdint>

#include "kernels/loop.h"

namespace qonnx_tools {

struct LogQuantParameters {
  // The bits of float32 numbers, one each a scale.
  const std::int32_t* zero_threshold;  // the smallest |x| that does not become zero
  const std::int32_t* even_threshold;  // the lowest threshold between magnitudes k and k+1, k even
  const std::int32_t* odd_threshold;   // the same for k odd (base sqrt 2)
  const std::int32_t* even_magnitude;  // the scale: magnitude 0
  const std::int32_t* odd_magnitude;   // magnitude 1 (base sqrt 2)
  std::int32_t even_count;  // how many thresholds have k even, the lowest of all left out
  std::int32_t odd_count;
  std::int32_t count;      // K, the number of magnitudes
  std::int32_t size_mask;  // signed: all but the sign bit; unsigned: all, so x < 0 becomes zero
};

struct LogQuantTable {
  Loops<LogQuantParameters> by_steps[2];  // base 2, base sqrt 2
  static const LogQuantTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
