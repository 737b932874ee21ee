// Shape and type inference of the ops.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "abi/ort_abi.h"

namespace qonnx_tools {

// The output has the type float and the shape of x.
void InferSameShape(ort::ShapeInferContext* context);

// A dimension: its size, or -1 and perhaps a name.
struct InferredDim {
  std::int64_t size = -1;
  std::string name;
};
using InferredShape = std::vector<InferredDim>;

// What an op sees when it infers the shape of its output.
class ShapeInference {
 public:
  explicit ShapeInference(ort::ShapeInferContext* context) : context_(context) {}
  std::size_t InputCount() const;
  // Empty for a scalar and for an unknown rank, which look the same.
  InferredShape Input(std::size_t index) const;
  std::optional<std::int64_t> Int(const char* name) const;
  std::vector<std::int64_t> Ints(const char* name) const;  // empty if missing
  void SetOutput(const InferredShape& shape, ort::ElementType type);
  // The element type that attribute 'to' says; undefined if it is missing.
  ort::ElementType To() const;

 private:
  ort::ShapeInferContext* context_;
};

// Input 0's shape and the type that 'to' says.
void InferShapeOfX(ShapeInference& inference);

}  // namespace qonnx_tools
