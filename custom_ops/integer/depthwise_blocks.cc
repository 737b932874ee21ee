#include "integer/depthwise_blocks.h"

#include <algorithm>
#include <utility>

#include "core/level.h"
#include "core/scratch.h"
#include "integer/narrow_finish.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kShare = 16384;  // numbers of one call of a worker, about

const DepthwiseBlocksTable& Kernels() { return AtSelectedLevel<DepthwiseBlocksTable>(); }

const DepthwiseFilterKernel* FilterKernels(const DepthwiseFilters& kernels,
                                           const OutputFormat& format) {
  const bool all = IsSigned(format.carrier) && format.low == LowestOf(format.carrier) &&
                   format.high == HighestOf(format.carrier);
  if (SizeOf(format.carrier) == 2) return all ? kernels.all_int16 : kernels.shorts;
  return all ? kernels.all_int8 : kernels.bytes;
}

// The accumulators of each filter with all codes of the carrier.
std::vector<Range> AccumulatorRanges(const WeightMatrix& weights, Carrier x,
                                     const std::vector<std::int64_t>& bias) {
  std::vector<Range> ranges;
  for (std::size_t m = 0; m < weights.rows; ++m) {
    Range range = {bias[m], bias[m]};
    for (std::size_t k = 0; k < weights.depth; ++k) {
      const std::int64_t w = weights.values[m * weights.depth + k];  // of 16 bits
      range.low += w * (w < 0 ? HighestOf(x) : LowestOf(x));
      range.high += w * (w < 0 ? LowestOf(x) : HighestOf(x));
    }
    ranges.push_back(range);
  }
  return ranges;
}

}  // namespace

// Empty if 32 bits do not hold everything of a filter, or it has a multiplier.
DepthwiseBlocks::Finishes DepthwiseBlocks::FinishesOf(const WeightMatrix& weights, Carrier x,
                                                      const std::vector<std::int64_t>& corrections,
                                                      const EndingTerms& terms) {
  const OutputFormat& format = terms.format;
  const int accumulator_bits = terms.accumulator_bits;
  const ChannelParameters& parameters = terms.channels;
  constexpr std::int64_t kLarge = std::int64_t{1} << 40;
  const auto is_large = [](std::int64_t value) { return value >= kLarge || value <= -kLarge; };
  Finishes finishes;
  if (SizeOf(format.carrier) > 2 || accumulator_bits > 32 ||
      std::any_of(parameters.bias.begin(), parameters.bias.end(), is_large)) {
    return finishes;
  }
  const std::vector<Range> ranges = AccumulatorRanges(weights, x, parameters.bias);
  const std::int64_t limit = std::int64_t{1} << (accumulator_bits - 1);
  for (std::size_t m = 0; m < weights.rows; ++m) {
    const std::int64_t addend = parameters.addend[m];
    const bool wraps = ranges[m].low < -limit || ranges[m].high >= limit;
    const std::int64_t right = std::max<std::int64_t>(0, parameters.shift[m]);
    const std::int64_t left = right - parameters.shift[m];
    const std::int64_t unused = wraps ? 32 - accumulator_bits : 0;
    if (parameters.multiplier[m] != 1 || is_large(addend) || left > 15 ||
        (wraps && (addend != 0 || left > unused))) {
      return {};
    }
    const Range range = wraps ? Range{-limit, limit - 1} : ranges[m];
    const auto rounding = FinishOf({(range.low + addend) * (std::int64_t{1} << left),
                                    (range.high + addend) * (std::int64_t{1} << left)},
                                   right, format, 32);
    if (!rounding) return {};
    const DepthwiseFinish finish = {static_cast<std::int32_t>(wraps ? unused : left),
                                    static_cast<std::int32_t>(wraps ? unused - left : 0),
                                    *rounding};
    // Filters with the same shifts have one finish.
    const auto same = [&](const DepthwiseFinish& other) {
      return other.rounding.shift == finish.rounding.shift && other.up == finish.up &&
             other.down == finish.down;
    };
    auto& all = finishes.finish;
    const auto at = std::find_if(all.begin(), all.end(), same) - all.begin();
    if (static_cast<std::size_t>(at) == all.size()) all.push_back(finish);
    finishes.index.push_back(static_cast<std::uint16_t>(at));
    finishes.bias.push_back(
        static_cast<std::int32_t>(parameters.bias[m] + addend + corrections[m]));
  }
  return finishes;
}

std::unique_ptr<DepthwiseBlocks> DepthwiseBlocks::Of(const ConvolutionGeometry& geometry,
                                                     const WeightMatrix& weights, Carrier x,
                                                     const EndingTerms& terms) {
  const bool bytes = SizeOf(x) == 1 && FitUnits(weights, Units::kBytes);
  if (!Kernels().available() || !(bytes || FitUnits(weights, Units::kWords))) return nullptr;
  const auto corrections = PackingCorrections(weights, x, bytes);
  const Epilogue epilogue(terms.format, terms.accumulator_bits, terms.channels,
                          AccumulatorBounds(weights, x), corrections);
  if (!epilogue.Takes32()) return nullptr;
  return std::unique_ptr<DepthwiseBlocks>(new DepthwiseBlocks(
      geometry, weights, x, bytes, terms, epilogue, FinishesOf(weights, x, corrections, terms)));
}

DepthwiseBlocks::DepthwiseBlocks(const ConvolutionGeometry& geometry, const WeightMatrix& weights,
                                 Carrier x, bool bytes, const EndingTerms& terms,
                                 const Epilogue& epilogue, Finishes finishes)
    : geometry_(geometry),
      taps_(geometry, bytes),
      x_size_(SizeOf(x)),
      code_size_(SizeOf(terms.format.carrier)),
      y_size_(terms.YSize()),
      residual_size_(terms.ResidualSize()),
      epilogue_(epilogue),
      sum_(terms.sum),
      finishes_(std::move(finishes)),
      fused_(!finishes_.bias.empty()) {
  const auto carrier = static_cast<std::size_t>(x);
  const auto& pads = AtSelectedLevel<DepthwisePadTable>();
  pad_ = bytes ? pads.bytes[carrier] : pads.words[carrier];
  pad_small_ = bytes ? pads.small_bytes[carrier] : pads.small_words[carrier];
  const DepthwiseFilters& filters = bytes ? Kernels().bytes : Kernels().words;
  sums_ = filters.sums;
  const OutputFormat& format = terms.format;
  const bool to_even = format.rounding == static_cast<int>(Rounding::kHalfEven);
  for (const DepthwiseFinish& finish : finishes_.finish) {
    const bool plain = to_even && finish.up == 0 && finish.down == 0;
    filters_.push_back(FilterKernels(filters, format)[plain ? 0 : 1]);
  }
  for (std::size_t filter = 0; filter < weights.rows; ++filter) {
    numbers_.push_back(fused_ ? finishes_.bias[filter] : 0);
    const std::int64_t* w = &weights.values[filter * weights.depth];
    for (std::size_t row = 0; row < geometry.kernel[0]; ++row, w += geometry.kernel[1]) {
      for (std::size_t first = 0; first < geometry.kernel[1]; first += taps_.group_taps) {
        std::uint32_t unit = 0;
        for (std::size_t i = 0; i < taps_.group_taps && first + i < geometry.kernel[1]; ++i) {
          const auto low = static_cast<std::uint32_t>(w[first + i]) & (bytes ? 0xffu : 0xffffu);
          unit |= low << (8 * taps_.number * i);
        }
        numbers_.push_back(static_cast<std::int32_t>(unit));
      }
    }
  }
  filter_numbers_ = numbers_.size() / weights.rows;
}

void DepthwiseBlocks::RunChannel(const DepthwiseMap& map, std::size_t channel,
                                 const ConvolutionTensors& tensors, void* padded) const {
  const std::size_t pixels = map.out[0] * map.out[1];
  (map.padding_count > 0 ? pad_small_ : pad_)(map, tensors.x, padded);
  for (std::size_t i = 0; i < geometry_.out_channels; ++i) {
    const std::size_t m = channel * geometry_.out_channels + i;
    const std::int32_t* const numbers = &numbers_[m * filter_numbers_];
    void* const y = static_cast<std::uint8_t*>(tensors.y) + i * pixels * y_size_;
    void* const to = sum_ ? Scratch(ScratchUse::kCodes, pixels * code_size_) : y;
    if (fused_) {
      const std::size_t index = finishes_.index[m];
      filters_[index](map, {numbers, &finishes_.finish[index]}, padded, to);
    } else {
      auto* const sums = ScratchOf<std::int32_t>(ScratchUse::kAccumulators, pixels);
      sums_(map, {numbers, nullptr}, padded, sums);
      epilogue_.Row(m, sums, to, pixels);
    }
    if (sum_) {
      const auto* const residual = static_cast<const std::uint8_t*>(tensors.residual);
      sum_->Run({to, residual + i * pixels * residual_size_, y, 1, pixels, 0, 0, 0});
    }
  }
}

void DepthwiseBlocks::Run(const ImageSize& size, const ConvolutionTensors& tensors,
                          const Workers& workers) const {
  const DepthwiseMap map = DepthwiseMapOf(geometry_, taps_, size, pad_small_ != nullptr);
  const std::size_t in_channel = size.in[0] * size.in[1] * x_size_;
  const std::size_t out_channel = geometry_.out_channels * size.out[0] * size.out[1];
  const std::size_t share = std::max<std::size_t>(1, kShare / (map.rows * map.pitch));
  const std::size_t channels = size.count * geometry_.groups;
  workers.For((channels + share - 1) / share, [&](std::size_t index) {
    void* const padded = Scratch(ScratchUse::kPanel, map.PaddedSize() * taps_.number);
    const std::size_t end = std::min(channels, (index + 1) * share);
    for (std::size_t channel = index * share; channel < end; ++channel) {
      RunChannel(map, channel % geometry_.groups,
                 {static_cast<const std::uint8_t*>(tensors.x) + channel * in_channel,
                  static_cast<const std::uint8_t*>(tensors.residual) +
                      channel * out_channel * residual_size_,
                  static_cast<std::uint8_t*>(tensors.y) + channel * out_channel * y_size_},
                 padded);
    }
  });
}

}  // namespace qonnx_tools
