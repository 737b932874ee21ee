// FixedAveragePool: y = saturate(round_shift(sum of a window * multiplier, shift)).

#include <cstdint>

#include "core/scratch.h"
#include "glue/code_attributes.h"
#include "glue/code_op.h"
#include "glue/shape_inference.h"
#include "ops/elementwise.h"
#include "ops/spatial.h"

namespace qonnx_tools {
namespace {

// Sums of the windows of one channel, x as 32-bit codes.
void SumWindows(const Window& window, const SpatialSizes& sizes, const std::int32_t* x,
                std::int64_t* sums) {
  for (std::size_t row = 0; row < sizes.out[0]; ++row) {
    for (std::size_t column = 0; column < sizes.out[1]; ++column) {
      // Of the padded image.
      const std::size_t top = row * window.stride[0];
      const std::size_t left = column * window.stride[1];
      const auto first = [](std::size_t at, std::size_t pad) { return std::max(at, pad) - pad; };
      const auto last = [](std::size_t at, std::size_t pad, std::size_t size) {
        return std::min(std::max(at, pad) - pad, size);
      };
      const std::size_t bottom = last(top + window.kernel[0], window.pad_begin[0], sizes.in[0]);
      const std::size_t right = last(left + window.kernel[1], window.pad_begin[1], sizes.in[1]);
      std::int64_t sum = 0;
      for (std::size_t i = first(top, window.pad_begin[0]); i < bottom; ++i) {
        for (std::size_t j = first(left, window.pad_begin[1]); j < right; ++j) {
          sum += x[i * sizes.in[1] + j];
        }
      }
      sums[row * sizes.out[1] + column] = sum;
    }
  }
}

class AveragePoolKernel final : public CodeKernel {
 public:
  AveragePoolKernel(const std::optional<Window>& window, Carrier x, const OutputFormat& format,
                    std::int64_t multiplier, std::int64_t shift)
      : window_(window),
        x_(x),
        y_size_(SizeOf(format.carrier)),
        epilogue_(format, 64, {{0}, {multiplier}, {0}, {shift}}, {std::uint64_t{1} << 63}, {0}) {}

  Shape OutputShape(std::span<const Tensor> inputs) const override {
    Shape y = inputs[0].shape;
    const Window window = WindowFor(y);
    const SpatialSizes sizes = SizesFor(window, y);
    for (std::size_t axis = 0; axis < window.axes; ++axis) {
      y.dims[2 + axis] = static_cast<std::int64_t>(sizes.out[2 - window.axes + axis]);
    }
    return y;
  }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const Shape& shape = inputs[0].shape;
    const Window window = WindowFor(shape);
    const SpatialSizes sizes = SizesFor(window, shape);
    const CodesView x = {inputs[0].data, x_};
    const std::size_t in = sizes.in[0] * sizes.in[1];
    const std::size_t out = sizes.out[0] * sizes.out[1];
    const auto planes = static_cast<std::size_t>(shape.dims[0] * shape.dims[1]);
    const std::size_t share = std::max<std::size_t>(1, kShare / std::max<std::size_t>(in, 1));
    workers.For((planes + share - 1) / share, [&](std::size_t index) {
      const std::size_t first = index * share;
      const std::size_t count = std::min(share, planes - first);
      auto* const codes = ScratchOf<std::int32_t>(ScratchUse::kPanel, in);
      auto* const sums = ScratchOf<std::int64_t>(ScratchUse::kAccumulators, count * out);
      for (std::size_t plane = 0; plane < count; ++plane) {
        x.Load((first + plane) * in, in, codes);
        SumWindows(window, sizes, codes, sums + plane * out);
      }
      epilogue_.Row(0, sums, static_cast<std::uint8_t*>(y) + first * out * y_size_, count * out);
    });
  }

 private:
  // The window that the attributes say, or one over the whole map.
  Window WindowFor(const Shape& x) const {
    if (window_) return *window_;
    if (x.rank != 3 && x.rank != 4) {
      throw Error("input 'x' has shape " + x.Text() + "; give [N, C] and one or two dimensions");
    }
    Window window;
    window.axes = x.rank - 2;
    for (std::size_t axis = 0; axis < window.axes; ++axis) {
      if (x.dims[2 + axis] == 0) {
        throw Error("input 'x' has shape " + x.Text() + "; a map without elements has no average");
      }
      window.kernel[2 - window.axes + axis] = static_cast<std::size_t>(x.dims[2 + axis]);
    }
    return window;
  }

  std::optional<Window> window_;
  Carrier x_;
  std::size_t y_size_;
  Epilogue epilogue_;
};

class FixedAveragePool final : public CodeOp {
 public:
  explicit FixedAveragePool(const Attributes& attributes) : format_(ReadOutputFormat(attributes)) {
    if (!attributes.Ints("kernel_shape").empty()) window_ = ReadWindow(attributes);
  }
  ort::ElementType OutputType() const override { return TypeOf(format_.carrier); }

  void CheckParameter(std::size_t input, const Tensor& tensor) const override {
    OneInteger(input == 1 ? "multiplier" : "shift", tensor);
    if (input == 2) CheckShifts("shift", tensor);
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    return std::make_unique<AveragePoolKernel>(window_, CarrierOf(inputs[0].type), format_,
                                               OneInteger("multiplier", inputs[1]),
                                               OneInteger("shift", inputs[2]));
  }

 private:
  OutputFormat format_;
  std::optional<Window> window_;  // none: the whole map
};

void InferAveragePool(ShapeInference& inference) {
  InferredShape y = inference.Input(0);
  if (y.size() > 2) {
    InferredShape spatial(y.size() - 2, InferredDim{1, ""});
    if (!inference.Ints("kernel_shape").empty()) spatial = InferWindowed(inference, y);
    std::copy(spatial.begin(), spatial.end(), y.begin() + 2);
  }
  inference.SetOutput(y, inference.To());
}

constexpr auto kAny = ort::ElementType::kUndefined;

const RegisteredOp registered({"FixedAveragePool",
                               {kProjectDomain},
                               {{"x", kAny, false, true, kNarrowCodeTypes},
                                {"multiplier", kAny, false, false, kInt32Type},
                                {"shift", kAny, false, false, kInt64Type}},
                               nullptr,
                               [](const Attributes& attributes) -> std::unique_ptr<CodeOp> {
                                 return std::make_unique<FixedAveragePool>(attributes);
                               },
                               InferAveragePool});

}  // namespace
}  // namespace qonnx_tools
