#include "glue/code_node.h"

#include <algorithm>
#include <atomic>

#include "glue/node.h"
#include "glue/parameter.h"

namespace qonnx_tools {
namespace {

class SessionWorkers final : public Workers {
 public:
  explicit SessionWorkers(const ort::KernelContext* context) : context_(context) {}

  void Run(std::size_t count, Piece piece, void* user) const override {
    Call call = {piece, user};
    Check(Host().KernelContext_ParallelFor(context_, Call::Run, count, 0, &call));
    if (call.failed) throw Error("out of memory");
  }

 private:
  // No exception may enter the thread pool.
  struct Call {
    Piece piece;
    void* user;
    std::atomic<bool> failed = false;

    static void Run(void* self, std::size_t index) noexcept {
      Call& call = *static_cast<Call*>(self);
      try {
        call.piece(call.user, index);
      } catch (...) {
        call.failed = true;
      }
    }
  };

  const ort::KernelContext* context_;
};

class NodeOutput final : public Output {
 public:
  explicit NodeOutput(ort::KernelContext* context) : context_(context) {}

  void* Allocate(const Shape& shape) const override {
    ort::Value* value = nullptr;
    Check(Host().KernelContext_GetOutput(context_, 0, shape.dims.data(), shape.rank, &value));
    void* y = nullptr;
    Check(Host().GetTensorMutableData(value, &y));
    return y;
  }

 private:
  ort::KernelContext* context_;
};

// The element type behind a type that the caller owns; undefined if it is no tensor type.
ort::ElementType ElementTypeOf(ort::TypeInfo* info) {
  ort::ElementType type = ort::ElementType::kUndefined;
  const ort::TensorTypeAndShapeInfo* tensor = nullptr;
  ort::Status* status = Host().CastTypeInfoToTensorInfo(info, &tensor);
  if (status == nullptr && tensor != nullptr) status = Host().GetTensorElementType(tensor, &type);
  Host().ReleaseTypeInfo(info);
  Check(status);
  return type;
}

// Undefined if the input is left out.
ort::ElementType InputType(const ort::KernelInfo* info, std::size_t index) {
  ort::TypeInfo* type = nullptr;
  ort::Status* const status = Host().KernelInfo_GetInputTypeInfo(info, index, &type);
  if (status != nullptr) Host().ReleaseStatus(status);
  return status != nullptr || type == nullptr ? ort::ElementType::kUndefined : ElementTypeOf(type);
}

}  // namespace

void ShapedKernel::Compute(std::span<const Tensor> inputs, const Output& y,
                           const Workers& workers) const {
  const Shape shape = OutputShape(inputs);
  void* const to = y.Allocate(shape);
  if (shape.Count() > 0) Run(inputs, to, workers);
}

CodeNode::CodeNode(const OpDefinition& op, const ort::KernelInfo* info)
    : op_(op), name_(NodeName(info)) {
  try {
    Create(info);
  } catch (const std::exception& error) {
    Raise(error);
  }
}

void CodeNode::Compute(ort::KernelContext* context) const {
  try {
    Run(context);
  } catch (const std::exception& error) {
    Raise(error);
  }
}

void CodeNode::Raise(const std::exception& error) const {
  throw Error("node '" + name_ + "' (" + op_.name + "): " + error.what());
}

void CodeNode::CheckInput(std::size_t index, const Tensor& tensor) const {
  const Input& input = op_.inputs[index];
  if (!tensor.present) {
    if (input.optional) return;
    throw Error(InputName(input.name) + " is left out; it is required");
  }
  if (std::find(input.types.begin(), input.types.end(), tensor.type) == input.types.end()) {
    std::string choices;
    for (const ort::ElementType type : input.types) {
      choices += (choices.empty() ? "" : ", ") + std::string(TypeName(type));
    }
    throw Error(InputName(input.name) + " is " + TypeName(tensor.type) + "; give it as one of " +
                choices);
  }
}

void CodeNode::Create(const ort::KernelInfo* info) {
  code_op_ = op_.create_code_op(Attributes(info));
  Check(Host().KernelInfo_GetInputCount(info, &input_count_));
  input_count_ = std::min(input_count_, op_.inputs.size());
  Inputs inputs;
  bool all_parameters = true;
  for (std::size_t i = 0; i < op_.inputs.size(); ++i) {
    if (i < input_count_) {
      int is_constant = 0;
      const ort::Value* value = nullptr;
      Check(Host().KernelInfoGetConstantInput_tensor(info, i, &is_constant, &value));
      constant_[i] = is_constant != 0 && value != nullptr && !op_.inputs[i].data;
      types_[i] = InputType(info, i);
      if (constant_[i]) {
        inputs[i] = ViewOf(value);
      } else {
        inputs[i].type = types_[i];
        inputs[i].present = types_[i] != ort::ElementType::kUndefined;
      }
    }
    CheckInput(i, inputs[i]);
    if (constant_[i]) code_op_->CheckParameter(i, inputs[i]);
    all_parameters &= constant_[i] || op_.inputs[i].data || !inputs[i].present;
  }
  ort::TypeInfo* output = nullptr;
  Check(Host().KernelInfo_GetOutputTypeInfo(info, 0, &output));
  const ort::ElementType declared = ElementTypeOf(output);
  if (declared != code_op_->OutputType()) {
    throw Error("output is declared as " + std::string(TypeName(declared)) +
                " in the model but computed as " + TypeName(code_op_->OutputType()) +
                "; correct its declaration or the attribute 'to'");
  }
  if (all_parameters) kernel_ = code_op_->Prepare({inputs.data(), op_.inputs.size()});
}

void CodeNode::Run(ort::KernelContext* context) const {
  Inputs inputs;
  for (std::size_t i = 0; i < op_.inputs.size(); ++i) {
    if (i < input_count_ && (op_.inputs[i].data || !kernel_)) {
      inputs[i] = ViewOf(InputValue(context, i));
      CheckInput(i, inputs[i]);
      if (inputs[i].present && inputs[i].type != types_[i]) {
        throw Error(InputName(op_.inputs[i].name) + " is " + TypeName(inputs[i].type) +
                    " but declared as " + TypeName(types_[i]));
      }
      if (inputs[i].present && !op_.inputs[i].data && !constant_[i]) {
        code_op_->CheckParameter(i, inputs[i]);
      }
    }
  }
  const std::span<const Tensor> all = {inputs.data(), op_.inputs.size()};
  std::unique_ptr<CodeKernel> local;
  if (!kernel_) local = code_op_->Prepare(all);
  const CodeKernel& kernel = kernel_ ? *kernel_ : *local;
  kernel.Compute(all, NodeOutput(context), SessionWorkers(context));
}

}  // namespace qonnx_tools
