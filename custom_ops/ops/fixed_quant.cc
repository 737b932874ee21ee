// FixedQuant(x, frac): fixed point of `bits` bits and `frac` fraction bits, on floats.

#include "kernels/fixed_quant.h"

#include <cstdint>

#include "core/level.h"
#include "glue/frac.h"
#include "glue/quantizer.h"

namespace qonnx_tools {
namespace {

constexpr int kFloatIntegerBits = 24;  // float32 holds every integer up to 2^24

// The largest integer <= limit that float32 holds; limit >= 0.
float LargestFloatInteger(std::int64_t limit) {
  int spare = 0;
  while ((limit >> spare) >> kFloatIntegerBits != 0) ++spare;
  return static_cast<float>((limit >> spare) << spare);
}

struct Arrays {
  std::vector<float> up;
  std::vector<float> down;
};

class FixedQuant final : public Quantizer {
 public:
  explicit FixedQuant(const Attributes& attributes)
      : bits_(attributes.IntWithin("bits", 0, 32)),
        signed_(attributes.Bool("signed", true)),
        narrow_(attributes.Bool("narrow", false)),
        rounding_(attributes.IntWithin("rounding", 0, kRoundings - 1, 0)) {
    if (narrow_ && !signed_) {
      throw Error("attribute 'narrow' is 1 but 'signed' is 0; only a signed format can be narrow");
    }
  }

  void CheckInput(std::size_t, const Tensor& frac) const override { CheckFrac(frac); }

  std::unique_ptr<Prepared> PrepareInputs(std::span<const Tensor> inputs) const override {
    const Shape& shape = inputs[1].shape;
    Arrays arrays = {PowersOf(inputs[1], 1), PowersOf(inputs[1], -1)};
    std::int64_t low = 0;
    std::int64_t high = 0;
    if (bits_ > 0) {
      const std::int64_t codes = std::int64_t{1} << (signed_ ? bits_ - 1 : bits_);
      low = signed_ ? -codes + (narrow_ ? 1 : 0) : 0;
      high = codes - 1;
    }
    const FixedQuantParameters parameters = {arrays.up.data(), arrays.down.data(),
                                             -LargestFloatInteger(-low), LargestFloatInteger(high)};
    return Prepare(shape, AtSelectedLevel<FixedQuantTable>().by_rounding[rounding_], parameters,
                   std::move(arrays));
  }

 private:
  int bits_;
  bool signed_;
  bool narrow_;
  int rounding_;
};

const RegisteredOp registered({"FixedQuant",
                               {kProjectDomain},
                               {{"x", ort::ElementType::kFloat},
                                {"frac", ort::ElementType::kInt64}},
                               [](const Attributes& attributes) -> std::unique_ptr<Quantizer> {
                                 return std::make_unique<FixedQuant>(attributes);
                               }});

}  // namespace
}  // namespace qonnx_tools
