// One node of a Quantizer in a session: what is known of its inputs, and how it runs.

#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glue/hosted_kernel.h"
#include "glue/quantizer.h"

namespace qonnx_tools {

// The name of a node, for messages.
std::string NodeName(const ort::KernelInfo* info);
const ort::Value* InputValue(const ort::KernelContext* context, std::size_t index);

class Node final : public HostedKernel {
 public:
  // Checks attributes and constant inputs. Raises Error with the node and the op in the message.
  Node(const OpDefinition& op, const ort::KernelInfo* info);

  void Compute(ort::KernelContext* context) const override;

 private:
  void Create(const ort::KernelInfo* info);
  void Run(ort::KernelContext* context) const;
  void RequireParameters(std::span<const Tensor> inputs) const;
  std::unique_ptr<Prepared> PrepareFrom(const ort::KernelContext* context) const;
  [[noreturn]] void Raise(const std::exception& error) const;

  const OpDefinition& op_;
  std::string name_;
  std::size_t input_count_ = 0;
  std::unique_ptr<Quantizer> quantizer_;
  std::array<bool, kMaxInputs> constant_ = {};
  std::unique_ptr<Prepared> prepared_;  // if all parameters are constant
  struct Result {
    Shape shape;
    std::vector<float> y;
  };
  std::optional<Result> result_;  // if x is constant, too
};

}  // namespace qonnx_tools
