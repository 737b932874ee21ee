// What every op tells the glue about itself.

#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "abi/ort_abi.h"
#include "glue/attributes.h"

namespace qonnx_tools {

class Quantizer;
class CodeOp;
class ShapeInference;

struct Input {
  const char* name;
  ort::ElementType type;  // kUndefined: any number
  bool optional = false;
  bool data = false;  // an op on codes: not a parameter, differs from run to run
  // An op on codes: the element types that it takes.
  std::span<const ort::ElementType> types = {};
};

// An op is a Quantizer (floats in and out, the shape of x) or a CodeOp (integer codes).
struct OpDefinition {
  const char* name;
  std::vector<const char*> domains;
  std::vector<Input> inputs;  // x first
  std::unique_ptr<Quantizer> (*create)(const Attributes& attributes);
  std::unique_ptr<CodeOp> (*create_code_op)(const Attributes& attributes) = nullptr;
  void (*infer)(ShapeInference& inference) = nullptr;  // of a CodeOp
};

inline constexpr std::size_t kMaxInputs = 10;
inline constexpr const char* kProjectDomain = "qonnx_tools.ops";
inline constexpr std::initializer_list<const char*> kDialectDomains = {
    "qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"};

// Every op file defines one of these at namespace scope; RegisterCustomOps registers them all.
class RegisteredOp {
 public:
  explicit RegisteredOp(OpDefinition definition);
};
std::span<const OpDefinition> RegisteredOps();

}  // namespace qonnx_tools
