// LogQuant(x, scale): zero and +-scale * g^-k, on floats.

#include "kernels/log_quant.h"

#include "core/level.h"
#include "glue/parameter.h"
#include "glue/quantizer.h"
#include "ops/log_levels.h"

namespace qonnx_tools {
namespace {

class LogQuant final : public Quantizer {
 public:
  explicit LogQuant(const Attributes& attributes) : levels_(attributes, true) {}

  void CheckInput(std::size_t, const Tensor& scale) const override { levels_.CheckScales(scale); }

  std::unique_ptr<Prepared> PrepareInputs(std::span<const Tensor> inputs) const override {
    const Shape& shape = inputs[1].shape;
    LogLevels::Arrays arrays = levels_.ArraysOf(Expanded<float>(inputs[1], shape));
    const LogQuantParameters parameters = levels_.ParametersOf(arrays);
    return Prepare(shape, AtSelectedLevel<LogQuantTable>().by_steps[levels_.Steps() - 1],
                   parameters, std::move(arrays));
  }

 private:
  LogLevels levels_;
};

const RegisteredOp registered({"LogQuant",
                               {kProjectDomain},
                               {{"x", ort::ElementType::kFloat},
                                {"scale", ort::ElementType::kFloat}},
                               [](const Attributes& attributes) -> std::unique_ptr<Quantizer> {
                                 return std::make_unique<LogQuant>(attributes);
                               }});

}  // namespace
}  // namespace qonnx_tools
