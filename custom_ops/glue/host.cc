#include "glue/host.h"

namespace qonnx_tools {
namespace {

const ort::Api* host = nullptr;

}  // namespace

const ort::Api& Host() { return *host; }

void SetHost(const ort::Api* api) { host = api; }

void Check(ort::Status* status) {
  if (status == nullptr) return;
  const std::string message = Host().GetErrorMessage(status);
  Host().ReleaseStatus(status);
  throw Error(message);
}

const char* TypeName(ort::ElementType type) {
  switch (type) {
    case ort::ElementType::kFloat:
      return "float32";
    case ort::ElementType::kUint8:
      return "uint8";
    case ort::ElementType::kInt8:
      return "int8";
    case ort::ElementType::kUint16:
      return "uint16";
    case ort::ElementType::kInt16:
      return "int16";
    case ort::ElementType::kInt32:
      return "int32";
    case ort::ElementType::kInt64:
      return "int64";
    case ort::ElementType::kBool:
      return "bool";
    case ort::ElementType::kDouble:
      return "float64";
    case ort::ElementType::kUndefined:
      break;
  }
  return "of another type";
}

Tensor ViewOf(const ort::Value* value) {
  Tensor tensor;
  if (value == nullptr) return tensor;
  ort::TensorTypeAndShapeInfo* raw = nullptr;
  Check(Host().GetTensorTypeAndShape(value, &raw));
  const TypeAndShape info(raw);
  Check(Host().GetTensorElementType(info.Get(), &tensor.type));
  Check(Host().GetDimensionsCount(info.Get(), &tensor.shape.rank));
  if (tensor.shape.rank > kMaxRank) {
    throw Error("a tensor has " + std::to_string(tensor.shape.rank) + " dimensions; at most " +
                std::to_string(kMaxRank) + " are supported");
  }
  Check(Host().GetDimensions(info.Get(), tensor.shape.dims.data(), tensor.shape.rank));
  void* data = nullptr;
  // The function has no const form; the data are only read.
  Check(Host().GetTensorMutableData(const_cast<ort::Value*>(value), &data));
  tensor.data = data;
  tensor.present = true;
  return tensor;
}

}  // namespace qonnx_tools
