// Quantize, Dequantize, LogQuantize and LogDequantize: from floats to codes and back.

#include <cstdint>

#include "glue/code_attributes.h"
#include "glue/code_op.h"
#include "glue/frac.h"
#include "glue/shape_inference.h"
#include "kernels/code_elements.h"
#include "ops/elementwise.h"
#include "ops/log_levels.h"

namespace qonnx_tools {
namespace {

const CodeElementsTable& Kernels() { return AtSelectedLevel<CodeElementsTable>(); }

// Elementwise, with one parameter that broadcasts to x.
class EncodingKernel : public ShapedKernel {
 public:
  explicit EncodingKernel(const Shape& parameters) : parameters_(parameters) {}

  Shape OutputShape(std::span<const Tensor> inputs) const final {
    BroadcastIndex(parameters_, inputs[0].shape);  // raises if they do not fit
    return inputs[0].shape;
  }

 protected:
  // Calls piece(begin, count, parameter, step) for pieces of all elements.
  template <typename Piece>
  void ForAll(const Shape& shape, const Workers& workers, Piece piece) const {
    const BroadcastIndex index(parameters_, shape);
    InShares(shape.Count(), workers,
             [&](std::size_t begin, std::size_t end) { ForEachPiece(index, begin, end, piece); });
  }

 private:
  Shape parameters_;
};

void StoreCodes(const PieceBuffer<std::int32_t>& codes, Carrier carrier, void* y, std::size_t begin,
                std::size_t count) {
  AtSelectedLevel<RequantizeTable>().store[static_cast<int>(carrier)](
      codes.data(), static_cast<std::uint8_t*>(y) + begin * SizeOf(carrier), count);
}

class QuantizeKernel final : public EncodingKernel {
 public:
  QuantizeKernel(const Tensor& frac, const OutputFormat& format)
      : EncodingKernel(frac.shape), up_(PowersOf(frac, 1)), format_(format) {}

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const float* const x = inputs[0].Floats();
    const auto quantize = Kernels().quantize[format_.rounding];
    ForAll(inputs[0].shape, workers,
           [&](std::size_t at, std::size_t count, std::size_t index, std::size_t step) {
             PieceBuffer<std::int32_t> codes;
             quantize(x + at, &up_[index], step, format_.low, format_.high, codes.data(), count);
             StoreCodes(codes, format_.carrier, y, at, count);
           });
  }

 private:
  std::vector<float> up_;
  OutputFormat format_;
};

class DequantizeKernel final : public EncodingKernel {
 public:
  DequantizeKernel(const Tensor& frac, Carrier x)
      : EncodingKernel(frac.shape), down_(PowersOf(frac, -1)), x_(x) {}

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const CodesView x = {inputs[0].data, x_};
    ForAll(inputs[0].shape, workers,
           [&](std::size_t at, std::size_t count, std::size_t index, std::size_t step) {
             PieceBuffer<std::int32_t> codes;
             x.Load(at, count, codes.data());
             Kernels().dequantize(codes.data(), &down_[index], step, static_cast<float*>(y) + at,
                                  count);
           });
  }

 private:
  std::vector<float> down_;
  Carrier x_;
};

std::vector<float> FloatsOf(const Tensor& tensor) {
  return {tensor.Floats(), tensor.Floats() + tensor.shape.Count()};
}

class LogQuantizeKernel final : public EncodingKernel {
 public:
  LogQuantizeKernel(const Tensor& scale, const LogLevels& levels, Carrier y)
      : EncodingKernel(scale.shape),
        arrays_(levels.ArraysOf(FloatsOf(scale))),
        parameters_(levels.ParametersOf(arrays_)),
        steps_(levels.Steps()),
        y_(y) {}

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const float* const x = inputs[0].Floats();
    ForAll(inputs[0].shape, workers,
           [&](std::size_t at, std::size_t count, std::size_t index, std::size_t step) {
             PieceBuffer<std::int32_t> codes;
             Kernels().log_quantize[steps_ - 1](parameters_, index, step, x + at, codes.data(),
                                                count);
             StoreCodes(codes, y_, y, at, count);
           });
  }

 private:
  LogLevels::Arrays arrays_;
  LogQuantParameters parameters_;
  int steps_;
  Carrier y_;
};

class LogDequantizeKernel final : public EncodingKernel {
 public:
  LogDequantizeKernel(const Tensor& scale, const LogLevels& levels, Carrier x)
      : EncodingKernel(scale.shape), count_(levels.Count()), signed_(levels.IsSigned()), x_(x) {
    for (const float each : FloatsOf(scale)) {
      values_.push_back(0);
      for (int k = count_ - 1; k >= 0; --k) values_.push_back(levels.Magnitude(each, k));
    }
  }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const CodesView x = {inputs[0].data, x_};
    const auto table = static_cast<std::size_t>(count_) + 1;
    const int low = signed_ ? -count_ : 0;
    ForAll(inputs[0].shape, workers,
           [&](std::size_t at, std::size_t count, std::size_t index, std::size_t step) {
             PieceBuffer<std::int32_t> codes;
             float* const out = static_cast<float*>(y) + at;
             x.Load(at, count, codes.data());
             const std::size_t run = step == 0 ? count : 1;
             for (std::size_t i = 0; i < count; i += run) {
               Kernels().log_dequantize(codes.data() + i, &values_[(index + i * step) * table], low,
                                        count_, out + i, run);
             }
           });
  }

 private:
  std::vector<float> values_;  // [scale][code 0 .. K]
  int count_;
  bool signed_;
  Carrier x_;
};

class Quantize final : public CodeOp {
 public:
  explicit Quantize(const Attributes& attributes) : format_(ReadOutputFormat(attributes)) {}
  ort::ElementType OutputType() const override { return TypeOf(format_.carrier); }
  void CheckParameter(std::size_t, const Tensor& frac) const override { CheckFrac(frac); }
  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    return std::make_unique<QuantizeKernel>(inputs[1], format_);
  }

 private:
  OutputFormat format_;
};

class Dequantize final : public CodeOp {
 public:
  explicit Dequantize(const Attributes&) {}
  ort::ElementType OutputType() const override { return ort::ElementType::kFloat; }
  void CheckParameter(std::size_t, const Tensor& frac) const override { CheckFrac(frac); }
  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    return std::make_unique<DequantizeKernel>(inputs[1], CarrierOf(inputs[0].type));
  }
};

class LogQuantize final : public CodeOp {
 public:
  explicit LogQuantize(const Attributes& attributes)
      : levels_(attributes, true), carrier_(ReadCarrier(attributes, "to")) {
    const int low = levels_.IsSigned() ? -levels_.Count() : 0;
    if (low < LowestOf(carrier_) || levels_.Count() > HighestOf(carrier_)) {
      throw Error(std::string("attribute 'to' is ") + TypeName(OutputType()) +
                  ", which does not hold the codes " + std::to_string(low) + ".." +
                  std::to_string(levels_.Count()) + "; choose a wider type");
    }
  }
  ort::ElementType OutputType() const override { return TypeOf(carrier_); }
  void CheckParameter(std::size_t, const Tensor& scale) const override {
    levels_.CheckScales(scale);
  }
  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    return std::make_unique<LogQuantizeKernel>(inputs[1], levels_, carrier_);
  }

 private:
  LogLevels levels_;
  Carrier carrier_;
};

class LogDequantize final : public CodeOp {
 public:
  explicit LogDequantize(const Attributes& attributes) : levels_(attributes, false) {}
  ort::ElementType OutputType() const override { return ort::ElementType::kFloat; }
  void CheckParameter(std::size_t, const Tensor& scale) const override {
    levels_.CheckScales(scale);
  }
  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    return std::make_unique<LogDequantizeKernel>(inputs[1], levels_, CarrierOf(inputs[0].type));
  }

 private:
  LogLevels levels_;
};

void InferFloat(ShapeInference& inference) {
  inference.SetOutput(inference.Input(0), ort::ElementType::kFloat);
}

template <typename Op>
std::unique_ptr<CodeOp> Create(const Attributes& attributes) {
  return std::make_unique<Op>(attributes);
}

template <typename Op>
OpDefinition Definition(const char* name, const Input& x, const Input& parameter,
                        void (*infer)(ShapeInference&)) {
  return {name, {kProjectDomain}, {x, parameter}, nullptr, Create<Op>, infer};
}

constexpr auto kAny = ort::ElementType::kUndefined;
constexpr Input kFloats = {"x", kAny, false, true, kFloatType};
constexpr Input kCodes = {"codes", kAny, false, true, kCodeTypes};
constexpr Input kFrac = {"frac", kAny, false, false, kInt64Type};
constexpr Input kScale = {"scale", kAny, false, false, kFloatType};

const RegisteredOp quantize(Definition<Quantize>("Quantize", kFloats, kFrac, InferShapeOfX));
const RegisteredOp dequantize(Definition<Dequantize>("Dequantize", kCodes, kFrac, InferFloat));
const RegisteredOp log_quantize(Definition<LogQuantize>("LogQuantize", kFloats, kScale,
                                                        InferShapeOfX));
const RegisteredOp log_dequantize(Definition<LogDequantize>("LogDequantize", kCodes, kScale,
                                                            InferFloat));

}  // namespace
}  // namespace qonnx_tools
