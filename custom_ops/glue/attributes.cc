#include "glue/attributes.h"

#include "glue/host.h"

namespace qonnx_tools {
namespace {

// Whether the call succeeded; releases the status.
bool Succeeds(ort::Status* status) {
  if (status == nullptr) return true;
  Host().ReleaseStatus(status);
  return false;
}

}  // namespace

std::int64_t Attributes::Int(const char* name, std::optional<std::int64_t> missing) const {
  std::int64_t value = 0;
  if (Succeeds(Host().KernelInfoGetAttribute_int64(info_, name, &value))) return value;
  if (!missing || HasOtherType(name)) RaiseMissing(name, "an int");
  return *missing;
}

int Attributes::IntWithin(const char* name, int low, int high, std::optional<int> missing) const {
  const std::int64_t value = Int(name, missing);
  if (value < low || value > high) {
    throw Error("attribute '" + std::string(name) + "' is " + std::to_string(value) +
                "; it must lie in " + std::to_string(low) + ".." + std::to_string(high));
  }
  return static_cast<int>(value);
}

bool Attributes::Bool(const char* name, std::optional<bool> missing) const {
  return Int(name, missing) != 0;
}

std::vector<std::int64_t> Attributes::Ints(const char* name) const {
  std::size_t size = 0;
  const bool found =
      Succeeds(Host().KernelInfoGetAttributeArray_int64(info_, name, nullptr, &size));
  if (!found || size == 0) {
    if (HasOtherType(name)) RaiseMissing(name, "a list of ints");
    return {};
  }
  std::vector<std::int64_t> values(size);
  Check(Host().KernelInfoGetAttributeArray_int64(info_, name, values.data(), &size));
  return values;
}

std::string Attributes::String(const char* name, std::optional<std::string> missing) const {
  std::size_t size = 0;
  if (Succeeds(Host().KernelInfoGetAttribute_string(info_, name, nullptr, &size)) && size > 0) {
    std::string text(size, '\0');
    Check(Host().KernelInfoGetAttribute_string(info_, name, text.data(), &size));
    text.resize(text.find('\0') == std::string::npos ? size : text.find('\0'));
    return text;
  }
  if (!missing || HasOtherType(name)) RaiseMissing(name, "a string");
  return *missing;
}

// onnxruntime reports an attribute of another type in the same way as a missing one.
bool Attributes::HasOtherType(const char* name) const {
  std::int64_t integer = 0;
  float real = 0;
  std::size_t size = 0;
  return Succeeds(Host().KernelInfoGetAttribute_int64(info_, name, &integer)) ||
         Succeeds(Host().KernelInfoGetAttribute_float(info_, name, &real)) ||
         Succeeds(Host().KernelInfoGetAttribute_string(info_, name, nullptr, &size)) ||
         (Succeeds(Host().KernelInfoGetAttributeArray_int64(info_, name, nullptr, &size)) &&
          size > 0) ||
         (Succeeds(Host().KernelInfoGetAttributeArray_float(info_, name, nullptr, &size)) &&
          size > 0);
}

void Attributes::RaiseMissing(const char* name, const char* type) const {
  throw Error("attribute '" + std::string(name) + "' is missing or not " + type + "; give it as " +
              type);
}

}  // namespace qonnx_tools
