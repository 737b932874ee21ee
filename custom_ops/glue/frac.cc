#include "glue/frac.h"

#include <cmath>

#include "glue/parameter.h"

namespace qonnx_tools {
namespace {

constexpr std::int64_t kSmallestFrac = -64;
constexpr std::int64_t kLargestFrac = 126;

}  // namespace

void CheckFrac(const Tensor& frac) {
  const auto* const values = static_cast<const std::int64_t*>(frac.data);
  for (std::size_t i = 0; i < frac.shape.Count(); ++i) {
    if (values[i] < kSmallestFrac || values[i] > kLargestFrac) {
      throw Error(InputName("frac") + " is " + std::to_string(values[i]) +
                  "; fraction bits must lie in " + std::to_string(kSmallestFrac) + ".." +
                  std::to_string(kLargestFrac));
    }
  }
}

std::vector<float> PowersOf(const Tensor& frac, int sign) {
  const auto* const values = static_cast<const std::int64_t*>(frac.data);
  std::vector<float> powers;
  for (std::size_t i = 0; i < frac.shape.Count(); ++i) {
    powers.push_back(std::ldexp(1.0f, sign * static_cast<int>(values[i])));
  }
  return powers;
}

}  // namespace qonnx_tools
