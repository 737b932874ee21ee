// A convolution of codes with constant weights, also as the first part of a larger op.

#pragma once

#include <memory>

#include "ops/spatial.h"
#include "ops/weighted_op.h"

namespace qonnx_tools {

class ConvolutionOp : public WeightedOp {
 public:
  // `format` is that of the convolution's codes.
  ConvolutionOp(const Attributes& attributes, WeightKind kind, const OutputFormat& format);

  void CheckParameter(std::size_t input, const Tensor& tensor) const override;
  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override;

 private:
  void CheckWeights(const Shape& w) const;

  Window window_;
  int groups_;
};

inline constexpr std::size_t kResidual = 6;  // the input that is added, where there is one

void InferConvolution(ShapeInference& inference);

}  // namespace qonnx_tools
