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

class AveragePoolKernel final : public ShapedKernel {
 public:
  AveragePoolKernel(const std::optional<Window>& window, Carrier x, const OutputFormat& format,
                    std::int64_t multiplier, std::int64_t shift)
      : window_(window),
        x_(x),
        y_size_(SizeOf(format.carrier)),
        epilogue_(format, 64, {{0}, {multiplier}, {0}, {shift}}, {LargestSum(window, x)}, {0}) {}

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
    const MapWindows windows = WindowsOf(window, SizesFor(window, shape));
    const auto maps = static_cast<std::size_t>(shape.dims[0] * shape.dims[1]);
    const std::size_t share =
        std::max<std::size_t>(1, kShare / std::max<std::size_t>(windows.in[0] * windows.in[1], 1));
    const auto& kernels = AtSelectedLevel<PoolTable>();
    workers.For((maps + share - 1) / share, [&](std::size_t index) {
      const std::size_t first = index * share;
      const std::size_t count = std::min(share, maps - first);
      if (epilogue_.Takes32()) {
        RunMaps<std::int32_t>(kernels.sums32, windows, inputs[0].data, first, count, y);
      } else {
        RunMaps<std::int64_t>(kernels.sums64, windows, inputs[0].data, first, count, y);
      }
    });
  }

 private:
  // The largest |sum| of a window; of the whole map, which is not known yet, the largest of all.
  static std::uint64_t LargestSum(const std::optional<Window>& window, Carrier x) {
    return window ? window->kernel[0] * window->kernel[1] * LargestOf(x) : std::uint64_t{1} << 63;
  }

  template <typename Number>
  void RunMaps(const Pool* pools, const MapWindows& windows, const void* x, std::size_t first,
               std::size_t count, void* y) const {
    const std::size_t in = windows.in[0] * windows.in[1];
    const std::size_t out = windows.out[0] * windows.out[1];
    const CodesView codes = {x, x_};
    auto* const padded = ScratchOf<Number>(ScratchUse::kPanel, windows.PaddedSize());
    auto* const columns = ScratchOf<Number>(ScratchUse::kPackedInput, windows.ColumnsSize());
    auto* const sums = ScratchOf<Number>(ScratchUse::kAccumulators, count * out);
    for (std::size_t map = 0; map < count; ++map) {
      pools[static_cast<int>(x_)](windows, codes.At((first + map) * in), padded, columns,
                                  sums + map * out);
    }
    epilogue_.Row(0, sums, ElementOf(y, first * out, y_size_), count * out);
  }

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
