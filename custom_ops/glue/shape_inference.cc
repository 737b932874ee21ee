#include "glue/shape_inference.h"

#include <vector>

#include "glue/host.h"

namespace qonnx_tools {

void InferSameShape(ort::ShapeInferContext* context) {
  ort::TensorTypeAndShapeInfo* x = nullptr;  // owned by the context
  Check(Host().ShapeInferContext_GetInputTypeShape(context, 0, &x));
  std::size_t rank = 0;
  Check(Host().GetDimensionsCount(x, &rank));
  if (rank == 0) return;  // a scalar, or an unknown rank, which looks the same
  std::vector<std::int64_t> dims(rank);
  std::vector<const char*> names(rank, "");
  Check(Host().GetDimensions(x, dims.data(), rank));
  Check(Host().GetSymbolicDimensions(x, names.data(), rank));
  ort::TensorTypeAndShapeInfo* raw = nullptr;
  Check(Host().CreateTensorTypeAndShapeInfo(&raw));
  const TypeAndShape y(raw);
  Check(Host().SetTensorElementType(y.Get(), ort::ElementType::kFloat));
  Check(Host().SetDimensions(y.Get(), dims.data(), rank));
  Check(Host().SetSymbolicDimensions(y.Get(), names.data(), rank));
  Check(Host().ShapeInferContext_SetOutputTypeShape(context, 0, y.Get()));
}

}  // namespace qonnx_tools
