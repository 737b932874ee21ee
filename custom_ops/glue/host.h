// onnxruntime as this library sees it: the API table, statuses as exceptions, tensors as views.

#pragma once

#include <string>

#include "abi/ort_abi.h"
#include "core/error.h"
#include "core/shape.h"

namespace qonnx_tools {

// The API table of the onnxruntime that loaded this library. Set once, at registration.
const ort::Api& Host();
void SetHost(const ort::Api* api);

// Raises Error with the message of a status that is not OK, and releases the status.
void Check(ort::Status* status);

// Owns what GetTensorTypeAndShape and the like return.
class TypeAndShape {
 public:
  explicit TypeAndShape(ort::TensorTypeAndShapeInfo* info) : info_(info) {}
  TypeAndShape(const TypeAndShape&) = delete;
  TypeAndShape& operator=(const TypeAndShape&) = delete;
  ~TypeAndShape() { Host().ReleaseTensorTypeAndShapeInfo(info_); }
  ort::TensorTypeAndShapeInfo* Get() const { return info_; }

 private:
  ort::TensorTypeAndShapeInfo* info_;
};

// A tensor that onnxruntime owns. `data` is null for an optional input that is left out.
struct Tensor {
  ort::ElementType type = ort::ElementType::kUndefined;
  Shape shape;
  const void* data = nullptr;
  bool present = false;

  const float* Floats() const { return static_cast<const float*>(data); }
};

// "int8", for messages.
const char* TypeName(ort::ElementType type);

// A null value gives a tensor that is not present.
Tensor ViewOf(const ort::Value* value);

}  // namespace qonnx_tools
