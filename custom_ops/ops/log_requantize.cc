// LogRequantize: y = sign(x) * (how many thresholds |x| reaches).

#include "kernels/log_requantize.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "glue/code_attributes.h"
#include "glue/code_op.h"
#include "glue/shape_inference.h"
#include "ops/elementwise.h"

namespace qonnx_tools {
namespace {

constexpr int kMostBits = 8;

class LogRequantizeKernel final : public ShapedKernel {
 public:
  // 2^steps - 1 thresholds.
  LogRequantizeKernel(Carrier x, Carrier y, const Tensor& thresholds, int steps, bool is_signed)
      : x_(x), y_(y), steps_(steps), signed_(is_signed) {
    for (const std::int64_t threshold : Integers(thresholds)) {
      constexpr std::int64_t kNever = std::numeric_limits<std::uint32_t>::max();
      thresholds_.push_back(static_cast<std::uint32_t>(std::min(threshold, kNever)));
    }
  }

  Shape OutputShape(std::span<const Tensor> inputs) const override { return inputs[0].shape; }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const CodesView x = {inputs[0].data, x_};
    InShares(inputs[0].shape.Count(), workers, [&](std::size_t begin, std::size_t end) {
      alignas(64) PieceBuffer<std::int32_t> codes;
      for (std::size_t at = begin; at < end; at += kPiece) {
        const std::size_t count = std::min(kPiece, end - at);
        x.Load(at, count, codes.data());
        AtSelectedLevel<LogRequantizeTable>().codes({thresholds_.data(), steps_, signed_},
                                                    codes.data(), count);
        AtSelectedLevel<RequantizeTable>().store[static_cast<int>(y_)](
            codes.data(), ElementOf(y, at, SizeOf(y_)), count);
      }
    });
  }

 private:
  Carrier x_;
  Carrier y_;
  std::vector<std::uint32_t> thresholds_;
  int steps_;
  bool signed_;
};

class LogRequantize final : public CodeOp {
 public:
  explicit LogRequantize(const Attributes& attributes)
      : signed_(attributes.Bool("signed", true)),
        magnitude_bits_(attributes.IntWithin("bits", signed_ ? 2 : 1, kMostBits) -
                        (signed_ ? 1 : 0)),
        carrier_(ReadCarrier(attributes, "to")) {
    const std::int64_t largest = (std::int64_t{1} << magnitude_bits_) - 1;
    if (HighestOf(carrier_) < largest || (signed_ && !IsSigned(carrier_))) {
      throw Error("attribute 'to' is " + std::string(TypeName(TypeOf(carrier_))) +
                  ", which does not hold the codes of 'bits' and 'signed'; choose a wider type");
    }
  }
  ort::ElementType OutputType() const override { return TypeOf(carrier_); }

  void CheckParameter(std::size_t, const Tensor& thresholds) const override {
    const std::int64_t count = (std::int64_t{1} << magnitude_bits_) - 1;
    if (thresholds.shape.rank != 1 || thresholds.shape.dims[0] != count) {
      throw Error("input 'thresholds' has shape " + thresholds.shape.Text() +
                  "; attributes 'bits' and 'signed' ask for [" + std::to_string(count) + "]");
    }
    std::int64_t before = 1;
    for (const std::int64_t threshold : Integers(thresholds)) {
      if (threshold < before) {
        throw Error("input 'thresholds' has " + std::to_string(threshold) + " after " +
                    std::to_string(before) +
                    "; give positive thresholds, none below the one before");
      }
      before = threshold;
    }
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    return std::make_unique<LogRequantizeKernel>(CarrierOf(inputs[0].type), carrier_, inputs[1],
                                                 magnitude_bits_, signed_);
  }

 private:
  bool signed_;
  int magnitude_bits_;
  Carrier carrier_;
};

constexpr auto kAny = ort::ElementType::kUndefined;

const RegisteredOp registered({"LogRequantize",
                               {kProjectDomain},
                               {{"x", kAny, false, true, kCodeTypes},
                                {"thresholds", kAny, false, false, kInt64Type}},
                               nullptr,
                               [](const Attributes& attributes) -> std::unique_ptr<CodeOp> {
                                 return std::make_unique<LogRequantize>(attributes);
                               },
                               InferShapeOfX});

}  // namespace
}  // namespace qonnx_tools
