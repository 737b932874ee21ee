#include "ops/dialect.h"

#include <cctype>
#include <cmath>
#include <utility>

#include "glue/parameter.h"
#include "kernels/dialect_mode.h"

namespace qonnx_tools {
namespace {

constexpr std::pair<const char*, DialectMode> kModes[] = {
    {"ROUND", DialectMode::kHalfEven}, {"HALF_EVEN", DialectMode::kHalfEven},
    {"CEIL", DialectMode::kCeil},      {"FLOOR", DialectMode::kFloor},
    {"UP", DialectMode::kUp},          {"DOWN", DialectMode::kDown},
    {"HALF_UP", DialectMode::kHalfUp}, {"HALF_DOWN", DialectMode::kHalfDown},
};

}  // namespace

int DialectModeFrom(const std::string& name) {
  std::string upper;
  std::string shown;  // a message must be valid UTF-8
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    upper += static_cast<char>(std::toupper(byte));
    shown += byte < 0x80 && std::isprint(byte) ? c : '?';
  }
  std::string known;
  for (const auto& [mode_name, mode] : kModes) {
    if (upper == mode_name) return static_cast<int>(mode);
    known += (known.empty() ? "" : ", ") + std::string(mode_name);
  }
  throw Error("attribute 'rounding_mode' is '" + shown + "'; choose one of " + known);
}

CodeRange CodeRangeOf(int bits, bool is_signed, bool narrow) {
  if (is_signed) {
    const float half = std::ldexp(1.0f, bits - 1);
    return {narrow ? -half + 1.0f : -half, half - 1.0f};
  }
  return {0.0f, std::ldexp(1.0f, bits) - (narrow ? 2.0f : 1.0f)};
}

int BitsInput(const char* name, const Tensor& tensor) { return IntegerInput(name, tensor, 1, 64); }

}  // namespace qonnx_tools
