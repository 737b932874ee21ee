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
