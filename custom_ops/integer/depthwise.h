// Convolution in which each input channel has filters of its own, with 32-bit accumulators.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "integer/convolution.h"
#include "kernels/depthwise.h"

namespace qonnx_tools {

class Depthwise final : public ConvolutionPlan {
 public:
  // Whether this class computes the convolution.
  static bool Takes(const ConvolutionGeometry& geometry, const WeightMatrix& weights, Carrier x,
                    const EndingTerms& terms);

  Depthwise(const ConvolutionGeometry& geometry, const WeightMatrix& weights, Carrier x,
            const EndingTerms& terms);

  void Run(const ImageSize& size, const ConvolutionTensors& tensors,
           const Workers& workers) const override;

 private:
  void RunChannel(const ImageSize& size, const std::size_t* offsets, std::size_t channel,
                  const ConvolutionTensors& tensors) const;

  ConvolutionGeometry geometry_;
  Carrier x_carrier_;
  std::size_t y_size_;
  std::size_t residual_size_;
  Ending ending_;
  std::vector<std::int32_t> weights_;  // [filter][tap], modulo 2^32
};

}  // namespace qonnx_tools
