// Quant and its other name IntQuant (x, scale, zeropt, bitwidth) of the QONNX dialect.

#include "kernels/int_quant.h"

#include <algorithm>
#include <cmath>

#include "core/level.h"
#include "glue/parameter.h"
#include "glue/quantizer.h"
#include "ops/dialect.h"

namespace qonnx_tools {
namespace {

enum InputIndex : std::size_t { kX, kScale, kZeroPoint, kBitWidth };

// Whether x / scale and x * (1 / scale) are the same float32 for every x: both are the rounding of
// one real number if scale is a power of two whose reciprocal float32 holds.
bool HasExactReciprocal(float scale) {
  int exponent = 0;
  const float reciprocal = 1.0f / scale;
  return std::abs(std::frexp(scale, &exponent)) == 0.5f && std::isfinite(reciprocal) &&
         reciprocal != 0.0f;
}

struct Arrays {
  std::vector<float> divisor, scale, zero_point;
};

class IntQuant final : public Quantizer {
 public:
  explicit IntQuant(const Attributes& attributes)
      : signed_(attributes.Bool("signed")),
        narrow_(attributes.Bool("narrow")),
        mode_(DialectModeFrom(attributes.String("rounding_mode", "ROUND"))) {}

  void CheckInput(std::size_t input, const Tensor& tensor) const override {
    if (input == kBitWidth) BitsInput("bitwidth", tensor);
  }

  std::unique_ptr<Prepared> PrepareInputs(std::span<const Tensor> inputs) const override {
    const int bits = BitsInput("bitwidth", inputs[kBitWidth]);
    const Shape shape = BroadcastTogether(inputs[kScale].shape, inputs[kZeroPoint].shape);
    Arrays arrays;
    arrays.scale = Expanded<float>(inputs[kScale], shape);
    arrays.zero_point = Expanded<float>(inputs[kZeroPoint], shape);
    arrays.divisor = arrays.scale;
    const bool bipolar = bits == 1 && signed_;
    const bool multiply =
        !bipolar && std::all_of(arrays.scale.begin(), arrays.scale.end(), HasExactReciprocal);
    if (multiply) {
      for (float& divisor : arrays.divisor) divisor = 1.0f / divisor;
    }
    const CodeRange range = CodeRangeOf(bits, signed_, narrow_);
    const IntQuantParameters parameters = {arrays.divisor.data(), arrays.scale.data(),
                                           arrays.zero_point.data(), range.low, range.high};
    const IntQuantTable& table = AtSelectedLevel<IntQuantTable>();
    const auto& by_mode = multiply ? table.multiply : table.divide;
    return Prepare(shape, bipolar ? table.divide_bipolar : by_mode[mode_], parameters,
                   std::move(arrays));
  }

 private:
  bool signed_;
  bool narrow_;
  int mode_;
};

OpDefinition Definition(const char* name) {
  return {name,
          kDialectDomains,
          {{"x", ort::ElementType::kFloat},
           {"scale", ort::ElementType::kFloat},
           {"zeropt", ort::ElementType::kFloat},
           {"bitwidth", ort::ElementType::kUndefined}},
          [](const Attributes& attributes) -> std::unique_ptr<Quantizer> {
            return std::make_unique<IntQuant>(attributes);
          }};
}

const RegisteredOp quant(Definition("Quant"));
const RegisteredOp int_quant(Definition("IntQuant"));

}  // namespace
}  // namespace qonnx_tools
