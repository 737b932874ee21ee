// Affine and Requantize: y = saturate(round_shift(multiplier * x + addend, shift)) on codes.

#include <cstdint>

#include "glue/code_attributes.h"
#include "glue/code_op.h"
#include "glue/parameter.h"
#include "glue/shape_inference.h"
#include "integer/narrow_elements.h"
#include "ops/elementwise.h"

namespace qonnx_tools {
namespace {

class AffineKernel final : public ShapedKernel {
 public:
  // Parameters of shape `shape`, which broadcasts to x; with `axis` they are [C] along it.
  AffineKernel(Carrier x, const OutputFormat& format, const ChannelParameters& parameters,
               const Shape& shape, std::int64_t axis, bool along_axis)
      : x_(x),
        y_size_(SizeOf(format.carrier)),
        shape_(shape),
        axis_(axis),
        along_axis_(along_axis),
        epilogue_(format, 64, parameters,
                  std::vector<std::uint64_t>(parameters.shift.size(), LargestOf(x)),
                  std::vector<std::int64_t>(parameters.shift.size(), 0)),
        narrow_(NarrowAffine::Of(x, format, parameters)) {}

  Shape OutputShape(std::span<const Tensor> inputs) const override {
    const Shape& x = inputs[0].shape;
    BroadcastIndex(ParameterShape(x), x);  // raises if they do not fit
    return x;
  }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const Shape& shape = inputs[0].shape;
    const CodesView x = {inputs[0].data, x_};
    const BroadcastIndex index(ParameterShape(shape), shape);
    const auto load = [&](std::size_t begin, std::size_t count, auto* codes) {
      x.Load(begin, count, codes);
    };
    InShares(shape.Count(), workers, [&](std::size_t begin, std::size_t end) {
      if (!narrow_) {
        RequantizeRange(epilogue_, index, begin, end, y, y_size_, load);
        return;
      }
      index.ForEachRun(
          begin, end,
          [&](std::size_t at, std::size_t count, std::size_t channel) {
            narrow_->Run(channel, x.At(at), ElementOf(y, at, y_size_), count);
          },
          [&](std::size_t at, std::size_t count, std::size_t) {
            RequantizeRange(epilogue_, index, at, at + count, y, y_size_, load);
          });
    });
  }

 private:
  Shape ParameterShape(const Shape& x) const {
    if (!along_axis_) return shape_;
    const auto rank = static_cast<std::int64_t>(x.rank);
    const std::int64_t axis = axis_ < 0 ? axis_ + rank : axis_;
    if (axis < 0 || axis >= rank ||
        x.dims[static_cast<std::size_t>(axis)] != static_cast<std::int64_t>(shape_.dims[0])) {
      throw Error("input 'x' has shape " + x.Text() + "; its dimension " + std::to_string(axis_) +
                  " (attribute 'axis') must be " + std::to_string(shape_.dims[0]) +
                  ", as the parameters are");
    }
    Shape shape = x;
    for (std::size_t i = 0; i < x.rank; ++i) {
      if (static_cast<std::int64_t>(i) != axis) shape.dims[i] = 1;
    }
    return shape;
  }

  Carrier x_;
  std::size_t y_size_;
  Shape shape_;
  std::int64_t axis_;
  bool along_axis_;
  Epilogue epilogue_;
  std::optional<NarrowAffine> narrow_;
};

class Affine final : public CodeOp {
 public:
  explicit Affine(const Attributes& attributes)
      : format_(ReadOutputFormat(attributes)), axis_(attributes.IntWithin("axis", -32, 31, 1)) {}
  ort::ElementType OutputType() const override { return TypeOf(format_.carrier); }

  void CheckParameter(std::size_t input, const Tensor& tensor) const override {
    if (input == 3) CheckShifts("shift", tensor);
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    Shape shape;
    for (const Tensor& parameter : inputs.subspan(1)) {
      if (parameter.shape.Count() > 1) shape = parameter.shape;
    }
    const std::size_t count = shape.Count();
    const ChannelParameters parameters = {
        std::vector<std::int64_t>(count, 0), PerChannel("multiplier", inputs[1], count, 1),
        PerChannel("addend", inputs[2], count, 0), PerChannel("shift", inputs[3], count, 0)};
    return std::make_unique<AffineKernel>(CarrierOf(inputs[0].type), format_, parameters, shape,
                                          axis_, count > 1);
  }

 private:
  OutputFormat format_;
  int axis_;
};

class Requantize final : public CodeOp {
 public:
  explicit Requantize(const Attributes& attributes) : format_(ReadOutputFormat(attributes)) {}
  ort::ElementType OutputType() const override { return TypeOf(format_.carrier); }

  void CheckParameter(std::size_t, const Tensor& shift) const override {
    CheckShifts("shift", shift);
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    const Shape& shape = inputs[1].shape;
    const std::size_t count = shape.Count();
    const ChannelParameters parameters = {std::vector<std::int64_t>(count, 0),
                                          std::vector<std::int64_t>(count, 1),
                                          std::vector<std::int64_t>(count, 0), Integers(inputs[1])};
    return std::make_unique<AffineKernel>(CarrierOf(inputs[0].type), format_, parameters, shape, 0,
                                          false);
  }

 private:
  OutputFormat format_;
};

template <typename Op>
std::unique_ptr<CodeOp> Create(const Attributes& attributes) {
  return std::make_unique<Op>(attributes);
}

constexpr auto kAny = ort::ElementType::kUndefined;

const RegisteredOp affine({"Affine",
                           {kProjectDomain},
                           {{"x", kAny, false, true, kCodeTypes},
                            {"multiplier", kAny, false, false, kInt32Type},
                            {"addend", kAny, false, false, kInt64Type},
                            {"shift", kAny, false, false, kInt64Type}},
                           nullptr,
                           Create<Affine>,
                           InferShapeOfX});
const RegisteredOp requantize({"Requantize",
                               {kProjectDomain},
                               {{"x", kAny, false, true, kCodeTypes},
                                {"shift", kAny, false, false, kInt64Type}},
                               nullptr,
                               Create<Requantize>,
                               InferShapeOfX});

}  // namespace
}  // namespace qonnx_tools
