// BipolarQuant (x, scale) of the QONNX dialect.

#include "kernels/bipolar_quant.h"

#include "core/level.h"
#include "glue/parameter.h"
#include "glue/quantizer.h"

namespace qonnx_tools {
namespace {

class BipolarQuant final : public Quantizer {
 public:
  void CheckInput(std::size_t, const Tensor&) const override {}

  std::unique_ptr<Prepared> PrepareInputs(std::span<const Tensor> inputs) const override {
    const Shape& shape = inputs[1].shape;
    std::vector<float> scale = Expanded<float>(inputs[1], shape);
    const BipolarQuantParameters parameters = {scale.data()};
    return Prepare(shape, AtSelectedLevel<BipolarQuantTable>().loops, parameters, std::move(scale));
  }
};

const RegisteredOp registered({"BipolarQuant",
                               kDialectDomains,
                               {{"x", ort::ElementType::kFloat},
                                {"scale", ort::ElementType::kFloat}},
                               [](const Attributes&) -> std::unique_ptr<Quantizer> {
                                 return std::make_unique<BipolarQuant>();
                               }});

}  // namespace
}  // namespace qonnx_tools
