// The attributes of a node.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "abi/ort_abi.h"

namespace qonnx_tools {

// Each getter raises Error if the attribute is missing and has no default, or has another type.
class Attributes {
 public:
  explicit Attributes(const ort::KernelInfo* info) : info_(info) {}

  std::int64_t Int(const char* name, std::optional<std::int64_t> missing = {}) const;
  // An int within low .. high.
  int IntWithin(const char* name, int low, int high, std::optional<int> missing = {}) const;
  // An int that is zero for false.
  bool Bool(const char* name, std::optional<bool> missing = {}) const;
  // A list of ints; empty if it is missing.
  std::vector<std::int64_t> Ints(const char* name) const;
  std::string String(const char* name, std::optional<std::string> missing = {}) const;

 private:
  [[noreturn]] void RaiseMissing(const char* name, const char* type) const;
  bool HasOtherType(const char* name) const;

  const ort::KernelInfo* info_;
};

}  // namespace qonnx_tools
