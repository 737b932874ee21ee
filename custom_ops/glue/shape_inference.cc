#include "glue/shape_inference.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "glue/host.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kMaxInts = 64;

// A name for a dimension of which nothing is known, never given twice: onnxruntime takes one
// without a name for a size of -1, and equal names for equal sizes.
std::string NewName() {
  static std::atomic<std::uint64_t> count{0};
  return "qonnx_tools.unknown." + std::to_string(count++);
}

}  // namespace

void InferSameShape(ort::ShapeInferContext* context) {
  ShapeInference inference(context);
  const InferredShape x = inference.Input(0);
  if (!x.empty()) inference.SetOutput(x, ort::ElementType::kFloat);
}

void InferShapeOfX(ShapeInference& inference) {
  inference.SetOutput(inference.Input(0), inference.To());
}

std::size_t ShapeInference::InputCount() const {
  std::size_t count = 0;
  Check(Host().ShapeInferContext_GetInputCount(context_, &count));
  return count;
}

InferredShape ShapeInference::Input(std::size_t index) const {
  ort::TensorTypeAndShapeInfo* info = nullptr;  // owned by the context
  Check(Host().ShapeInferContext_GetInputTypeShape(context_, index, &info));
  std::size_t rank = 0;
  Check(Host().GetDimensionsCount(info, &rank));
  std::vector<std::int64_t> dims(rank);
  std::vector<const char*> names(rank, "");
  Check(Host().GetDimensions(info, dims.data(), rank));
  Check(Host().GetSymbolicDimensions(info, names.data(), rank));
  InferredShape shape(rank);
  for (std::size_t i = 0; i < rank; ++i) shape[i] = {dims[i], names[i] ? names[i] : ""};
  return shape;
}

std::optional<std::int64_t> ShapeInference::Int(const char* name) const {
  const ort::OpAttribute* attribute = nullptr;
  std::int64_t value = 0;
  std::size_t bytes = 0;
  ort::Status* status = Host().ShapeInferContext_GetAttribute(context_, name, &attribute);
  if (status == nullptr) {
    if (attribute == nullptr) return {};
    status = Host().ReadOpAttr(attribute, ort::AttributeType::kInt, &value, sizeof value, &bytes);
  }
  if (status == nullptr) return value;
  Host().ReleaseStatus(status);
  return {};
}

std::vector<std::int64_t> ShapeInference::Ints(const char* name) const {
  const ort::OpAttribute* attribute = nullptr;
  std::array<std::int64_t, kMaxInts> values;
  std::size_t bytes = 0;
  ort::Status* status = Host().ShapeInferContext_GetAttribute(context_, name, &attribute);
  if (status == nullptr) {
    if (attribute == nullptr) return {};
    status = Host().ReadOpAttr(attribute, ort::AttributeType::kInts, values.data(), sizeof values,
                               &bytes);
  }
  if (status == nullptr) {
    return {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(bytes / sizeof values[0])};
  }
  Host().ReleaseStatus(status);
  return {};
}

ort::ElementType ShapeInference::To() const {
  return static_cast<ort::ElementType>(Int("to").value_or(0));
}

void ShapeInference::SetOutput(const InferredShape& shape, ort::ElementType type) {
  std::vector<std::int64_t> dims;
  std::vector<const char*> names;
  InferredShape named = shape;
  for (InferredDim& dim : named) {
    if (dim.size < 0 && dim.name.empty()) dim.name = NewName();
    dims.push_back(dim.size);
    names.push_back(dim.name.c_str());
  }
  ort::TensorTypeAndShapeInfo* raw = nullptr;
  Check(Host().CreateTensorTypeAndShapeInfo(&raw));
  const TypeAndShape y(raw);
  Check(Host().SetTensorElementType(y.Get(), type));
  Check(Host().SetDimensions(y.Get(), dims.data(), dims.size()));
  Check(Host().SetSymbolicDimensions(y.Get(), names.data(), names.size()));
  Check(Host().ShapeInferContext_SetOutputTypeShape(context_, 0, y.Get()));
}

}  // namespace qonnx_tools
