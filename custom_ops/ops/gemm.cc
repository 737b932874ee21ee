// FixedGemm, ShiftGemm and LogGemm: products of codes with constant weights.

#include <utility>

#include "core/scratch.h"
#include "glue/shape_inference.h"
#include "integer/convolution.h"
#include "integer/log_weights.h"
#include "integer/matrix_product.h"
#include "ops/weighted_op.h"

namespace qonnx_tools {
namespace {

class GemmKernel : public ShapedKernel {
 public:
  GemmKernel(std::size_t channels, std::size_t depth)
      : channels_(static_cast<std::int64_t>(channels)), depth_(depth) {}

  Shape OutputShape(std::span<const Tensor> inputs) const final {
    const Shape& x = inputs[0].shape;
    if (x.rank != 2 || x.dims[1] != static_cast<std::int64_t>(depth_)) {
      throw Error("input 'x' has shape " + x.Text() + "; w asks for [N, " + std::to_string(depth_) +
                  "]");
    }
    Shape y = x;
    y.dims[1] = channels_;
    return y;
  }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const final {
    Multiply(static_cast<std::size_t>(inputs[0].shape.dims[0]), inputs[0].data, y, workers);
  }

 protected:
  std::size_t Depth() const { return depth_; }

 private:
  virtual void Multiply(std::size_t count, const void* x, void* y,
                        const Workers& workers) const = 0;

  std::int64_t channels_;
  std::size_t depth_;
};

// Of codes as they are.
class PlainGemm final : public GemmKernel {
 public:
  PlainGemm(std::size_t channels, const WeightMatrix& weights, Carrier x, const EndingTerms& terms)
      : GemmKernel(channels, weights.depth), product_(weights, x, terms) {}

 private:
  void Multiply(std::size_t count, const void* x, void* y, const Workers& workers) const override {
    product_.Run(count, x, y, workers);
  }

  MatrixProduct product_;
};

// Of log codes where LogWeights do not take them: of their planes, one after the other.
class PlanesGemm final : public GemmKernel {
 public:
  PlanesGemm(const WeightMatrix& codes, std::unique_ptr<LogPlanes> planes, const EndingTerms& terms)
      : GemmKernel(codes.rows, codes.depth),
        planes_(std::move(planes)),
        product_(planes_->Expanded(codes), planes_->Bytes(), terms) {}

 private:
  void Multiply(std::size_t count, const void* x, void* y, const Workers& workers) const override {
    auto* const planes =
        ScratchOf<std::uint8_t>(ScratchUse::kPlanes, count * planes_->Count() * Depth());
    planes_->Fill(x, count, Depth(), planes, workers);
    product_.Run(count, planes, y, workers);
  }

  std::unique_ptr<LogPlanes> planes_;
  MatrixProduct product_;
};

// Of log codes: a convolution of images of one pixel.
class LogGemm final : public GemmKernel {
 public:
  LogGemm(const WeightMatrix& codes, const LogPlanes& planes, Carrier x, const EndingTerms& terms)
      : GemmKernel(codes.rows, codes.depth), convolution_(Pixels(codes), codes, planes, x, terms) {}

 private:
  static ConvolutionGeometry Pixels(const WeightMatrix& codes) {
    ConvolutionGeometry geometry;
    geometry.in_channels = codes.depth;
    geometry.out_channels = codes.rows;
    return geometry;
  }

  void Multiply(std::size_t count, const void* x, void* y, const Workers& workers) const override {
    convolution_.Run({count, {1, 1}, {1, 1}}, {x, nullptr, y}, workers);
  }

  Convolution convolution_;
};

class GemmOp final : public WeightedOp {
 public:
  GemmOp(const Attributes& attributes, WeightKind kind)
      : WeightedOp(attributes, kind, ReadOutputFormat(attributes)),
        transposed_(attributes.Bool("transB", false)) {}

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
    const EndingTerms terms = TermsOf(inputs, channels);
    auto planes = PlanesOf(weights, x);
    if (!planes) {
      return std::make_unique<PlainGemm>(channels, Multiplied(std::move(weights)), x, terms);
    }
    if (LogWeights::Take(*planes, weights, x)) {
      return std::make_unique<LogGemm>(weights, *planes, x, terms);
    }
    return std::make_unique<PlanesGemm>(weights, std::move(planes), terms);
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
