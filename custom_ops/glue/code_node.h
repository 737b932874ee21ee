// One node of a CodeOp in a session: what is known of its inputs, and how it runs.

#pragma once

#include <array>
#include <memory>
#include <string>

#include "glue/code_op.h"
#include "glue/hosted_kernel.h"

namespace qonnx_tools {

class CodeNode final : public HostedKernel {
 public:
  // Checks attributes, types and constant inputs. Raises Error with the node and the op in the
  // message.
  CodeNode(const OpDefinition& op, const ort::KernelInfo* info);

  void Compute(ort::KernelContext* context) const override;

 private:
  using Inputs = std::array<Tensor, kMaxInputs>;

  void Create(const ort::KernelInfo* info);
  void Run(ort::KernelContext* context) const;
  void CheckInput(std::size_t index, const Tensor& tensor) const;
  [[noreturn]] void Raise(const std::exception& error) const;

  const OpDefinition& op_;
  std::string name_;
  std::size_t input_count_ = 0;
  std::unique_ptr<CodeOp> code_op_;
  std::array<bool, kMaxInputs> constant_ = {};
  std::array<ort::ElementType, kMaxInputs> types_ = {};
  std::unique_ptr<CodeKernel> kernel_;  // if all parameters are constant
};

}  // namespace qonnx_tools
