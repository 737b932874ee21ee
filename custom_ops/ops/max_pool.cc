// FixedMaxPool: the largest code of each window.

#include <cstdint>

#include "core/scratch.h"
#include "glue/code_attributes.h"
#include "glue/code_op.h"
#include "glue/shape_inference.h"
#include "kernels/pool.h"
#include "ops/elementwise.h"
#include "ops/spatial.h"

namespace qonnx_tools {
namespace {

class MaxPoolKernel final : public ShapedKernel {
 public:
  MaxPoolKernel(const Window& window, Carrier carrier) : window_(window), carrier_(carrier) {}

  Shape OutputShape(std::span<const Tensor> inputs) const override {
    Shape y = inputs[0].shape;
    const SpatialSizes sizes = SizesFor(window_, y);
    for (std::size_t axis = 0; axis < window_.axes; ++axis) {
      y.dims[2 + axis] = static_cast<std::int64_t>(sizes.out[2 - window_.axes + axis]);
    }
    return y;
  }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const Shape& shape = inputs[0].shape;
    const MapWindows windows = WindowsOf(window_, SizesFor(window_, shape));
    const CodesView x = {inputs[0].data, carrier_};
    const std::size_t size = SizeOf(carrier_);
    const std::size_t in = windows.in[0] * windows.in[1];
    const std::size_t out = windows.out[0] * windows.out[1];
    const auto maps = static_cast<std::size_t>(shape.dims[0] * shape.dims[1]);
    const std::size_t share = std::max<std::size_t>(1, kShare / std::max<std::size_t>(in, 1));
    const auto maxima = AtSelectedLevel<PoolTable>().maxima[static_cast<int>(carrier_)];
    workers.For((maps + share - 1) / share, [&](std::size_t index) {
      void* const padded = Scratch(ScratchUse::kPanel, windows.PaddedSize() * size);
      void* const columns = Scratch(ScratchUse::kAccumulators, windows.ColumnsSize() * size);
      const std::size_t end = std::min(maps, (index + 1) * share);
      for (std::size_t map = index * share; map < end; ++map) {
        maxima(windows, x.At(map * in), padded, columns, ElementOf(y, map * out, size));
      }
    });
  }

 private:
  Window window_;
  Carrier carrier_;
};

class FixedMaxPool final : public CodeOp {
 public:
  explicit FixedMaxPool(const Attributes& attributes)
      : window_(ReadWindow(attributes)), carrier_(ReadCarrier(attributes, "to")) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
      const std::size_t extent = window_.dilation[axis] * (window_.kernel[axis] - 1) + 1;
      const std::size_t pad = std::max(window_.pad_begin[axis], window_.pad_end[axis]);
      if (pad >= extent) {
        throw Error("attribute 'pads' has " + std::to_string(pad) + "; a window spans " +
                    std::to_string(extent) + ", and padding must be smaller");
      }
    }
  }
  ort::ElementType OutputType() const override { return TypeOf(carrier_); }
  void CheckParameter(std::size_t, const Tensor&) const override {}  // it has none

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    if (inputs[0].type != OutputType()) {
      throw Error(std::string("input 'x' is ") + TypeName(inputs[0].type) +
                  "; attribute 'to' says " + TypeName(OutputType()) + ", which it must be");
    }
    return std::make_unique<MaxPoolKernel>(window_, carrier_);
  }

 private:
  Window window_;
  Carrier carrier_;
};

void InferMaxPool(ShapeInference& inference) {
  InferredShape y = inference.Input(0);
  if (y.size() > 2) {
    const InferredShape spatial = InferWindowed(inference, y);
    std::copy(spatial.begin(), spatial.end(), y.begin() + 2);
  }
  inference.SetOutput(y, inference.To());
}

constexpr auto kAny = ort::ElementType::kUndefined;

const RegisteredOp registered({"FixedMaxPool",
                               {kProjectDomain},
                               {{"x", kAny, false, true, kCodeTypes}},
                               nullptr,
                               [](const Attributes& attributes) -> std::unique_ptr<CodeOp> {
                                 return std::make_unique<FixedMaxPool>(attributes);
                               },
                               InferMaxPool});

}  // namespace
}  // namespace qonnx_tools
