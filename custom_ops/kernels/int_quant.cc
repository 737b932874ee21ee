#include "kernels/int_quant.h"

#include "kernels/dialect_rounding.h"
#include "kernels/element_loops.h"

namespace qonnx_tools {
namespace {

class IntQuantBase {
 public:
  struct Values {
    float divisor;
    float scale;
    float zero_point;
  };
  explicit IntQuantBase(const IntQuantParameters& parameters) : shared_(parameters) {}
  Values At(std::size_t index) const {
    return {shared_.divisor[index], shared_.scale[index], shared_.zero_point[index]};
  }

 protected:
  IntQuantParameters shared_;
};

template <bool multiplies, DialectMode mode>
class IntQuantElement : public IntQuantBase {
 public:
  using IntQuantBase::IntQuantBase;
  float operator()(const Values& values, float x) const {
    float code = (multiplies ? x * values.divisor : x / values.divisor) + values.zero_point;
    code = code > shared_.high ? shared_.high : code;  // false for NaN, which stays
    code = code < shared_.low ? shared_.low : code;
    return (DialectRound<mode>(code) - values.zero_point) * values.scale;
  }
};

class BipolarElement : public IntQuantBase {
 public:
  using IntQuantBase::IntQuantBase;
  float operator()(const Values& values, float x) const {
    const float code = x / values.divisor + values.zero_point >= 0.0f ? 1.0f : -1.0f;
    return (code - values.zero_point) * values.scale;
  }
};

template <bool multiplies, DialectMode mode>
constexpr auto kLoops = LoopsOf<IntQuantElement<multiplies, mode>, IntQuantParameters>();

}  // namespace

constinit const IntQuantTable IntQuantTable::QONNX_TOOLS_LEVEL = {
    {kLoops<false, DialectMode::kHalfEven>, kLoops<false, DialectMode::kCeil>,
     kLoops<false, DialectMode::kFloor>, kLoops<false, DialectMode::kUp>,
     kLoops<false, DialectMode::kDown>, kLoops<false, DialectMode::kHalfUp>,
     kLoops<false, DialectMode::kHalfDown>},
    {kLoops<true, DialectMode::kHalfEven>, kLoops<true, DialectMode::kCeil>,
     kLoops<true, DialectMode::kFloor>, kLoops<true, DialectMode::kUp>,
     kLoops<true, DialectMode::kDown>, kLoops<true, DialectMode::kHalfUp>,
     kLoops<true, DialectMode::kHalfDown>},
    LoopsOf<BipolarElement, IntQuantParameters>()};

}  // namespace qonnx_tools
