// Convolution in which each input channel has filters of its own, in blocks of 16 outputs.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "integer/convolution.h"
#include "integer/depthwise_map.h"
#include "kernels/depthwise_blocks.h"
#include "kernels/depthwise_pad.h"

namespace qonnx_tools {

class DepthwiseBlocks final : public ConvolutionPlan {
 public:
  // Null if the CPU or the numbers do not allow it. Every group must have one input channel.
  static std::unique_ptr<DepthwiseBlocks> Of(const ConvolutionGeometry& geometry,
                                             const WeightMatrix& weights, Carrier x,
                                             const EndingTerms& terms);

  void Run(const ImageSize& size, const ConvolutionTensors& tensors,
           const Workers& workers) const override;

 private:
  // How each filter finishes, as FinishesOf gives it, or none: then the epilogue finishes.
  struct Finishes {
    std::vector<std::int32_t> bias;
    std::vector<DepthwiseFinish> finish;  // the distinct ones
    std::vector<std::uint16_t> index;     // of each filter, in those
  };
  static Finishes FinishesOf(const WeightMatrix& weights, Carrier x,
                             const std::vector<std::int64_t>& corrections,
                             const EndingTerms& terms);

  DepthwiseBlocks(const ConvolutionGeometry& geometry, const WeightMatrix& weights, Carrier x,
                  bool bytes, const EndingTerms& terms, const Epilogue& epilogue,
                  Finishes finishes);

  void RunChannel(const DepthwiseMap& map, std::size_t channel, const ConvolutionTensors& tensors,
                  void* padded) const;

  ConvolutionGeometry geometry_;
  DepthwiseTaps taps_;
  std::size_t x_size_;
  std::size_t code_size_;
  std::size_t y_size_;
  std::size_t residual_size_;
  DepthwisePad pad_;
  DepthwisePad pad_small_;
  DepthwiseFilterKernel sums_;
  std::vector<DepthwiseFilterKernel> filters_;  // of each distinct finish
  Epilogue epilogue_;
  std::optional<CodeSum> sum_;
  Finishes finishes_;
  bool fused_;  // whether the filters finish
  // What each channel reads lies together: [filter][bias, then the units of its taps].
  std::vector<std::int32_t> numbers_;
  std::size_t filter_numbers_;
};

}  // namespace qonnx_tools
