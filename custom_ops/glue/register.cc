// The entry point, and the ops as onnxruntime's table of functions.

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/level.h"
#include "glue/code_node.h"
#include "glue/node.h"
#include "glue/shape_inference.h"

namespace qonnx_tools {
namespace {

struct HostedOp : ort::CustomOp {
  const OpDefinition* definition;
};

const OpDefinition& DefinitionOf(const ort::CustomOp* op) {
  return *static_cast<const HostedOp*>(op)->definition;
}

// Runs `body`; no exception leaves it.
template <typename Body>
ort::Status* Guarded(const ort::Api& api, ort::ErrorCode code, Body body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const std::exception& error) {
    return api.CreateStatus(code, error.what());
  } catch (...) {
    return api.CreateStatus(ort::ErrorCode::kRuntimeException, "qonnx_tools: unknown error");
  }
}

bool IsCodeOp(const ort::CustomOp* op) { return DefinitionOf(op).create_code_op != nullptr; }

HostedKernel* NewKernel(const OpDefinition& definition, const ort::KernelInfo* info) {
  if (definition.create_code_op != nullptr) return new CodeNode(definition, info);
  return new Node(definition, info);
}

void Infer(const OpDefinition& definition, ort::ShapeInferContext* context) {
  if (definition.infer == nullptr) {
    InferSameShape(context);
    return;
  }
  ShapeInference inference(context);
  definition.infer(inference);
}

HostedOp Hosted(const OpDefinition& definition) {
  using ort::CustomOp;
  HostedOp op = {};
  op.definition = &definition;
  op.version = ort::kApiVersion;
  op.GetName = [](const CustomOp* self) { return DefinitionOf(self).name; };
  op.GetExecutionProviderType = [](const CustomOp*) -> const char* { return nullptr; };  // CPU
  op.GetInputType = [](const CustomOp* self, std::size_t i) {
    return DefinitionOf(self).inputs[i].type;
  };
  op.GetInputTypeCount = [](const CustomOp* self) { return DefinitionOf(self).inputs.size(); };
  // Undefined: the type is what shape inference says, which reads it from attribute 'to'.
  op.GetOutputType = [](const CustomOp* self, std::size_t) {
    return IsCodeOp(self) ? ort::ElementType::kUndefined : ort::ElementType::kFloat;
  };
  op.GetOutputTypeCount = [](const CustomOp*) { return std::size_t{1}; };
  op.GetInputCharacteristic = [](const CustomOp* self, std::size_t i) {
    return DefinitionOf(self).inputs[i].optional ? ort::Characteristic::kOptional
                                                 : ort::Characteristic::kRequired;
  };
  // onnxruntime takes an output of undefined type beside several such inputs if it is optional.
  op.GetOutputCharacteristic = [](const CustomOp* self, std::size_t) {
    return IsCodeOp(self) ? ort::Characteristic::kOptional : ort::Characteristic::kRequired;
  };
  op.GetInputMemoryType = [](const CustomOp*, std::size_t) { return ort::MemoryType::kDefault; };
  op.GetVariadicInputMinArity = [](const CustomOp*) { return 0; };
  op.GetVariadicInputHomogeneity = [](const CustomOp*) { return 0; };
  op.GetVariadicOutputMinArity = [](const CustomOp*) { return 0; };
  op.GetVariadicOutputHomogeneity = [](const CustomOp*) { return 0; };
  op.CreateKernelV2 = [](const CustomOp* self, const ort::Api* api, const ort::KernelInfo* info,
                         void** kernel) {
    return Guarded(*api, ort::ErrorCode::kInvalidArgument,
                   [&] { *kernel = NewKernel(DefinitionOf(self), info); });
  };
  op.KernelComputeV2 = [](void* kernel, ort::KernelContext* context) {
    return Guarded(Host(), ort::ErrorCode::kInvalidArgument,
                   [&] { static_cast<const HostedKernel*>(kernel)->Compute(context); });
  };
  op.KernelDestroy = [](void* kernel) { delete static_cast<HostedKernel*>(kernel); };
  op.InferOutputShapeFn = [](const CustomOp* self, ort::ShapeInferContext* context) {
    return Guarded(Host(), ort::ErrorCode::kInvalidArgument,
                   [&] { Infer(DefinitionOf(self), context); });
  };
  op.GetStartVersion = [](const CustomOp*) { return 1; };
  op.GetEndVersion = [](const CustomOp*) { return std::numeric_limits<int>::max(); };
  return op;
}

// The domains, with all ops added. They and the ops live as long as the process: a session may
// outlive everything else.
std::vector<ort::CustomOpDomain*> MakeDomains() {
  auto& ops = *new std::deque<HostedOp>;
  std::map<std::string, ort::CustomOpDomain*> domains;
  for (const OpDefinition& definition : RegisteredOps()) {
    ops.push_back(Hosted(definition));
    for (const char* const name : definition.domains) {
      ort::CustomOpDomain*& domain = domains[name];
      if (domain == nullptr) Check(Host().CreateCustomOpDomain(name, &domain));
      Check(Host().CustomOpDomain_Add(domain, &ops.back()));
    }
  }
  std::vector<ort::CustomOpDomain*> made;
  for (const auto& [name, domain] : domains) made.push_back(domain);
  return made;
}

void Register(ort::SessionOptions* options, const ort::Api* api) {
  static std::mutex mutex;
  static const std::vector<ort::CustomOpDomain*>* domains = nullptr;
  const std::lock_guard lock(mutex);
  if (domains == nullptr) {
    SetHost(api);
    SelectLevel();
    domains = new std::vector<ort::CustomOpDomain*>(MakeDomains());
  }
  for (ort::CustomOpDomain* const domain : *domains) {
    Check(Host().AddCustomOpDomain(options, domain));
  }
}

std::vector<OpDefinition>& Definitions() {
  static auto& definitions = *new std::vector<OpDefinition>;
  return definitions;
}

}  // namespace

RegisteredOp::RegisteredOp(OpDefinition definition) {
  Definitions().push_back(std::move(definition));
}

std::span<const OpDefinition> RegisteredOps() { return Definitions(); }

}  // namespace qonnx_tools

extern "C" __attribute__((visibility("default"))) qonnx_tools::ort::Status* RegisterCustomOps(
    qonnx_tools::ort::SessionOptions* options, const qonnx_tools::ort::ApiBase* base) noexcept {
  using namespace qonnx_tools;
  const ort::Api* const api = base->GetApi(ort::kApiVersion);
  if (api == nullptr) {
    // Slot 0, CreateStatus, is the same in every version of the table.
    const ort::Api* const first = base->GetApi(1);
    if (first == nullptr) return nullptr;
    return first->CreateStatus(ort::ErrorCode::kFail,
                               "qonnx_tools: this onnxruntime is older than 1.17; upgrade it");
  }
  return Guarded(*api, ort::ErrorCode::kFail, [&] { Register(options, api); });
}

extern "C" __attribute__((visibility("default"))) const char* QonnxToolsSimdLevel() noexcept {
  return qonnx_tools::LevelName(qonnx_tools::SelectedLevel());
}
