// Shape inference of the ops: the output has the shape of x.

#pragma once

#include "abi/ort_abi.h"

namespace qonnx_tools {

void InferSameShape(ort::ShapeInferContext* context);

}  // namespace qonnx_tools
