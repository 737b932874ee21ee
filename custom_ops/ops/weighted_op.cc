#include "ops/weighted_op.h"

#include <string>
#include <utility>

#include "glue/parameter.h"

namespace qonnx_tools {
namespace {

constexpr int kMostShiftBits = 6;  // 31 octaves, as arithmetic/integer.py
constexpr int kMostLogBits = 8;
constexpr int kMostGuardBits = 32;

LogUnit ReadUnit(const Attributes& attributes, WeightKind kind) {
  LogUnit unit = {};
  if (kind == WeightKind::kFixed) return unit;
  const bool is_log = kind == WeightKind::kLog;
  unit.weight_bits = attributes.IntWithin("weight_bits", 2, is_log ? kMostLogBits : kMostShiftBits);
  unit.steps = attributes.IntWithin("steps", 1, 2, 1);
  if (!is_log) return unit;
  unit.x_signed = attributes.Bool("x_signed", true);
  unit.x_bits = attributes.IntWithin("x_bits", unit.x_signed ? 2 : 1, kMostLogBits);
  unit.guard_bits = attributes.IntWithin("guard_bits", 0, kMostGuardBits);
  if (unit.steps == 1 && unit.x_bits == kMostLogBits && !unit.x_signed) {
    throw Error(
        "attribute 'x_bits' is 8, with base 2 and 'x_signed' 0; no such log format has a "
        "smallest magnitude in float32: use fewer bits or base sqrt 2");
  }
  return unit;
}

// Rows of even and odd parts in turn: a code of odd size is a shift of the even part, by half of
// what is below it; one of even size is a power of two times sqrt(2), twice that over sqrt(2).
WeightMatrix HalfSteps(const WeightMatrix& codes) {
  WeightMatrix weights = {2 * codes.rows, codes.depth, {}};
  weights.values.reserve(weights.rows * weights.depth);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    for (std::size_t k = 0; k < codes.depth; ++k) {
      const std::int64_t code = codes.values[row / 2 * codes.depth + k];
      const std::int64_t size = code < 0 ? -code : code;
      const bool counts = size % 2 != static_cast<std::int64_t>(row % 2) && size > 0;
      const std::int64_t weight = counts ? std::int64_t{1} << (size / 2) : 0;
      weights.values.push_back(code < 0 ? -weight : weight);
    }
  }
  return weights;
}

}  // namespace

WeightedOp::WeightedOp(const Attributes& attributes, WeightKind kind, const OutputFormat& format)
    : format_(format),
      accumulator_bits_(ReadAccumulatorBits(attributes)),
      kind_(kind),
      unit_(ReadUnit(attributes, kind)) {}

std::optional<int> WeightedOp::LargestCode() const {
  if (kind_ == WeightKind::kFixed) return std::nullopt;
  return unit_.LargestWeight();
}

void WeightedOp::CheckParameter(std::size_t input, const Tensor& tensor) const {
  if (input == 2) CheckShifts("shift", tensor);
  const std::optional<int> largest = LargestCode();
  if (input != 1 || !largest) return;
  for (const std::int64_t code : Integers(tensor)) {
    if (code < -*largest || code > *largest) {
      throw Error(InputName("w") + " has the log code " + std::to_string(code) +
                  "; by attribute 'weight_bits' codes lie in -" + std::to_string(*largest) + ".." +
                  std::to_string(*largest));
    }
  }
}

std::unique_ptr<LogPlanes> WeightedOp::PlanesOf(const WeightMatrix& w, Carrier x) const {
  return kind_ == WeightKind::kLog ? std::make_unique<LogPlanes>(unit_, w, x) : nullptr;
}

WeightMatrix WeightedOp::Multiplied(WeightMatrix w) const {
  if (kind_ == WeightKind::kFixed) return w;
  if (unit_.steps == 2) return HalfSteps(w);
  for (std::int64_t& weight : w.values) {
    if (weight == 0) continue;
    const std::int64_t size = std::int64_t{1} << ((weight < 0 ? -weight : weight) - 1);
    weight = weight < 0 ? -size : size;
  }
  return w;
}

EndingTerms WeightedOp::TermsOf(std::span<const Tensor> inputs, std::size_t channels) const {
  return {
      format_,
      accumulator_bits_,
      {PerChannel("bias", inputs[3], channels, 0), PerChannel("multiplier", inputs[4], channels, 1),
       PerChannel("addend", inputs[5], channels, 0), PerChannel("shift", inputs[2], channels, 0)},
      std::nullopt};
}

std::vector<Input> WeightedInputs(bool optional) {
  constexpr auto kAny = ort::ElementType::kUndefined;
  return {{"x", kAny, false, true, kNarrowCodeTypes},
          {"w", kAny, false, false, kNarrowCodeTypes},
          {"shift", kAny, false, false, kInt64Type},
          {"bias", kAny, optional, false, kBiasTypes},
          {"multiplier", kAny, optional, false, kInt32Type},
          {"addend", kAny, optional, false, kInt64Type}};
}

}  // namespace qonnx_tools
