#include "ops/weighted_op.h"

#include "glue/parameter.h"

namespace qonnx_tools {
namespace {

constexpr int kMostWeightBits = 6;  // 31 octaves, as arithmetic/integer.py

// 2^exponent modulo 2^64.
std::uint64_t PowerOfTwo(std::int64_t exponent) {
  return exponent < 64 ? std::uint64_t{1} << exponent : 0;
}

}  // namespace

WeightedOp::WeightedOp(const Attributes& attributes, WeightKind kind)
    : format_(ReadOutputFormat(attributes)), accumulator_bits_(ReadAccumulatorBits(attributes)) {
  if (kind == WeightKind::kShift) {
    const int bits = attributes.IntWithin("weight_bits", 2, kMostWeightBits);
    largest_code_ = (1 << (bits - 1)) - 1;
  }
}

void WeightedOp::CheckParameter(std::size_t input, const Tensor& tensor) const {
  if (input == 2) CheckShifts("shift", tensor);
  if (input != 1 || !largest_code_) return;
  for (const std::int64_t code : Integers(tensor)) {
    if (code < -*largest_code_ || code > *largest_code_) {
      throw Error(InputName("w") + " has the log code " + std::to_string(code) +
                  "; by attribute 'weight_bits' codes lie in -" + std::to_string(*largest_code_) +
                  ".." + std::to_string(*largest_code_));
    }
  }
}

std::vector<std::int64_t> WeightedOp::Weights(const Tensor& w) const {
  std::vector<std::int64_t> weights = Integers(w);
  if (!largest_code_) return weights;
  for (std::int64_t& weight : weights) {
    if (weight == 0) continue;
    const std::uint64_t size = PowerOfTwo((weight < 0 ? -weight : weight) - 1);
    weight = static_cast<std::int64_t>(weight < 0 ? 0 - size : size);
  }
  return weights;
}

ChannelParameters WeightedOp::ReadChannels(std::span<const Tensor> inputs, std::size_t channels) {
  return {
      PerChannel("bias", inputs[3], channels, 0), PerChannel("multiplier", inputs[4], channels, 1),
      PerChannel("addend", inputs[5], channels, 0), PerChannel("shift", inputs[2], channels, 0)};
}

std::vector<Input> WeightedInputs() {
  constexpr auto kAny = ort::ElementType::kUndefined;
  return {
      {"x", kAny, false, true, kNarrowCodeTypes},    {"w", kAny, false, false, kNarrowCodeTypes},
      {"shift", kAny, false, false, kInt64Type},     {"bias", kAny, true, false, kBiasTypes},
      {"multiplier", kAny, true, false, kInt32Type}, {"addend", kAny, true, false, kInt64Type}};
}

}  // namespace qonnx_tools
