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
                    const OutputFormat& format, int accumulator_bits,
                    const ChannelParameters& parameters);

  Depthwise(const ConvolutionGeometry& geometry, const WeightMatrix& weights, Carrier x,
            const OutputFormat& format, int accumulator_bits, const ChannelParameters& parameters);

  void Run(const ImageSize& size, const void* x, void* y, const Workers& workers) const override;

 private:
  void RunChannel(const ImageSize& size, const std::size_t* offsets, std::size_t channel,
                  const std::uint8_t* x, std::uint8_t* y) const;

  ConvolutionGeometry geometry_;
  Carrier x_carrier_;
  std::size_t y_size_;
  Epilogue epilogue_;
  std::vector<std::int32_t> weights_;  // [filter][tap], modulo 2^32
};

}  // namespace qonnx_tools
