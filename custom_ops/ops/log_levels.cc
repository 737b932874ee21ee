#include "ops/log_levels.h"

#include <bit>
#include <cmath>
#include <limits>
#include <sstream>

#include "glue/parameter.h"

namespace qonnx_tools {
namespace {

constexpr float kSqrtHalf = 0x1.6a09e6p-1f;  // SQRT_HALF of arithmetic/log.py
constexpr int kLog = 1;                      // LogRounding.LOG

float NextAbove(float value) {
  return std::nextafter(value, std::numeric_limits<float>::infinity());
}

// The smallest float32 that is >= the mean of two magnitudes. Their sum is exact in double.
float LinearThreshold(float above, float below) {
  const double mean = (static_cast<double>(above) + static_cast<double>(below)) / 2;
  const float nearest = static_cast<float>(mean);
  return static_cast<double>(nearest) < mean ? NextAbove(nearest) : nearest;
}

// The smallest float32 whose square is >= the product of two magnitudes. Both are exact in double.
float LogThreshold(float above, float below) {
  const double product = static_cast<double>(above) * static_cast<double>(below);
  const auto reaches = [&](float size) {
    return static_cast<double>(size) * static_cast<double>(size) >= product;
  };
  float threshold = static_cast<float>(std::sqrt(product));
  while (threshold > 0 && reaches(std::nextafter(threshold, 0.0f))) {
    threshold = std::nextafter(threshold, 0.0f);
  }
  while (!reaches(threshold)) threshold = NextAbove(threshold);
  return threshold;
}

std::int32_t Bits(float value) { return std::bit_cast<std::int32_t>(value); }

}  // namespace

LogLevels::LogLevels(const Attributes& attributes, bool rounds)
    : signed_(attributes.Bool("signed", true)),
      bits_(attributes.IntWithin("bits", signed_ ? 2 : 1, 8)),
      steps_(attributes.IntWithin("steps", 1, 2, 1)),
      rounding_(rounds ? attributes.IntWithin("rounding", 0, 1, 0) : 0),
      count_((1 << (signed_ ? bits_ - 1 : bits_)) - 1) {}

void LogLevels::CheckScales(const Tensor& scale) const {
  for (std::size_t i = 0; i < scale.shape.Count(); ++i) {
    const float value = scale.Floats()[i];
    std::ostringstream text;
    text << InputName("scale") << " is " << value;
    if (!(value > 0) || std::isinf(value)) {
      throw Error(text.str() + "; it must be a positive float32 number");
    }
    const double smallest =
        std::ldexp(static_cast<double>(OctavePart(value, count_ - 1)), -((count_ - 1) / steps_));
    if (smallest < static_cast<double>(std::numeric_limits<float>::min())) {
      throw Error(text.str() + ", and its " + std::to_string(count_) +
                  " magnitudes reach below 2**-126; use fewer bits, a larger scale or steps 2");
    }
  }
}

LogLevels::Arrays LogLevels::ArraysOf(const std::vector<float>& scales) const {
  Arrays arrays;
  for (const float scale : scales) {
    arrays.zero_threshold.push_back(Bits(ZeroThreshold(scale)));
    arrays.even_threshold.push_back(LowestThreshold(scale, EvenCount(), 0));
    arrays.odd_threshold.push_back(LowestThreshold(scale, count_ - 1 - EvenCount(), 1));
    arrays.even_magnitude.push_back(Bits(scale));
    arrays.odd_magnitude.push_back(Bits(scale * kSqrtHalf));
  }
  return arrays;
}

// Of the thresholds between magnitudes k and k + 1, k = 0 .. count - 2, those with k even and odd.
LogQuantParameters LogLevels::ParametersOf(const Arrays& arrays) const {
  LogQuantParameters parameters = {};
  parameters.zero_threshold = arrays.zero_threshold.data();
  parameters.even_threshold = arrays.even_threshold.data();
  parameters.odd_threshold = arrays.odd_threshold.data();
  parameters.even_magnitude = arrays.even_magnitude.data();
  parameters.odd_magnitude = arrays.odd_magnitude.data();
  parameters.even_count = EvenCount();
  parameters.odd_count = count_ - 1 - EvenCount();
  parameters.count = count_;
  parameters.size_mask = signed_ ? std::numeric_limits<std::int32_t>::max() : -1;
  return parameters;
}

// Magnitude k but for its power of two.
float LogLevels::OctavePart(float scale, int k) const {
  return k % steps_ == 0 ? scale : scale * kSqrtHalf;
}

float LogLevels::Magnitude(float scale, int k) const {
  return std::ldexp(OctavePart(scale, k), -(k / steps_));
}

float LogLevels::Threshold(float above, float below) const {
  return rounding_ == kLog ? LogThreshold(above, below) : LinearThreshold(above, below);
}

// Below it x becomes zero: half the smallest magnitude, or its geometric mean with the next.
float LogLevels::ZeroThreshold(float scale) const {
  return Threshold(Magnitude(scale, count_ - 1),
                   rounding_ == kLog ? Magnitude(scale, count_) : 0.0f);
}

// The bits of the lowest of `number` thresholds from the first, between magnitudes k and k + 1.
std::int32_t LogLevels::LowestThreshold(float scale, int number, int first) const {
  if (number == 0) return std::numeric_limits<std::int32_t>::max();
  const int k = first + (number - 1) * steps_;
  return Bits(Threshold(Magnitude(scale, k), Magnitude(scale, k + 1)));
}

}  // namespace qonnx_tools
