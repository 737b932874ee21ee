// What an op on floats is to the glue: inputs x and parameters, one output y of x's shape.

#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/shape.h"
#include "glue/attributes.h"
#include "glue/host.h"
#include "glue/op_definition.h"
#include "kernels/loop.h"

namespace qonnx_tools {

// Parameters in the form that the kernel takes, ready for any x.
class Prepared {
 public:
  explicit Prepared(const Shape& shape) : shape_(shape) {}
  virtual ~Prepared() = default;
  const Shape& ParameterShape() const { return shape_; }
  // Computes elements begin .. end-1 of y. Does not raise.
  virtual void Run(const BroadcastIndex& index, const float* x, float* y, std::size_t begin,
                   std::size_t end) const = 0;

 private:
  Shape shape_;
};

// Prepared for one kernel. `Storage` owns the arrays that `Parameters` points to; it must keep them
// in place when moved, as a std::vector does.
template <typename Parameters, typename Storage>
class PreparedLoops final : public Prepared {
 public:
  PreparedLoops(const Shape& shape, const Loops<Parameters>& loops, const Parameters& parameters,
                Storage storage)
      : Prepared(shape), loops_(loops), parameters_(parameters), storage_(std::move(storage)) {}

  void Run(const BroadcastIndex& index, const float* x, float* y, std::size_t begin,
           std::size_t end) const override {
    index.ForEachRun(
        begin, end,
        [&](std::size_t at, std::size_t count, std::size_t parameter) {
          loops_.uniform(parameters_, parameter, x + at, y + at, count);
        },
        [&](std::size_t at, std::size_t count, std::size_t parameter) {
          loops_.varying(parameters_, parameter, x + at, y + at, count);
        });
  }

 private:
  Loops<Parameters> loops_;
  Parameters parameters_;
  Storage storage_;
};

template <typename Parameters, typename Storage>
std::unique_ptr<Prepared> Prepare(const Shape& shape, const Loops<Parameters>& loops,
                                  const Parameters& parameters, Storage storage) {
  return std::make_unique<PreparedLoops<Parameters, Storage>>(shape, loops, parameters,
                                                              std::move(storage));
}

// A node of an op, its attributes read.
class Quantizer {
 public:
  virtual ~Quantizer() = default;
  // Raises Error, naming the input, if `tensor` cannot be input number `input` (1 or later).
  virtual void CheckInput(std::size_t input, const Tensor& tensor) const = 0;
  // `inputs` are all inputs as declared, each checked; those left out are not present, and
  // number 0, x, may not be known yet.
  virtual std::unique_ptr<Prepared> PrepareInputs(std::span<const Tensor> inputs) const = 0;
};

}  // namespace qonnx_tools
