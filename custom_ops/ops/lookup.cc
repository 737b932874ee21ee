// Lookup: y = table[code - lowest code of the input format]; codes outside it read the table's end.

#include "kernels/lookup.h"

#include <cstdint>
#include <utility>

#include "glue/code_attributes.h"
#include "glue/code_op.h"
#include "glue/shape_inference.h"
#include "ops/elementwise.h"

namespace qonnx_tools {
namespace {

constexpr int kMostBits = 16;

class LookupKernel final : public ShapedKernel {
 public:
  LookupKernel(Carrier x, const Tensor& table, std::int32_t low, std::int32_t high)
      : x_(x),
        entry_(SizeOf(CarrierOf(table.type))),
        table_(static_cast<const std::uint8_t*>(table.data),
               static_cast<const std::uint8_t*>(table.data) + table.shape.Count() * entry_),
        low_(low),
        high_(high) {
    if (SizeOf(x) == 1) ExtendToBytes();
  }

  Shape OutputShape(std::span<const Tensor> inputs) const override { return inputs[0].shape; }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const CodesView x = {inputs[0].data, x_};
    const auto& kernels = AtSelectedLevel<LookupTable>();
    InShares(inputs[0].shape.Count(), workers, [&](std::size_t begin, std::size_t end) {
      void* const to = ElementOf(y, begin, entry_);
      if (SizeOf(x_) == 1) {
        kernels.bytes[entry_ / 2](table_.data(), x.At(begin), to, end - begin);
      } else {
        const CodeTable table = {table_.data(), low_, high_};
        kernels.codes[static_cast<int>(x_) - static_cast<int>(Carrier::kInt16)][entry_ / 2](
            table, x.At(begin), to, end - begin);
      }
    });
  }

 private:
  // An entry for each byte, read as an unsigned number.
  void ExtendToBytes() {
    std::vector<std::uint8_t> extended;
    for (std::int32_t byte = 0; byte < 256; ++byte) {
      const std::int32_t code = IsSigned(x_) && byte > 127 ? byte - 256 : byte;
      const auto at = static_cast<std::size_t>(std::clamp(code, low_, high_) - low_) * entry_;
      extended.insert(extended.end(), &table_[at], &table_[at] + entry_);
    }
    table_ = std::move(extended);
  }

  Carrier x_;
  std::size_t entry_;
  std::vector<std::uint8_t> table_;
  std::int32_t low_;
  std::int32_t high_;
};

class Lookup final : public CodeOp {
 public:
  explicit Lookup(const Attributes& attributes)
      : bits_(attributes.IntWithin("input_bits", 1, kMostBits)),
        signed_(attributes.Bool("input_signed", true)),
        carrier_(ReadCarrier(attributes, "to")) {}
  ort::ElementType OutputType() const override { return TypeOf(carrier_); }

  void CheckParameter(std::size_t, const Tensor& table) const override {
    if (table.shape.rank != 1 || table.shape.dims[0] != std::int64_t{1} << bits_) {
      throw Error("input 'table' has shape " + table.shape.Text() + "; attribute 'input_bits' " +
                  std::to_string(bits_) + " asks for [" + std::to_string(1 << bits_) + "]");
    }
    if (table.type != OutputType()) {
      throw Error(std::string("input 'table' is ") + TypeName(table.type) +
                  "; attribute 'to' asks for " + TypeName(OutputType()));
    }
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    const std::int32_t low = signed_ ? -(1 << (bits_ - 1)) : 0;
    return std::make_unique<LookupKernel>(CarrierOf(inputs[0].type), inputs[1], low,
                                          low + (1 << bits_) - 1);
  }

 private:
  int bits_;
  bool signed_;
  Carrier carrier_;
};

constexpr auto kAny = ort::ElementType::kUndefined;

const RegisteredOp registered({"Lookup",
                               {kProjectDomain},
                               {{"x", kAny, false, true, kCodeTypes},
                                {"table", kAny, false, false, kCodeTypes}},
                               nullptr,
                               [](const Attributes& attributes) -> std::unique_ptr<CodeOp> {
                                 return std::make_unique<Lookup>(attributes);
                               },
                               InferShapeOfX});

}  // namespace
}  // namespace qonnx_tools
