// What an op on integer codes is to the glue.

#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/shape.h"
#include "core/workers.h"
#include "glue/attributes.h"
#include "glue/host.h"
#include "glue/op_definition.h"

namespace qonnx_tools {

// Where a kernel writes y.
class Output {
 public:
  virtual ~Output() = default;
  // Memory for y of this shape and the output type; to be asked for once.
  virtual void* Allocate(const Shape& shape) const = 0;
};

// Parameters in the form that the kernels take, ready for any data inputs.
class CodeKernel {
 public:
  virtual ~CodeKernel() = default;
  // Raises Error if the data inputs do not fit the parameters or each other.
  virtual void Compute(std::span<const Tensor> inputs, const Output& y,
                       const Workers& workers) const = 0;
};

// A kernel whose inputs' shapes say that of y.
class ShapedKernel : public CodeKernel {
 public:
  void Compute(std::span<const Tensor> inputs, const Output& y, const Workers& workers) const final;

 private:
  // Raises Error if the data inputs do not fit the parameters or each other.
  virtual Shape OutputShape(std::span<const Tensor> inputs) const = 0;
  // Computes all of y, which has the output type and shape and at least one element.
  virtual void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const = 0;
};

// A node of an op on codes, its attributes read.
class CodeOp {
 public:
  virtual ~CodeOp() = default;
  virtual ort::ElementType OutputType() const = 0;
  // Raises Error, naming the input, if `tensor` cannot be parameter number `input`.
  virtual void CheckParameter(std::size_t input, const Tensor& tensor) const = 0;
  // `inputs` are all inputs as declared: types known, parameters checked; of data inputs nothing
  // but the type is known, those left out are not present.
  virtual std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const = 0;
};

}  // namespace qonnx_tools
