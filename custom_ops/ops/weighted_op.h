// What FixedConv, ShiftConv, LogConv, FixedGemm, ShiftGemm and LogGemm share: the inputs x, w,
// shift, bias, multiplier, addend and how they are read.

#pragma once

#include <memory>
#include <optional>

#include "glue/code_attributes.h"
#include "glue/code_op.h"
#include "integer/ending.h"
#include "integer/log_planes.h"
#include "integer/weights.h"

namespace qonnx_tools {

enum class WeightKind {
  kFixed,  // w is the weight
  kShift,  // w is a log code: 0, or sign * g^(|w| - 1), g = 2 or sqrt(2)
  kLog,    // so are w and x
};

class WeightedOp : public CodeOp {
 public:
  // `format` is that of the codes that the accumulators become.
  WeightedOp(const Attributes& attributes, WeightKind kind, const OutputFormat& format);
  ort::ElementType OutputType() const override { return TypeOf(format_.carrier); }
  void CheckParameter(std::size_t input, const Tensor& tensor) const override;

 protected:
  // Of the codes w as rows of outputs, with the carrier of x; null unless both are log codes.
  std::unique_ptr<LogPlanes> PlanesOf(const WeightMatrix& w, Carrier x) const;
  // What a kernel multiplies with x as it is: two rows a row of w with two steps.
  WeightMatrix Multiplied(WeightMatrix w) const;
  // From the parameters of all inputs, of that many output channels.
  virtual EndingTerms TermsOf(std::span<const Tensor> inputs, std::size_t channels) const;

 private:
  std::optional<int> LargestCode() const;  // of log weights

  OutputFormat format_;
  int accumulator_bits_;
  WeightKind kind_;
  LogUnit unit_ = {};  // of shifts: weight_bits and steps alone
};

// x, w, shift, bias, multiplier and addend, the last three optional or not.
std::vector<Input> WeightedInputs(bool optional = true);

}  // namespace qonnx_tools
