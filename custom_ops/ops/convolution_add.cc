// FixedConvAdd, ShiftConvAdd and LogConvAdd: FixedAdd of a convolution's codes and others.

#include "glue/parameter.h"
#include "ops/convolution.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kLeft = kResidual + 1;
constexpr std::size_t kResidualLeft = kResidual + 2;
constexpr std::size_t kSumShift = kResidual + 3;

class ConvolutionAddOp final : public ConvolutionOp {
 public:
  ConvolutionAddOp(const Attributes& attributes, WeightKind kind)
      : ConvolutionOp(attributes, kind, ReadInnerFormat(attributes, "conv_")),
        sum_format_(ReadOutputFormat(attributes)) {}

  ort::ElementType OutputType() const override { return TypeOf(sum_format_.carrier); }

  void CheckParameter(std::size_t input, const Tensor& tensor) const override {
    ConvolutionOp::CheckParameter(input, tensor);
    if (input < kLeft) return;
    const char* const name = NameOf(input);
    const std::int64_t value = OneInteger(name, tensor);
    if (input == kSumShift) {
      CheckShifts(name, tensor);
    } else if (value < 0 || value > 62) {
      throw Error(InputName(name) + " is " + std::to_string(value) + "; it must lie in 0..62");
    }
  }

 protected:
  EndingTerms TermsOf(std::span<const Tensor> inputs, std::size_t channels) const override {
    EndingTerms terms = ConvolutionOp::TermsOf(inputs, channels);
    const auto left = [&](std::size_t input) {
      return static_cast<int>(OneInteger(NameOf(input), inputs[input]));
    };
    terms.sum.emplace(AlignedSum{left(kLeft), left(kResidualLeft)}, terms.format.carrier,
                      CarrierOf(inputs[kResidual].type),
                      OneInteger(NameOf(kSumShift), inputs[kSumShift]), sum_format_);
    return terms;
  }

 private:
  static const char* NameOf(std::size_t input) {
    return input == kLeft ? "left" : input == kResidualLeft ? "residual_left" : "sum_shift";
  }

  OutputFormat sum_format_;
};

template <WeightKind kind>
std::unique_ptr<CodeOp> Create(const Attributes& attributes) {
  return std::make_unique<ConvolutionAddOp>(attributes, kind);
}

std::vector<Input> Inputs() {
  constexpr auto kAny = ort::ElementType::kUndefined;
  std::vector<Input> inputs = WeightedInputs(false);
  inputs.push_back({"residual", kAny, false, true, kCodeTypes});
  for (const char* const name : {"left", "residual_left", "sum_shift"}) {
    inputs.push_back({name, kAny, false, false, kInt64Type});
  }
  return inputs;
}

const RegisteredOp fixed({"FixedConvAdd",
                          {kProjectDomain},
                          Inputs(),
                          nullptr,
                          Create<WeightKind::kFixed>,
                          InferConvolution});
const RegisteredOp shift({"ShiftConvAdd",
                          {kProjectDomain},
                          Inputs(),
                          nullptr,
                          Create<WeightKind::kShift>,
                          InferConvolution});
const RegisteredOp log({"LogConvAdd",
                        {kProjectDomain},
                        Inputs(),
                        nullptr,
                        Create<WeightKind::kLog>,
                        InferConvolution});

}  // namespace
}  // namespace qonnx_tools
