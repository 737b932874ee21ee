#include "kernels/fixed_quant.h"

#include "kernels/element_loops.h"
#include "kernels/rounding.h"

namespace qonnx_tools {
namespace {

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
