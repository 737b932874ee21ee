#include "kernels/fixed_quant.h"

#include "kernels/element_loops.h"
#include "kernels/rounding.h"

namespace qonnx_tools {
namespace {

// x - RoundHalfEven(x) is exact, so ties are recognised exactly; floor(x + 0.5) would not be.
template <Rounding rounding>
inline float Round(float x) {
  if constexpr (rounding == Rounding::kHalfUp) {
    const float nearest = RoundHalfEven(x);
    return x - nearest == 0.5f ? nearest + 1.0f : nearest;
  } else if constexpr (rounding == Rounding::kHalfAway) {
    const float size = __builtin_fabsf(x);
    const float nearest = RoundHalfEven(size);
    return __builtin_copysignf(size - nearest == 0.5f ? nearest + 1.0f : nearest, x);
  } else if constexpr (rounding == Rounding::kFloor) {
    return Floor(x);
  } else if constexpr (rounding == Rounding::kCeil) {
    return Ceil(x);
  } else if constexpr (rounding == Rounding::kTowardZero) {
    return TowardZero(x);
  } else {
    return RoundHalfEven(x);
  }
}

template <Rounding rounding>
class FixedQuantElement {
 public:
  struct Values {
    float up;
    float down;
  };
  explicit FixedQuantElement(const FixedQuantParameters& parameters) : shared_(parameters) {}
  Values At(std::size_t index) const { return {shared_.up[index], shared_.down[index]}; }

  float operator()(const Values& values, float x) const {
    float code = Round<rounding>(x * values.up);
    code = code < shared_.low ? shared_.low : code;  // false for NaN, which stays
    code = code > shared_.high ? shared_.high : code;
    return (code + 0.0f) * values.down;  // -0 + 0 is +0
  }

 private:
  FixedQuantParameters shared_;
};

template <Rounding rounding>
constexpr auto kLoops = LoopsOf<FixedQuantElement<rounding>, FixedQuantParameters>();

}  // namespace

constinit const FixedQuantTable FixedQuantTable::QONNX_TOOLS_LEVEL = {
    {kLoops<Rounding::kHalfEven>, kLoops<Rounding::kHalfUp>, kLoops<Rounding::kHalfAway>,
     kLoops<Rounding::kFloor>, kLoops<Rounding::kCeil>, kLoops<Rounding::kTowardZero>}};

}  // namespace qonnx_tools
