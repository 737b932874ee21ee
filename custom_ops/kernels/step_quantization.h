// Codes to the numbers that are transformed and back, and their quantization; see
// arithmetic/subband_quantization.py. Value is int16, int32 or int64.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

// Element types of codes, in the order of the bitstream.
constexpr std::size_t kElementTypes = 6;  // int8, uint8, int16, uint16, int32, uint32

template <typename Value>
struct StepQuantizationTable {
  void (*load[kElementTypes])(const void* codes, std::size_t count, Value* x);
  // Clamps to low..high, which the element type holds.
  void (*store[kElementTypes])(const Value* x, std::size_t count, Value low, Value high,
                               void* codes);
  bool (*within)(const Value* x, std::size_t count, Value low, Value high);
  // x = sgn(x) floor((factor |x| + step) / (2 step)). factor |x| + step must lie below 2^24 for
  // int16, else 2^53.
  void (*quantize)(Value* x, std::size_t count, std::int32_t factor, std::int32_t step);
  // x = sgn(x) floor((|x| step + 2^shift / 2) / 2^shift)
  void (*dequantize)(Value* x, std::size_t count, std::int32_t step, int shift);

  static const StepQuantizationTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
