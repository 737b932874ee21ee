#include "glue/code_attributes.h"

#include <algorithm>

#include "glue/parameter.h"

namespace qonnx_tools {
namespace {

constexpr std::int64_t kLargestShift = 62;

template <typename T>
std::vector<std::int64_t> Copied(const Tensor& tensor) {
  const T* const from = static_cast<const T*>(tensor.data);
  return {from, from + tensor.shape.Count()};
}

struct CodeRange {
  int bits;
  std::int64_t low;
  std::int64_t high;

  bool FitsIn(Carrier carrier) const {
    return low >= LowestOf(carrier) && high <= HighestOf(carrier);
  }
  std::string Text() const {
    return std::to_string(low) + ".." + std::to_string(high) + " of " + std::to_string(bits) +
           " bits";
  }
};

// Attributes bits, signed and narrow.
CodeRange ReadRange(const Attributes& attributes, const std::string& prefix) {
  const int bits = attributes.IntWithin((prefix + "bits").c_str(), 0, 32);
  const bool is_signed = attributes.Bool((prefix + "signed").c_str(), true);
  const bool narrow = attributes.Bool((prefix + "narrow").c_str(), false);
  if (narrow && !is_signed) {
    throw Error("attribute '" + prefix + "narrow' is 1 but '" + prefix +
                "signed' is 0; only a signed format can be narrow");
  }
  if (bits == 0) return {bits, 0, 0};
  const std::int64_t codes = std::int64_t{1} << (is_signed ? bits - 1 : bits);
  return {bits, is_signed ? -codes + (narrow ? 1 : 0) : 0, codes - 1};
}

// The format with attributes lowest, highest and rounding.
OutputFormat Clipped(const Attributes& attributes, const std::string& prefix,
                     const CodeRange& range, Carrier carrier) {
  const std::int64_t lowest = attributes.Int((prefix + "lowest").c_str(), range.low);
  const std::int64_t highest = attributes.Int((prefix + "highest").c_str(), range.high);
  const std::int64_t low = std::max(range.low, lowest);
  const std::int64_t high = std::min(range.high, highest);
  if (low > high) {
    throw Error("attributes '" + prefix + "lowest' " + std::to_string(lowest) + " and '" + prefix +
                "highest' " + std::to_string(highest) + " leave no code");
  }
  OutputFormat format;
  format.carrier = carrier;
  format.rounding = attributes.IntWithin((prefix + "rounding").c_str(), 0, kRoundings - 1, 0);
  format.low = static_cast<std::int32_t>(low);
  format.high = static_cast<std::int32_t>(high);
  return format;
}

}  // namespace

Carrier CarrierOf(ort::ElementType type) {
  const auto* const at = std::find(std::begin(kCodeTypes), std::end(kCodeTypes), type);
  return static_cast<Carrier>(at - std::begin(kCodeTypes));
}

ort::ElementType TypeOf(Carrier carrier) { return kCodeTypes[static_cast<int>(carrier)]; }

Carrier ReadCarrier(const Attributes& attributes, const char* name) {
  const std::int64_t to = attributes.Int(name);
  for (const ort::ElementType type : kCodeTypes) {
    if (to == static_cast<std::int64_t>(type)) return CarrierOf(type);
  }
  throw Error("attribute '" + std::string(name) + "' is " + std::to_string(to) +
              "; choose 2 (uint8), 3 (int8), 4 (uint16), 5 (int16) or 6 (int32)");
}

OutputFormat ReadOutputFormat(const Attributes& attributes) {
  const CodeRange range = ReadRange(attributes, "");
  const Carrier carrier = ReadCarrier(attributes, "to");
  if (!range.FitsIn(carrier)) {
    throw Error("attribute 'to' is " + std::string(TypeName(TypeOf(carrier))) +
                ", which does not hold the codes " + range.Text() + "; choose a wider type");
  }
  return Clipped(attributes, "", range, carrier);
}

OutputFormat ReadInnerFormat(const Attributes& attributes, const std::string& prefix) {
  CodeRange range = ReadRange(attributes, prefix);
  if (!range.FitsIn(Carrier::kInt32)) {
    throw Error("attribute '" + prefix + "bits' makes the codes " + range.Text() +
                ", which int32 does not hold; give it fewer bits");
  }
  OutputFormat format = Clipped(attributes, prefix, range, Carrier::kInt32);
  range.low = format.low;
  range.high = format.high;
  for (const ort::ElementType type : kCodeTypes) {
    if (!range.FitsIn(CarrierOf(type))) continue;
    format.carrier = CarrierOf(type);
    break;
  }
  return format;
}

int ReadAccumulatorBits(const Attributes& attributes) {
  return attributes.IntWithin("accumulator_bits", 1, 64);
}

std::vector<std::int64_t> Integers(const Tensor& tensor) {
  switch (tensor.type) {
    case ort::ElementType::kInt8:
      return Copied<std::int8_t>(tensor);
    case ort::ElementType::kUint8:
      return Copied<std::uint8_t>(tensor);
    case ort::ElementType::kInt16:
      return Copied<std::int16_t>(tensor);
    case ort::ElementType::kUint16:
      return Copied<std::uint16_t>(tensor);
    case ort::ElementType::kInt32:
      return Copied<std::int32_t>(tensor);
    case ort::ElementType::kInt64:
      return Copied<std::int64_t>(tensor);
    default:
      throw Error(std::string("a tensor is ") + TypeName(tensor.type) + "; give it as integers");
  }
}

void CheckShifts(const char* name, const Tensor& tensor) {
  for (const std::int64_t shift : Integers(tensor)) {
    if (shift < -kLargestShift || shift > kLargestShift) {
      throw Error(InputName(name) + " is " + std::to_string(shift) + "; it must lie in -62..62");
    }
  }
}

std::vector<std::int64_t> PerChannel(const char* name, const Tensor& tensor, std::size_t count,
                                     std::int64_t missing) {
  if (!tensor.present) return std::vector<std::int64_t>(count, missing);
  std::vector<std::int64_t> values = Integers(tensor);
  const bool one = values.size() == 1 && tensor.shape.rank <= 1;
  if (one) values.resize(count, values.front());
  if (values.size() != count || tensor.shape.rank > 1) {
    throw Error(InputName(name) + " has shape " + tensor.shape.Text() +
                "; give one number, or one a channel: [" + std::to_string(count) + "]");
  }
  return values;
}

std::int64_t OneInteger(const char* name, const Tensor& tensor) {
  if (tensor.shape.Count() != 1) {
    throw Error(InputName(name) + " has shape " + tensor.shape.Text() +
                "; give a single number for the whole tensor");
  }
  return Integers(tensor).front();
}

}  // namespace qonnx_tools
