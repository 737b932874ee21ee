#include "kernels/trunc.h"

#include "kernels/dialect_rounding.h"
#include "kernels/element_loops.h"

namespace qonnx_tools {
namespace {

template <DialectMode mode>
class TruncElement {
 public:
  struct Values {
    float scale;
    float zero_point;
    float step;
    float out_zero_point;
    float out_scale;
  };
  explicit TruncElement(const TruncParameters& parameters) : shared_(parameters) {}
  Values At(std::size_t index) const {
    return {shared_.scale[index], shared_.zero_point[index], shared_.step[index],
            shared_.out_zero_point[index], shared_.out_scale[index]};
  }

  float operator()(const Values& values, float x) const {
    float code = RoundHalfEven(x / values.scale + values.zero_point) / values.step;
    code = code > shared_.high ? shared_.high : code;  // false for NaN, which stays
    code = code < shared_.low ? shared_.low : code;
    return (DialectRound<mode>(code) - values.out_zero_point) * values.out_scale;
  }

 private:
  TruncParameters shared_;
};

template <DialectMode mode>
constexpr auto kLoops = LoopsOf<TruncElement<mode>, TruncParameters>();

}  // namespace

constinit const TruncTable TruncTable::QONNX_TOOLS_LEVEL = {
    {kLoops<DialectMode::kHalfEven>, kLoops<DialectMode::kCeil>, kLoops<DialectMode::kFloor>,
     kLoops<DialectMode::kUp>, kLoops<DialectMode::kDown>, kLoops<DialectMode::kHalfUp>,
     kLoops<DialectMode::kHalfDown>}};

}  // namespace qonnx_tools
