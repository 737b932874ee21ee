// FloatQuant (x, scale, exponent_bits, mantissa_bits, exponent_bias, max_val) of the QONNX dialect.

#include "kernels/float_quant.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/level.h"
#include "glue/parameter.h"
#include "glue/quantizer.h"
#include "ops/dialect.h"

namespace qonnx_tools {
namespace {

enum InputIndex : std::size_t {
  kX,
  kScale,
  kExponentBits,
  kMantissaBits,
  kExponentBias,
  kMaxValue,
};

int ExponentBits(const Tensor& tensor) { return IntegerInput("exponent_bits", tensor, 0, 16); }
int MantissaBits(const Tensor& tensor) { return IntegerInput("mantissa_bits", tensor, 0, 52); }
int ExponentBias(const Tensor& tensor) {
  return IntegerInput("exponent_bias", tensor, -65536, 65536);
}

float MaxValue(const Tensor& tensor) {
  if (tensor.shape.Count() != 1 || !(tensor.Floats()[0] >= 0.0f)) {
    throw Error(InputName("max_val") + " must be a single number that is not negative");
  }
  return tensor.Floats()[0];
}

class FloatQuant final : public Quantizer {
 public:
  explicit FloatQuant(const Attributes& attributes)
      : mode_(DialectModeFrom(attributes.String("rounding_mode", "ROUND"))),
        saturates_(attributes.Bool("saturation")),
        has_infinity_(attributes.Bool("has_inf")),
        has_nan_(attributes.Bool("has_nan")) {
    if (!saturates_ && !has_infinity_ && !has_nan_) {
      throw Error(
          "attribute 'saturation' is 0 but neither 'has_inf' nor 'has_nan' is 1, so values out of "
          "range have no representation; set one of the three");
    }
  }

  void CheckInput(std::size_t input, const Tensor& tensor) const override {
    switch (input) {
      case kExponentBits:
        ExponentBits(tensor);
        break;
      case kMantissaBits:
        MantissaBits(tensor);
        break;
      case kExponentBias:
        ExponentBias(tensor);
        break;
      case kMaxValue:
        MaxValue(tensor);
        break;
      default:
        break;
    }
  }

  std::unique_ptr<Prepared> PrepareInputs(std::span<const Tensor> inputs) const override {
    const int exponent_bits = ExponentBits(inputs[kExponentBits]);
    const int mantissa_bits = MantissaBits(inputs[kMantissaBits]);
    const int bias = ExponentBias(inputs[kExponentBias]);
    const int largest_exponent = (1 << exponent_bits) - 1 - bias;
    // The largest mantissa is 2 - 2^-mantissa_bits, in double; the power of two is float32.
    const double representable =
        (2.0 - std::ldexp(1.0, -mantissa_bits)) * std::ldexp(1.0f, largest_exponent);
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    double max_value = std::min(representable, static_cast<double>(MaxValue(inputs[kMaxValue])));
    double above = max_value;
    if (!saturates_) {
      above = has_infinity_ ? kInfinity : std::numeric_limits<double>::quiet_NaN();
      // An infinity is out of range even if max_value is one.
      max_value = std::min(max_value, std::numeric_limits<double>::max());
    }
    const Shape& shape = inputs[kScale].shape;
    std::vector<float> scale = Expanded<float>(inputs[kScale], shape);
    const FloatQuantParameters parameters = {scale.data(), mantissa_bits, 1 - bias - mantissa_bits,
                                             max_value,    above,         -above};
    return Prepare(shape, AtSelectedLevel<FloatQuantTable>().by_mode[mode_], parameters,
                   std::move(scale));
  }

 private:
  int mode_;
  bool saturates_;
  bool has_infinity_;
  bool has_nan_;
};

const RegisteredOp registered({"FloatQuant",
                               kDialectDomains,
                               {{"x", ort::ElementType::kFloat},
                                {"scale", ort::ElementType::kFloat},
                                {"exponent_bits", ort::ElementType::kUndefined},
                                {"mantissa_bits", ort::ElementType::kUndefined},
                                {"exponent_bias", ort::ElementType::kUndefined},
                                {"max_val", ort::ElementType::kFloat}},
                               [](const Attributes& attributes) -> std::unique_ptr<Quantizer> {
                                 return std::make_unique<FloatQuant>(attributes);
                               }});

}  // namespace
}  // namespace qonnx_tools
