#include "glue/parameter.h"

#include <cmath>
#include <cstdint>
#include <sstream>

namespace qonnx_tools {
namespace {

double FirstElement(const Tensor& tensor, const char* name) {
  switch (tensor.type) {
    case ort::ElementType::kFloat:
      return *static_cast<const float*>(tensor.data);
    case ort::ElementType::kDouble:
      return *static_cast<const double*>(tensor.data);
    case ort::ElementType::kUint8:
      return *static_cast<const std::uint8_t*>(tensor.data);
    case ort::ElementType::kInt8:
      return *static_cast<const std::int8_t*>(tensor.data);
    case ort::ElementType::kUint16:
      return *static_cast<const std::uint16_t*>(tensor.data);
    case ort::ElementType::kInt16:
      return *static_cast<const std::int16_t*>(tensor.data);
    case ort::ElementType::kInt32:
      return *static_cast<const std::int32_t*>(tensor.data);
    case ort::ElementType::kInt64:
      return static_cast<double>(*static_cast<const std::int64_t*>(tensor.data));
    case ort::ElementType::kBool:
    case ort::ElementType::kUndefined:
      break;
  }
  throw Error(InputName(name) + " has an unsupported element type; give it as float32");
}

}  // namespace

std::string InputName(const char* name) { return "input '" + std::string(name) + "'"; }

int IntegerInput(const char* name, const Tensor& tensor, int low, int high) {
  if (tensor.shape.Count() != 1) {
    throw Error(InputName(name) + " has shape " + tensor.shape.Text() +
                "; give a single number for the whole tensor");
  }
  const double value = FirstElement(tensor, name);
  if (!(value >= low && value <= high && value == std::floor(value))) {
    std::ostringstream text;
    text << InputName(name) << " is " << value << "; it must be a whole number in " << low << ".."
         << high;
    throw Error(text.str());
  }
  return static_cast<int>(value);
}

}  // namespace qonnx_tools
