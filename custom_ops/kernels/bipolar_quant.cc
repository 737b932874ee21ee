#include "kernels/bipolar_quant.h"

#include "kernels/element_loops.h"

namespace qonnx_tools {
namespace {

class BipolarQuantElement {
 public:
  explicit BipolarQuantElement(const BipolarQuantParameters& parameters) : shared_(parameters) {}
  float At(std::size_t index) const { return shared_.scale[index]; }
  float operator()(float scale, float x) const { return x >= 0.0f ? scale : -scale; }

 private:
  BipolarQuantParameters shared_;
};

}  // namespace

constinit const BipolarQuantTable BipolarQuantTable::QONNX_TOOLS_LEVEL = {
    LoopsOf<BipolarQuantElement, BipolarQuantParameters>()};

}  // namespace qonnx_tools
