// FixedAdd and FixedMul: sums and products of two tensors of codes that broadcast together.

#include <cstdint>

#include "glue/code_attributes.h"
#include "glue/code_op.h"
#include "glue/parameter.h"
#include "glue/shape_inference.h"
#include "integer/code_sum.h"
#include "integer/narrow_elements.h"
#include "kernels/code_elements.h"
#include "ops/elementwise.h"

namespace qonnx_tools {
namespace {

struct Product {
  using Narrow = NarrowProduct;

  std::uint64_t Bound(Carrier a, Carrier b) const { return LargestOf(a) * LargestOf(b); }
  std::optional<Narrow> NarrowOf(Carrier a, Carrier b, std::int64_t shift,
                                 const OutputFormat& format) const {
    return Narrow::Of(a, b, shift, format);
  }
  void operator()(const std::int32_t* a, const std::int32_t* b, std::int32_t* y,
                  std::size_t count) const {
    AtSelectedLevel<CodeElementsTable>().multiply32(a, b, y, count);
  }
  void operator()(const std::int64_t* a, const std::int64_t* b, std::int64_t* y,
                  std::size_t count) const {
    AtSelectedLevel<CodeElementsTable>().multiply64(a, b, y, count);
  }
};

template <typename Operation>
class BinaryKernel final : public ShapedKernel {
 public:
  BinaryKernel(const Operation& operation, Carrier a, Carrier b, const OutputFormat& format,
               const Tensor& shift)
      : operation_(operation),
        a_(a),
        b_(b),
        y_size_(SizeOf(format.carrier)),
        shift_shape_(shift.shape),
        epilogue_(format, 64,
                  {Filled(shift, 0), Filled(shift, 1), Filled(shift, 0), Integers(shift)},
                  std::vector<std::uint64_t>(shift.shape.Count(), operation.Bound(a, b)),
                  Filled(shift, 0)) {
    if (shift.shape.Count() != 1) return;
    narrow_ = operation.NarrowOf(a, b, Integers(shift).front(), format);
  }

  Shape OutputShape(std::span<const Tensor> inputs) const override {
    const Shape y = BroadcastTogether(inputs[0].shape, inputs[1].shape);
    BroadcastIndex(shift_shape_, y);  // raises if it does not fit
    return y;
  }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const Shape shape = BroadcastTogether(inputs[0].shape, inputs[1].shape);
    const BroadcastCodes a({inputs[0].data, a_}, inputs[0].shape, shape);
    const BroadcastCodes b({inputs[1].data, b_}, inputs[1].shape, shape);
    if (narrow_) {
      InShares(shape.Count(), workers,
               [&](std::size_t begin, std::size_t end) { RunNarrow(a, b, begin, end, y); });
      return;
    }
    const BroadcastIndex index(shift_shape_, shape);
    InShares(shape.Count(), workers, [&](std::size_t begin, std::size_t end) {
      RequantizeRange(epilogue_, index, begin, end, y, y_size_,
                      [&]<typename T>(std::size_t at, std::size_t count, T* results) {
                        alignas(64) PieceBuffer<T> codes_a;
                        alignas(64) PieceBuffer<T> codes_b;
                        a.Load(at, count, codes_a.data());
                        b.Load(at, count, codes_b.data());
                        operation_(codes_a.data(), codes_b.data(), results, count);
                      });
    });
  }

 private:
  static std::vector<std::int64_t> Filled(const Tensor& shift, std::int64_t value) {
    return std::vector<std::int64_t>(shift.shape.Count(), value);
  }

  // Along the inner axis of y one of a and b may be one code throughout, not both.
  void RunNarrow(const BroadcastCodes& a, const BroadcastCodes& b, std::size_t begin,
                 std::size_t end, void* y) const {
    a.ForEachRun(begin, end, [&](std::size_t first, std::size_t run, const void* at_a, bool one_a) {
      const std::size_t step_a = one_a ? 0 : SizeOf(a_);
      b.ForEachRun(
          first, first + run, [&](std::size_t at, std::size_t count, const void* at_b, bool one_b) {
            const void* const from = static_cast<const std::uint8_t*>(at_a) + (at - first) * step_a;
            void* const to = ElementOf(y, at, y_size_);
            if (one_a) {
              narrow_->RunWithOneA(from, at_b, to, count);
            } else if (one_b) {
              narrow_->RunWithOneB(from, at_b, to, count);
            } else {
              narrow_->Run(from, at_b, to, count);
            }
          });
    });
  }

  Operation operation_;
  Carrier a_;
  Carrier b_;
  std::size_t y_size_;
  Shape shift_shape_;
  Epilogue epilogue_;
  std::optional<typename Operation::Narrow> narrow_;
};

class FixedAdd final : public CodeOp {
 public:
  explicit FixedAdd(const Attributes& attributes) : format_(ReadOutputFormat(attributes)) {}
  ort::ElementType OutputType() const override { return TypeOf(format_.carrier); }

  void CheckParameter(std::size_t input, const Tensor& tensor) const override {
    const char* const name = input == 2 ? "left_a" : input == 3 ? "left_b" : "shift";
    const std::int64_t value = OneInteger(name, tensor);
    if (input == 4) {
      CheckShifts(name, tensor);
    } else if (value < 0 || value > 62) {
      throw Error(InputName(name) + " is " + std::to_string(value) + "; it must lie in 0..62");
    }
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    const AlignedSum sum = {static_cast<int>(OneInteger("left_a", inputs[2])),
                            static_cast<int>(OneInteger("left_b", inputs[3]))};
    Tensor shift = inputs[4];
    shift.shape = {};
    return std::make_unique<BinaryKernel<AlignedSum>>(sum, CarrierOf(inputs[0].type),
                                                      CarrierOf(inputs[1].type), format_, shift);
  }

 private:
  OutputFormat format_;
};

class FixedMul final : public CodeOp {
 public:
  explicit FixedMul(const Attributes& attributes) : format_(ReadOutputFormat(attributes)) {}
  ort::ElementType OutputType() const override { return TypeOf(format_.carrier); }

  void CheckParameter(std::size_t, const Tensor& shift) const override {
    CheckShifts("shift", shift);
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    return std::make_unique<BinaryKernel<Product>>(Product{}, CarrierOf(inputs[0].type),
                                                   CarrierOf(inputs[1].type), format_, inputs[2]);
  }

 private:
  OutputFormat format_;
};

void InferBroadcast(ShapeInference& inference) {
  InferredShape a = inference.Input(0);
  InferredShape b = inference.Input(1);
  if (a.size() < b.size()) a.swap(b);
  const std::size_t lead = a.size() - b.size();
  for (std::size_t i = 0; i < b.size(); ++i) {
    InferredDim& dim = a[lead + i];
    if (b[i].size == 1) continue;
    if (dim.size == 1) {
      dim = b[i];
    } else if (dim.size != b[i].size || dim.name != b[i].name) {
      // One of the two may turn out to be 1, unless the other is known to be larger.
      if (b[i].size > 1) dim = b[i];
      if (dim.size <= 1) dim = {};
    }
  }
  inference.SetOutput(a, inference.To());
}

template <typename Op>
std::unique_ptr<CodeOp> Create(const Attributes& attributes) {
  return std::make_unique<Op>(attributes);
}

constexpr auto kAny = ort::ElementType::kUndefined;

const RegisteredOp add({"FixedAdd",
                        {kProjectDomain},
                        {{"a", kAny, false, true, kCodeTypes},
                         {"b", kAny, false, true, kCodeTypes},
                         {"left_a", kAny, false, false, kInt64Type},
                         {"left_b", kAny, false, false, kInt64Type},
                         {"shift", kAny, false, false, kInt64Type}},
                        nullptr,
                        Create<FixedAdd>,
                        InferBroadcast});
const RegisteredOp multiply({"FixedMul",
                             {kProjectDomain},
                             {{"a", kAny, false, true, kCodeTypes},
                              {"b", kAny, false, true, kCodeTypes},
                              {"shift", kAny, false, false, kInt64Type}},
                             nullptr,
                             Create<FixedMul>,
                             InferBroadcast});

}  // namespace
}  // namespace qonnx_tools
