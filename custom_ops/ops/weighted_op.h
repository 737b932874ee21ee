// What FixedConv, ShiftConv, FixedGemm and ShiftGemm share: the inputs x, w, shift, bias,
// multiplier, addend and how they are read.

#pragma once

#include <optional>

#include "glue/code_attributes.h"
#include "glue/code_op.h"
#include "integer/epilogue.h"
#include "integer/weights.h"

namespace qonnx_tools {

enum class WeightKind {
  kFixed,  // w is the weight
  kShift,  // w is a log code: 0, or sign * 2^(|w| - 1)
};

class WeightedOp : public CodeOp {
 public:
  WeightedOp(const Attributes& attributes, WeightKind kind);
  ort::ElementType OutputType() const override { return TypeOf(format_.carrier); }
  void CheckParameter(std::size_t input, const Tensor& tensor) const override;

 protected:
  // Weights in the order in which w stores them.
  std::vector<std::int64_t> Weights(const Tensor& w) const;
  static ChannelParameters ReadChannels(std::span<const Tensor> inputs, std::size_t channels);

  OutputFormat format_;
  int accumulator_bits_;

 private:
  std::optional<int> largest_code_;  // of log weights
};

std::vector<Input> WeightedInputs();

}  // namespace qonnx_tools
