// What onnxruntime holds for one node.

#pragma once

#include "abi/ort_abi.h"

namespace qonnx_tools {

class HostedKernel {
 public:
  virtual ~HostedKernel() = default;
  virtual void Compute(ort::KernelContext* context) const = 0;
};

}  // namespace qonnx_tools
