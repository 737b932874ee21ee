// One node in a session: the op, what is known of its inputs, and how it runs.

#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glue/quantizer.h"

namespace qonnx_tools {

class Node {
 public:
  // Checks attributes and constant inputs. Raises Error with the node and the op in the message.
  Node(const OpDefinition& op, const ort::KernelInfo* info);

  void Compute(ort::KernelContext* context) const;

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
