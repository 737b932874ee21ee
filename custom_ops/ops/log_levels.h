// The magnitudes of a log format and the thresholds between them, as arithmetic/log.py.

#pragma once

#include <cstdint>
#include <vector>

#include "glue/attributes.h"
#include "glue/host.h"
#include "kernels/log_quant.h"

namespace qonnx_tools {

class LogLevels {
 public:
  // Attributes bits, steps, signed and, if `rounds`, rounding.
  LogLevels(const Attributes& attributes, bool rounds);

  // Raises Error unless every scale is positive and all its magnitudes are normal.
  void CheckScales(const Tensor& scale) const;

  bool IsSigned() const { return signed_; }
  int Steps() const { return steps_; }
  int Count() const { return count_; }  // K

  // scale * g^-k in float32.
  float Magnitude(float scale, int k) const;

  struct Arrays {
    std::vector<std::int32_t> zero_threshold, even_threshold, odd_threshold;
    std::vector<std::int32_t> even_magnitude, odd_magnitude;
  };
  Arrays ArraysOf(const std::vector<float>& scales) const;
  // Points into `arrays`.
  LogQuantParameters ParametersOf(const Arrays& arrays) const;

 private:
  float OctavePart(float scale, int k) const;
  float Threshold(float above, float below) const;
  float ZeroThreshold(float scale) const;
  std::int32_t LowestThreshold(float scale, int number, int first) const;
  int EvenCount() const { return steps_ == 1 ? count_ - 1 : count_ / 2; }

  bool signed_;
  int bits_;
  int steps_;
  int rounding_;
  int count_;
};

}  // namespace qonnx_tools
