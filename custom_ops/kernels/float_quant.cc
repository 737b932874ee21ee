#include "kernels/float_quant.h"

#include "kernels/dialect_rounding.h"
#include "kernels/element_loops.h"

namespace qonnx_tools {
namespace {

constexpr std::int32_t kFractionBits = 23;
constexpr std::int32_t kFractionMask = (1 << kFractionBits) - 1;
constexpr std::int32_t kBias = 127;
constexpr std::int32_t kFarExponent = 200;  // beyond float32 on both sides
constexpr float kSmallestNormal = 1.17549435e-38f;

// `weight` if value >= bound, else 0. A shift of the sign instead of a condition: chains of
// conditions become branches, which keep the loop from being vectorised.
inline std::int32_t IfAtLeast(std::int32_t value, std::int32_t bound, std::int32_t weight) {
  return ((bound - 1 - value) >> 31) & weight;
}

// floor(fl32(log2(value))) for a normal value > 0.
//
// fl32 rounds the logarithm of the numbers just below 2^k up to k itself, of the more numbers the
// larger |k|: half the spacing of float32 just below k, in steps of the value's last bit (each adds
// 2^-24 log2(e) to the logarithm), is 1, 2, 5, 11, 22, 44 of them.
inline std::int32_t FloorLog2(float value) {
  const std::int32_t bits = __builtin_bit_cast(std::int32_t, value);
  const std::int32_t exponent = (bits >> kFractionBits) - kBias;
  const std::int32_t size = exponent ^ (exponent >> 31);  // k - 1 for k > 0, else -k
  const std::int32_t rounded_up = IfAtLeast(size, 2, 1) + IfAtLeast(size, 4, 1) +
                                  IfAtLeast(size, 8, 3) + IfAtLeast(size, 16, 6) +
                                  IfAtLeast(size, 32, 11) + IfAtLeast(size, 64, 22);
  const std::int32_t below_next = kFractionMask + 1 - (bits & kFractionMask);
  return exponent + IfAtLeast(rounded_up, below_next, 1);
}

// 2^exponent in float32: 0 and infinity beyond its range. The product of the two halves, which are
// normal numbers, is exact or overflows or underflows to that.
inline float PowerOfTwo(std::int32_t exponent) {
  const std::int32_t at_least = exponent < -kFarExponent ? -kFarExponent : exponent;
  const std::int32_t clipped = at_least > kFarExponent ? kFarExponent : at_least;
  const std::int32_t half = clipped >> 1;
  const float first = __builtin_bit_cast(float, (half + kBias) << kFractionBits);
  const float second = __builtin_bit_cast(float, (clipped - half + kBias) << kFractionBits);
  return first * second;
}

template <DialectMode mode>
class FloatQuantElement {
 public:
  explicit FloatQuantElement(const FloatQuantParameters& parameters) : shared_(parameters) {}
  float At(std::size_t index) const { return shared_.scale[index]; }

  float operator()(float scale, float x) const {
    const float scaled = x / scale;
    const float size = __builtin_fabsf(scaled) + kSmallestNormal;
    const std::int32_t smallest = shared_.smallest_exponent;
    std::int32_t exponent = FloorLog2(size) - shared_.mantissa_bits;
    exponent = exponent < smallest ? smallest : exponent;
    const float step = PowerOfTwo(exponent);
    // An infinite x has an infinite step, so its y is NaN: scaled - scaled is NaN, and else +0.
    const float rounded = step * DialectRound<mode>(scaled / step) - (scaled - scaled);
    const auto value = static_cast<double>(rounded);
    // Loaded here so that the loads do not depend on the conditions.
    const double max_value = shared_.max_value;
    const double above = shared_.above;
    const double below = shared_.below;
    double clipped = value > max_value ? above : value;
    clipped = value < -max_value ? below : clipped;
    return static_cast<float>(clipped * static_cast<double>(scale));
  }

 private:
  FloatQuantParameters shared_;
};

template <DialectMode mode>
constexpr auto kLoops = LoopsOf<FloatQuantElement<mode>, FloatQuantParameters>();

}  // namespace

constinit const FloatQuantTable FloatQuantTable::QONNX_TOOLS_LEVEL = {
    {kLoops<DialectMode::kHalfEven>, kLoops<DialectMode::kCeil>, kLoops<DialectMode::kFloor>,
     kLoops<DialectMode::kUp>, kLoops<DialectMode::kDown>, kLoops<DialectMode::kHalfUp>,
     kLoops<DialectMode::kHalfDown>}};

}  // namespace qonnx_tools
