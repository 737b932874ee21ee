// Trunc of the QONNX dialect. Version 1 has the inputs x, scale, zeropt, in_bits, out_bits; version
// 2 has x, scale, zeropt, in_bits, out_scale, out_bits and clips. They are told apart by the number
// of inputs.

#include "kernels/trunc.h"

#include <cmath>
#include <limits>

#include "core/level.h"
#include "glue/parameter.h"
#include "glue/quantizer.h"
#include "ops/dialect.h"

namespace qonnx_tools {
namespace {

enum InputIndex : std::size_t { kX, kScale, kZeroPoint, kInBits, kOutBitsOrScale, kOutBits };

// The bits that only say by how much to shift.
int ShiftInput(const char* name, const Tensor& tensor) { return IntegerInput(name, tensor, 0, 64); }

struct Arrays {
  std::vector<float> scale, zero_point, step, out_zero_point, out_scale;
};

class Trunc final : public Quantizer {
 public:
  explicit Trunc(const Attributes& attributes)
      : mode_(DialectModeFrom(attributes.String("rounding_mode"))),
        signed_(attributes.Bool("signed", true)),
        narrow_(attributes.Bool("narrow", false)) {}

  void CheckInput(std::size_t input, const Tensor& tensor) const override {
    if (input == kInBits) ShiftInput("in_bits", tensor);
    if (input == kOutBits) BitsInput("out_bits", tensor);
  }

  std::unique_ptr<Prepared> PrepareInputs(std::span<const Tensor> inputs) const override {
    return inputs[kOutBits].present ? Version2(inputs) : Version1(inputs);
  }

 private:
  std::unique_ptr<Prepared> Version1(std::span<const Tensor> inputs) const {
    const int dropped =
        ShiftInput("in_bits", inputs[kInBits]) - ShiftInput("out_bits", inputs[kOutBitsOrScale]);
    const Shape shape = BroadcastTogether(inputs[kScale].shape, inputs[kZeroPoint].shape);
    Arrays arrays;
    arrays.scale = Expanded<float>(inputs[kScale], shape);
    arrays.zero_point = Expanded<float>(inputs[kZeroPoint], shape);
    arrays.step.assign(shape.Count(), std::ldexp(1.0f, dropped));
    arrays.out_zero_point = arrays.zero_point;
    arrays.out_scale = arrays.scale;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    return WithRange(shape, std::move(arrays), {-kInfinity, kInfinity});
  }

  std::unique_ptr<Prepared> Version2(std::span<const Tensor> inputs) const {
    const Tensor& out_scale = inputs[kOutBitsOrScale];
    if (out_scale.type != ort::ElementType::kFloat) {
      throw Error(InputName("out_scale") +
                  " is not float32; Trunc with six inputs needs it as such");
    }
    const int out_bits = BitsInput("out_bits", inputs[kOutBits]);
    const Shape shape = BroadcastTogether(
        BroadcastTogether(inputs[kScale].shape, inputs[kZeroPoint].shape), out_scale.shape);
    Arrays arrays;
    arrays.scale = Expanded<float>(inputs[kScale], shape);
    arrays.zero_point = Expanded<float>(inputs[kZeroPoint], shape);
    arrays.out_scale = Expanded<float>(out_scale, shape);
    for (std::size_t i = 0; i < arrays.scale.size(); ++i) {
      const double ratio = arrays.out_scale[i] / arrays.scale[i];  // rounded to float32
      const auto logarithm = static_cast<float>(std::log2(ratio));
      arrays.step.push_back(std::exp2(std::rint(logarithm)));
      arrays.out_zero_point.push_back(arrays.zero_point[i] / arrays.step[i]);
    }
    return WithRange(shape, std::move(arrays), CodeRangeOf(out_bits, signed_, narrow_));
  }

  std::unique_ptr<Prepared> WithRange(const Shape& shape, Arrays arrays, CodeRange range) const {
    const TruncParameters parameters = {arrays.scale.data(),
                                        arrays.zero_point.data(),
                                        arrays.step.data(),
                                        arrays.out_zero_point.data(),
                                        arrays.out_scale.data(),
                                        range.low,
                                        range.high};
    return Prepare(shape, AtSelectedLevel<TruncTable>().by_mode[mode_], parameters,
                   std::move(arrays));
  }

  int mode_;
  bool signed_;
  bool narrow_;
};

const RegisteredOp registered({"Trunc",
                               kDialectDomains,
                               {{"x", ort::ElementType::kFloat},
                                {"scale", ort::ElementType::kFloat},
                                {"zeropt", ort::ElementType::kFloat},
                                {"in_bits", ort::ElementType::kUndefined},
                                {"out_bits_or_scale", ort::ElementType::kUndefined},
                                {"out_bits", ort::ElementType::kUndefined, true}},
                               [](const Attributes& attributes) -> std::unique_ptr<Quantizer> {
                                 return std::make_unique<Trunc>(attributes);
                               }});

}  // namespace
}  // namespace qonnx_tools
