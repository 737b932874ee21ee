// FixedGemm, ShiftGemm and LogGemm: products of codes with constant weights.

#include <utility>

#include "core/scratch.h"
#include "glue/shape_inference.h"
#include "integer/matrix_product.h"
#include "ops/weighted_op.h"

namespace qonnx_tools {
namespace {

class GemmKernel final : public CodeKernel {
 public:
  // `weights` are of the `channels` outputs of [depth] inputs, or of their planes.
  GemmKernel(std::size_t channels, std::size_t depth, const WeightMatrix& weights,
             std::unique_ptr<LogPlanes> planes, Carrier x, const OutputFormat& format,
             int accumulator_bits, const ChannelParameters& parameters)
      : channels_(static_cast<std::int64_t>(channels)),
        depth_(depth),
        planes_(std::move(planes)),
        product_(weights, planes_ ? planes_->Bytes() : x, format, accumulator_bits, parameters) {}

  Shape OutputShape(std::span<const Tensor> inputs) const override {
    const Shape& x = inputs[0].shape;
    if (x.rank != 2 || x.dims[1] != static_cast<std::int64_t>(depth_)) {
      throw Error("input 'x' has shape " + x.Text() + "; w asks for [N, " + std::to_string(depth_) +
                  "]");
    }
    Shape y = x;
    y.dims[1] = channels_;
    return y;
  }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const auto count = static_cast<std::size_t>(inputs[0].shape.dims[0]);
    if (!planes_) return product_.Run(count, inputs[0].data, y, workers);
    auto* const planes =
        ScratchOf<std::uint8_t>(ScratchUse::kPlanes, count * planes_->Count() * depth_);
    planes_->Fill(inputs[0].data, count, depth_, planes, workers);
    product_.Run(count, planes, y, workers);
  }

 private:
  std::int64_t channels_;
  std::size_t depth_;
  std::unique_ptr<LogPlanes> planes_;
  MatrixProduct product_;
};

class GemmOp final : public WeightedOp {
 public:
  GemmOp(const Attributes& attributes, WeightKind kind)
      : WeightedOp(attributes, kind), transposed_(attributes.Bool("transB", false)) {}

  void CheckParameter(std::size_t input, const Tensor& tensor) const override {
    WeightedOp::CheckParameter(input, tensor);
    if (input == 1 && (tensor.shape.rank != 2 || tensor.shape.Count() == 0)) {
      throw Error("input 'w' has shape " + tensor.shape.Text() +
                  "; give it as [K, M], or [M, K] with transB, none of them 0");
    }
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    const Shape& w = inputs[1].shape;
    WeightMatrix weights = {static_cast<std::size_t>(w.dims[transposed_ ? 0 : 1]),
                            static_cast<std::size_t>(w.dims[transposed_ ? 1 : 0]),
                            Integers(inputs[1])};
    if (!transposed_) {
      std::vector<std::int64_t> stored(weights.values.size());
      stored.swap(weights.values);
      for (std::size_t row = 0; row < weights.rows; ++row) {
        for (std::size_t k = 0; k < weights.depth; ++k) {
          weights.values[row * weights.depth + k] = stored[k * weights.rows + row];
        }
      }
    }
    const Carrier x = CarrierOf(inputs[0].type);
    const std::size_t channels = weights.rows;
    const std::size_t depth = weights.depth;
    auto [multiplied, planes] = MultiplicationOf(std::move(weights), x);
    return std::make_unique<GemmKernel>(channels, depth, multiplied, std::move(planes), x, format_,
                                        accumulator_bits_, ReadChannels(inputs, channels));
  }

 private:
  bool transposed_;
};

void InferGemm(ShapeInference& inference) {
  const InferredShape x = inference.Input(0);
  const InferredShape w = inference.Input(1);
  InferredShape y(2);
  if (x.size() == 2) y[0] = x[0];
  if (w.size() == 2) y[1] = w[inference.Int("transB").value_or(0) != 0 ? 0 : 1];
  inference.SetOutput(y, inference.To());
}

template <WeightKind kind>
std::unique_ptr<CodeOp> Create(const Attributes& attributes) {
  return std::make_unique<GemmOp>(attributes, kind);
}

const RegisteredOp fixed({"FixedGemm",
                          {kProjectDomain},
                          WeightedInputs(),
                          nullptr,
                          Create<WeightKind::kFixed>,
                          InferGemm});
const RegisteredOp shift({"ShiftGemm",
                          {kProjectDomain},
                          WeightedInputs(),
                          nullptr,
                          Create<WeightKind::kShift>,
                          InferGemm});
const RegisteredOp log(
    {"LogGemm", {kProjectDomain}, WeightedInputs(), nullptr, Create<WeightKind::kLog>, InferGemm});

}  // namespace
}  // namespace qonnx_tools
