#include "glue/node.h"

#include <algorithm>
#include <cstring>

#include "glue/parameter.h"

namespace qonnx_tools {
namespace {

// Tensors of at most this many elements run on the calling thread, larger ones in chunks of this
// size. The chunks do not depend on the number of threads, nor do the results on the chunks.
constexpr std::size_t kChunk = 32768;

struct Work {
  const Prepared& prepared;
  const BroadcastIndex& index;
  const float* x;
  float* y;
  std::size_t count;

  static void RunChunk(void* user, std::size_t chunk) {
    const Work& work = *static_cast<const Work*>(user);
    const std::size_t begin = chunk * kChunk;
    const std::size_t end = std::min(begin + kChunk, work.count);
    work.prepared.Run(work.index, work.x, work.y, begin, end);
  }
};

float* OutputData(ort::KernelContext* context, const Shape& shape) {
  ort::Value* value = nullptr;
  Check(Host().KernelContext_GetOutput(context, 0, shape.dims.data(), shape.rank, &value));
  void* data = nullptr;
  Check(Host().GetTensorMutableData(value, &data));
  return static_cast<float*>(data);
}

}  // namespace

std::string NodeName(const ort::KernelInfo* info) {
  std::size_t size = 0;
  Check(Host().KernelInfo_GetNodeName(info, nullptr, &size));
  std::string name(size, '\0');
  Check(Host().KernelInfo_GetNodeName(info, name.data(), &size));
  name.resize(std::strlen(name.c_str()));
  return name;
}

const ort::Value* InputValue(const ort::KernelContext* context, std::size_t index) {
  const ort::Value* value = nullptr;
  Check(Host().KernelContext_GetInput(context, index, &value));
  return value;
}

Node::Node(const OpDefinition& op, const ort::KernelInfo* info) : op_(op), name_(NodeName(info)) {
  try {
    Create(info);
  } catch (const std::exception& error) {
    Raise(error);
  }
}

void Node::Compute(ort::KernelContext* context) const {
  try {
    Run(context);
  } catch (const std::exception& error) {
    Raise(error);
  }
}

void Node::Raise(const std::exception& error) const {
  throw Error("node '" + name_ + "' (" + op_.name + "): " + error.what());
}

void Node::RequireParameters(std::span<const Tensor> inputs) const {
  for (std::size_t i = 1; i < op_.inputs.size(); ++i) {
    if (!inputs[i].present && !op_.inputs[i].optional) {
      throw Error(InputName(op_.inputs[i].name) + " is left out; it is required");
    }
  }
}

void Node::Create(const ort::KernelInfo* info) {
  quantizer_ = op_.create(Attributes(info));
  Check(Host().KernelInfo_GetInputCount(info, &input_count_));
  input_count_ = std::min(input_count_, op_.inputs.size());
  std::array<Tensor, kMaxInputs> inputs;
  bool all_parameters = true;
  for (std::size_t i = 0; i < input_count_; ++i) {
    int is_constant = 0;
    const ort::Value* value = nullptr;
    Check(Host().KernelInfoGetConstantInput_tensor(info, i, &is_constant, &value));
    constant_[i] = is_constant != 0 && value != nullptr;
    if (constant_[i]) {
      inputs[i] = ViewOf(value);
      if (i > 0) quantizer_->CheckInput(i, inputs[i]);
    }
    all_parameters &= i == 0 || constant_[i];
  }
  if (!all_parameters) return;
  RequireParameters(inputs);
  prepared_ = quantizer_->PrepareInputs({inputs.data(), op_.inputs.size()});
  if (!constant_[0]) return;
  const Tensor& x = inputs[0];
  const BroadcastIndex index(prepared_->ParameterShape(), x.shape);
  result_ = Result{x.shape, std::vector<float>(x.shape.Count())};
  prepared_->Run(index, x.Floats(), result_->y.data(), 0, result_->y.size());
}

std::unique_ptr<Prepared> Node::PrepareFrom(const ort::KernelContext* context) const {
  std::array<Tensor, kMaxInputs> inputs;
  for (std::size_t i = 1; i < input_count_; ++i) {
    inputs[i] = ViewOf(InputValue(context, i));
    if (inputs[i].present && !constant_[i]) quantizer_->CheckInput(i, inputs[i]);
  }
  RequireParameters(inputs);
  return quantizer_->PrepareInputs({inputs.data(), op_.inputs.size()});
}

void Node::Run(ort::KernelContext* context) const {
  if (result_) {
    float* const y = OutputData(context, result_->shape);
    std::copy(result_->y.begin(), result_->y.end(), y);
    return;
  }
  std::unique_ptr<Prepared> local;
  if (!prepared_) local = PrepareFrom(context);
  const Prepared& prepared = prepared_ ? *prepared_ : *local;
  const Tensor x = ViewOf(InputValue(context, 0));
  if (!x.present) throw Error(InputName(op_.inputs[0].name) + " is left out; it is required");
  const BroadcastIndex index(prepared.ParameterShape(), x.shape);
  float* const y = OutputData(context, x.shape);
  Work work = {prepared, index, x.Floats(), y, x.shape.Count()};
  if (work.count <= kChunk) {
    prepared.Run(index, work.x, work.y, 0, work.count);
    return;
  }
  const std::size_t chunks = (work.count + kChunk - 1) / kChunk;
  Check(Host().KernelContext_ParallelFor(context, Work::RunChunk, chunks, 0, &work));
}

}  // namespace qonnx_tools
