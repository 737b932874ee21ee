// FixedConv, ShiftConv and LogConv: convolutions of codes.

#include "ops/convolution.h"

#include <algorithm>
#include <utility>

#include "core/scratch.h"
#include "integer/convolution.h"
#include "integer/depthwise.h"
#include "integer/depthwise_blocks.h"
#include "integer/log_weights.h"

namespace qonnx_tools {
namespace {

std::unique_ptr<ConvolutionPlan> PlanFor(const ConvolutionGeometry& geometry,
                                         const WeightMatrix& weights, Carrier x,
                                         const EndingTerms& terms) {
  const bool paired = weights.rows != terms.channels.shift.size();
  if (!paired && Depthwise::Takes(geometry, weights, x, terms)) {
    auto blocks = DepthwiseBlocks::Of(geometry, weights, x, terms);
    if (blocks) return blocks;
    return std::make_unique<Depthwise>(geometry, weights, x, terms);
  }
  return std::make_unique<Convolution>(geometry, weights, x, terms);
}

// Of log codes where LogWeights do not take them: of their planes, which are further channels.
class LogConvolution final : public ConvolutionPlan {
 public:
  LogConvolution(const ConvolutionGeometry& geometry, const WeightMatrix& codes,
                 std::unique_ptr<LogPlanes> planes, const EndingTerms& terms)
      : geometry_(geometry),
        planes_(std::move(planes)),
        convolution_(OfPlanes(geometry, planes_->Count()), planes_->Expanded(codes),
                     planes_->Bytes(), terms) {}

  void Run(const ImageSize& size, const ConvolutionTensors& tensors,
           const Workers& workers) const override {
    const std::size_t rows = size.count * geometry_.groups;
    const std::size_t count = geometry_.in_channels * size.in[0] * size.in[1];
    auto* const planes =
        ScratchOf<std::uint8_t>(ScratchUse::kPlanes, rows * planes_->Count() * count);
    planes_->Fill(tensors.x, rows, count, planes, workers);
    convolution_.Run(size, {planes, tensors.residual, tensors.y}, workers);
  }

 private:
  static ConvolutionGeometry OfPlanes(ConvolutionGeometry geometry, std::size_t planes) {
    geometry.in_channels *= planes;
    return geometry;
  }

  ConvolutionGeometry geometry_;
  std::unique_ptr<LogPlanes> planes_;
  Convolution convolution_;
};

class ConvolutionKernel final : public ShapedKernel {
 public:
  ConvolutionKernel(const Window& window, const ConvolutionGeometry& geometry, bool adds,
                    std::unique_ptr<ConvolutionPlan> plan)
      : window_(window),
        adds_(adds),
        in_channels_(geometry.groups * geometry.in_channels),
        out_channels_(geometry.groups * geometry.out_channels),
        plan_(std::move(plan)) {}

  Shape OutputShape(std::span<const Tensor> inputs) const override {
    const Shape& x = inputs[0].shape;
    const SpatialSizes sizes = SizesFor(window_, x);
    if (x.dims[1] != static_cast<std::int64_t>(in_channels_)) {
      throw Error("input 'x' has shape " + x.Text() + "; w and group ask for " +
                  std::to_string(in_channels_) + " channels");
    }
    Shape y = x;
    y.dims[1] = static_cast<std::int64_t>(out_channels_);
    for (std::size_t axis = 0; axis < window_.axes; ++axis) {
      y.dims[2 + axis] = static_cast<std::int64_t>(sizes.out[2 - window_.axes + axis]);
    }
    if (adds_ && !std::ranges::equal(inputs[kResidual].shape.Dims(), y.Dims())) {
      throw Error("input 'residual' has shape " + inputs[kResidual].shape.Text() +
                  "; the convolution gives " + y.Text());
    }
    return y;
  }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const SpatialSizes sizes = SizesFor(window_, inputs[0].shape);
    const ImageSize size = {static_cast<std::size_t>(inputs[0].shape.dims[0]),
                            {sizes.in[0], sizes.in[1]},
                            {sizes.out[0], sizes.out[1]}};
    plan_->Run(size, {inputs[0].data, adds_ ? inputs[kResidual].data : nullptr, y}, workers);
  }

 private:
  Window window_;
  bool adds_;
  std::size_t in_channels_;
  std::size_t out_channels_;
  std::unique_ptr<ConvolutionPlan> plan_;
};

}  // namespace

ConvolutionOp::ConvolutionOp(const Attributes& attributes, WeightKind kind,
                             const OutputFormat& format)
    : WeightedOp(attributes, kind, format),
      window_(ReadWindow(attributes)),
      groups_(attributes.IntWithin("group", 1, 1 << 24, 1)) {}

void ConvolutionOp::CheckParameter(std::size_t input, const Tensor& tensor) const {
  WeightedOp::CheckParameter(input, tensor);
  if (input == 1) CheckWeights(tensor.shape);
}

std::unique_ptr<CodeKernel> ConvolutionOp::Prepare(std::span<const Tensor> inputs) const {
  const Shape& shape = inputs[1].shape;
  ConvolutionGeometry geometry;
  const auto channels = static_cast<std::size_t>(shape.dims[0]);
  geometry.groups = static_cast<std::size_t>(groups_);
  geometry.in_channels = static_cast<std::size_t>(shape.dims[1]);
  geometry.out_channels = channels / geometry.groups;
  for (int axis = 0; axis < 2; ++axis) {
    geometry.kernel[axis] = window_.kernel[axis];
    geometry.stride[axis] = window_.stride[axis];
    geometry.dilation[axis] = window_.dilation[axis];
    geometry.pad_begin[axis] = window_.pad_begin[axis];
    geometry.pad_end[axis] = window_.pad_end[axis];
  }
  const Carrier x = CarrierOf(inputs[0].type);
  const EndingTerms terms = TermsOf(inputs, channels);
  WeightMatrix codes = {channels, shape.Count() / channels, Integers(inputs[1])};
  auto planes = PlanesOf(codes, x);
  std::unique_ptr<ConvolutionPlan> plan;
  if (!planes) {
    plan = PlanFor(geometry, Multiplied(std::move(codes)), x, terms);
  } else if (LogWeights::Take(*planes, codes, x)) {
    plan = std::make_unique<Convolution>(geometry, codes, *planes, x, terms);
  } else {
    plan = std::make_unique<LogConvolution>(geometry, codes, std::move(planes), terms);
  }
  return std::make_unique<ConvolutionKernel>(window_, geometry, terms.sum.has_value(),
                                             std::move(plan));
}

void ConvolutionOp::CheckWeights(const Shape& w) const {
  bool fits = w.rank == window_.axes + 2 && w.Count() > 0;
  for (std::size_t axis = 0; fits && axis < window_.axes; ++axis) {
    fits = w.dims[2 + axis] == static_cast<std::int64_t>(window_.kernel[2 - window_.axes + axis]);
  }
  if (!fits) {
    throw Error("input 'w' has shape " + w.Text() +
                "; give it as [M, C/group, kernel_shape], none of them 0");
  }
  if (w.dims[0] % groups_ != 0) {
    throw Error("input 'w' has shape " + w.Text() + "; its " + std::to_string(w.dims[0]) +
                " output channels do not divide into attribute 'group', " +
                std::to_string(groups_));
  }
}

void InferConvolution(ShapeInference& inference) {
  InferredShape x = inference.Input(0);
  const InferredShape w = inference.Input(1);
  if (x.empty()) x.resize(w.size());
  InferredShape y = InferWindowed(inference, x);
  y.insert(y.begin(), {x.empty() ? InferredDim{} : x[0], w.empty() ? InferredDim{} : w[0]});
  inference.SetOutput(y, inference.To());
}

namespace {

template <WeightKind kind>
std::unique_ptr<CodeOp> Create(const Attributes& attributes) {
  return std::make_unique<ConvolutionOp>(attributes, kind, ReadOutputFormat(attributes));
}

const RegisteredOp fixed({"FixedConv",
                          {kProjectDomain},
                          WeightedInputs(),
                          nullptr,
                          Create<WeightKind::kFixed>,
                          InferConvolution});
const RegisteredOp shift({"ShiftConv",
                          {kProjectDomain},
                          WeightedInputs(),
                          nullptr,
                          Create<WeightKind::kShift>,
                          InferConvolution});
const RegisteredOp log({"LogConv",
                        {kProjectDomain},
                        WeightedInputs(),
                        nullptr,
                        Create<WeightKind::kLog>,
                        InferConvolution});

}  // namespace
}  // namespace qonnx_tools
