#include "integer/epilogue.h"

#include <algorithm>

#include "core/level.h"
#include "core/scratch.h"

namespace qonnx_tools {
namespace {

constexpr std::uint64_t kTwo31 = std::uint64_t{1} << 31;
constexpr std::uint64_t kTwo63 = std::uint64_t{1} << 63;

std::uint64_t Magnitude(std::int64_t value) {
  return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

std::int64_t AddModular(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

}  // namespace

Epilogue::Epilogue(const OutputFormat& format, int accumulator_bits,
                   const ChannelParameters& parameters, const std::vector<std::uint64_t>& bound,
                   const std::vector<std::int64_t>& correction)
    : format_(format), kernels_(&AtSelectedLevel<RequantizeTable>()), parameters_(parameters) {
  const std::uint64_t limit = std::uint64_t{1} << (accumulator_bits - 1);
  std::uint64_t largest = 0;
  for (std::size_t m = 0; m < bound.size(); ++m) {
    largest = std::max(largest, std::min(kTwo63, bound[m] + Magnitude(parameters_.bias[m])));
  }
  const bool wraps = largest >= limit;
  takes32_ = accumulator_bits <= 32 || largest < kTwo31;
  unused32_ = wraps ? std::max(0, 32 - accumulator_bits) : 0;
  unused64_ = wraps ? 64 - accumulator_bits : 0;
  if (wraps) largest = limit;
  narrow_ = takes32_ && largest < kTwo31;
  for (std::size_t m = 0; m < bound.size(); ++m) {
    std::int64_t& bias = parameters_.bias[m];
    std::int64_t& addend = parameters_.addend[m];
    const bool plain =
        parameters_.multiplier[m] == 1 && parameters_.shift[m] >= 0 && parameters_.shift[m] <= 30;
    const std::uint64_t extra = Magnitude(addend);
    narrow_ &= plain && (extra == 0 || !wraps) && extra < kTwo31 &&
               largest + extra + (std::uint64_t{1} << (plain ? parameters_.shift[m] : 0)) < kTwo31;
    bias = AddModular(bias, correction[m]);
  }
  if (!narrow_) return;
  for (std::size_t m = 0; m < bound.size(); ++m) {
    const std::int64_t bias = AddModular(parameters_.bias[m], parameters_.addend[m]);
    narrow_bias_.push_back(static_cast<std::int32_t>(bias));
    narrow_shift_.push_back(static_cast<std::int32_t>(parameters_.shift[m]));
  }
}

Requantization Epilogue::Wide(int unused_bits) const {
  return {parameters_.bias.data(),
          parameters_.multiplier.data(),
          parameters_.addend.data(),
          parameters_.shift.data(),
          unused_bits,
          format_.low,
          format_.high};
}

void Epilogue::Row(std::size_t channel, std::int32_t* accumulators, void* y,
                   std::size_t count) const {
  const auto carrier = static_cast<std::size_t>(format_.carrier);
  if (narrow_) {
    const NarrowRequantization by = {narrow_bias_.data(), narrow_shift_.data(), unused32_,
                                     format_.low, format_.high};
    kernels_->narrow[format_.rounding][carrier](by, channel, accumulators, y, count);
    return;
  }
  kernels_->uniform32[format_.rounding](Wide(unused32_), channel, accumulators, accumulators,
                                        count);
  kernels_->store[carrier](accumulators, y, count);
}

void Epilogue::Across(std::size_t channel, std::int32_t* accumulators, void* y,
                      std::size_t count) const {
  kernels_->varying32[format_.rounding](Wide(unused32_), channel, accumulators, accumulators,
                                        count);
  kernels_->store[static_cast<std::size_t>(format_.carrier)](accumulators, y, count);
}

void Epilogue::Row(std::size_t channel, std::int64_t* accumulators, void* y,
                   std::size_t count) const {
  auto* const codes = ScratchOf<std::int32_t>(ScratchUse::kRow, count);
  kernels_->uniform64[format_.rounding](Wide(unused64_), channel, accumulators, codes, count);
  kernels_->store[static_cast<std::size_t>(format_.carrier)](codes, y, count);
}

void Epilogue::Across(std::size_t channel, std::int64_t* accumulators, void* y,
                      std::size_t count) const {
  auto* const codes = ScratchOf<std::int32_t>(ScratchUse::kRow, count);
  kernels_->varying64[format_.rounding](Wide(unused64_), channel, accumulators, codes, count);
  kernels_->store[static_cast<std::size_t>(format_.carrier)](codes, y, count);
}

}  // namespace qonnx_tools
