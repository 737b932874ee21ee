#include "kernels/step_quantization.h"

#include <type_traits>

#include "kernels/wrapping.h"

namespace qonnx_tools {
namespace {

template <typename Element, typename Value>
void Load(const void* codes, std::size_t count, Value* __restrict x) {
  const auto* const from = static_cast<const Element*>(codes);
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<Value>(from[i]);
}

template <typename Element, typename Value>
void Store(const Value* x, std::size_t count, Value low, Value high, void* codes) {
  auto* const __restrict to = static_cast<Element*>(codes);
  for (std::size_t i = 0; i < count; ++i) {
    const Value raised = x[i] < low ? low : x[i];
    to[i] = static_cast<Element>(raised > high ? high : raised);
  }
}

template <typename Value>
bool Within(const Value* x, std::size_t count, Value low, Value high) {
  Value least = low, most = high;
  for (std::size_t i = 0; i < count; ++i) {
    least = x[i] < least ? x[i] : least;
    most = x[i] > most ? x[i] : most;
  }
  return least == low && most == high;
}

// The quotient of two integers below 2^24 (float) or 2^53 (double), correctly rounded, has the same
// floor as the exact one: that is at least 1 / divisor away from the next integer above.
template <typename Value>
void Quantize(Value* __restrict x, std::size_t count, std::int32_t factor, std::int32_t step) {
  using Float = std::conditional_t<sizeof(Value) == 2, float, double>;
  using Whole = std::conditional_t<sizeof(Value) == 8, std::int64_t, std::int32_t>;
  const auto multiplier = static_cast<Float>(factor), offset = static_cast<Float>(step);
  const Float divisor = 2 * offset;
  for (std::size_t i = 0; i < count; ++i) {
    const auto magnitude = static_cast<Float>(Magnitude(x[i]));
    const auto whole = static_cast<Whole>((multiplier * magnitude + offset) / divisor);
    x[i] = static_cast<Value>(x[i] < 0 ? -whole : whole);
  }
}

template <typename Value>
void Dequantize(Value* __restrict x, std::size_t count, std::int32_t step, int shift) {
  using Bits = std::make_unsigned_t<Sum<Value>>;
  const auto multiplier = static_cast<Bits>(step);
  const Bits half = (Bits{1} << shift) >> 1;
  for (std::size_t i = 0; i < count; ++i) {
    const auto magnitude = static_cast<Bits>(Magnitude(x[i]));
    const Bits whole = (magnitude * multiplier + half) >> shift;
    x[i] = static_cast<Value>(x[i] < 0 ? Bits{0} - whole : whole);
  }
}

template <typename Value>
constexpr StepQuantizationTable<Value> kTable = {
    {Load<std::int8_t, Value>, Load<std::uint8_t, Value>, Load<std::int16_t, Value>,
     Load<std::uint16_t, Value>, Load<std::int32_t, Value>, Load<std::uint32_t, Value>},
    {Store<std::int8_t, Value>, Store<std::uint8_t, Value>, Store<std::int16_t, Value>,
     Store<std::uint16_t, Value>, Store<std::int32_t, Value>, Store<std::uint32_t, Value>},
    Within<Value>,
    Quantize<Value>,
    Dequantize<Value>};

}  // namespace

template <>
constinit const StepQuantizationTable<std::int16_t>
    StepQuantizationTable<std::int16_t>::QONNX_TOOLS_LEVEL = kTable<std::int16_t>;
template <>
constinit const StepQuantizationTable<std::int32_t>
    StepQuantizationTable<std::int32_t>::QONNX_TOOLS_LEVEL = kTable<std::int32_t>;
template <>
constinit const StepQuantizationTable<std::int64_t>
    StepQuantizationTable<std::int64_t>::QONNX_TOOLS_LEVEL = kTable<std::int64_t>;

}  // namespace qonnx_tools
