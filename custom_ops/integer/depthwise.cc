#include "integer/depthwise.h"

#include <algorithm>
#include <cstring>

#include "core/level.h"
#include "core/scratch.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kShare = 16384;  // elements of one call of a worker, about

Ending MakeEnding(const WeightMatrix& weights, Carrier x, const EndingTerms& terms) {
  return Ending(terms, AccumulatorBounds(weights, x), std::vector<std::int64_t>(weights.rows, 0));
}

// A channel with its padding, as 32-bit codes, its columns divided by column modulo stride.
struct Plane {
  std::size_t rows;
  std::size_t columns;
  std::size_t phases;  // the column stride
  std::size_t pitch;   // from phase to phase

  std::size_t RowLength() const { return phases * pitch; }
};

Plane PlaneOf(const ConvolutionGeometry& geometry, const ImageSize& size) {
  Plane plane = {};
  plane.rows = size.in[0] + geometry.pad_begin[0] + geometry.pad_end[0];
  plane.columns = size.in[1] + geometry.pad_begin[1] + geometry.pad_end[1];
  plane.phases = geometry.stride[1];
  plane.pitch = (plane.columns + plane.phases - 1) / plane.phases;
  return plane;
}

// May read and write up to kDepthwiseSlack codes more.
void CopyRow(const std::int32_t* from, std::size_t count, std::int32_t* to) {
  constexpr std::size_t kPart = 16;
  static_assert(kPart <= kDepthwiseSlack);
  for (std::size_t at = 0; at < count; at += kPart) {
    std::memcpy(to + at, from + at, kPart * sizeof(std::int32_t));
  }
}

}  // namespace

bool Depthwise::Takes(const ConvolutionGeometry& geometry, const WeightMatrix& weights, Carrier x,
                      const EndingTerms& terms) {
  constexpr std::size_t kMostFilters = 4;  // of a channel; with more, matrix products are faster
  constexpr std::size_t kMostTaps = 128;
  return geometry.in_channels == 1 && geometry.groups > 1 &&
         geometry.out_channels <= kMostFilters && weights.depth <= kMostTaps &&
         MakeEnding(weights, x, terms).Takes32();
}

Depthwise::Depthwise(const ConvolutionGeometry& geometry, const WeightMatrix& weights, Carrier x,
                     const EndingTerms& terms)
    : geometry_(geometry),
      x_carrier_(x),
      y_size_(terms.YSize()),
      residual_size_(terms.ResidualSize()),
      ending_(MakeEnding(weights, x, terms)) {
  for (const std::int64_t w : weights.values) weights_.push_back(static_cast<std::int32_t>(w));
}

void Depthwise::RunChannel(const ImageSize& size, const std::size_t* offsets, std::size_t channel,
                           const ConvolutionTensors& tensors) const {
  const auto& g = geometry_;
  auto* const y = static_cast<std::uint8_t*>(tensors.y);
  const auto* const residual = static_cast<const std::uint8_t*>(tensors.residual);
  const auto& kernels = AtSelectedLevel<DepthwiseTable>();
  const auto load = AtSelectedLevel<RequantizeTable>().load32[static_cast<int>(x_carrier_)];
  const Plane plane = PlaneOf(g, size);
  const std::size_t length = plane.RowLength();
  const std::size_t in_pixels = size.in[0] * size.in[1];
  const std::size_t out_pixels = size.out[0] * size.out[1];
  auto* const codes =
      ScratchOf<std::int32_t>(ScratchUse::kPanel, plane.rows * length + kDepthwiseSlack);
  auto* const sums =
      ScratchOf<std::int32_t>(ScratchUse::kAccumulators, out_pixels + kDepthwiseSlack);
  auto* const loaded =
      ScratchOf<std::int32_t>(ScratchUse::kRow, in_pixels + plane.columns + 2 * kDepthwiseSlack);
  auto* const line = loaded + in_pixels + kDepthwiseSlack;
  load(tensors.x, loaded, in_pixels);
  std::fill_n(codes, g.pad_begin[0] * length, 0);
  for (std::size_t row = 0; row < size.in[0]; ++row) {
    std::int32_t* const to = codes + (g.pad_begin[0] + row) * length;
    std::int32_t* const straight = plane.phases == 1 ? to : line;
    std::fill_n(straight, g.pad_begin[1], 0);
    CopyRow(loaded + row * size.in[1], size.in[1], straight + g.pad_begin[1]);
    std::fill_n(straight + g.pad_begin[1] + size.in[1], g.pad_end[1], 0);
    if (plane.phases > 1) kernels.divide(line, plane.columns, plane.phases, to, plane.pitch);
  }
  std::fill_n(codes + (plane.rows - g.pad_end[0]) * length, g.pad_end[0] * length, 0);
  const std::size_t taps = g.kernel[0] * g.kernel[1];
  for (std::size_t i = 0; i < g.out_channels; ++i) {
    const std::size_t filter = channel * g.out_channels + i;
    kernels.multiply({.x = codes,
                      .row_step = g.stride[0] * length,
                      .offsets = offsets,
                      .weights = weights_.data() + filter * taps,
                      .taps = taps,
                      .rows = size.out[0],
                      .columns = size.out[1],
                      .sums = sums});
    const std::size_t at = i * out_pixels;
    ending_.Rows(filter, AccumulatorRows<std::int32_t>{sums, 0, 1, out_pixels, y + at * y_size_, 0},
                 residual + at * residual_size_);
  }
}

void Depthwise::Run(const ImageSize& size, const ConvolutionTensors& tensors,
                    const Workers& workers) const {
  const std::size_t in_channel = size.in[0] * size.in[1] * SizeOf(x_carrier_);
  const std::size_t out_channel = geometry_.out_channels * size.out[0] * size.out[1];
  const Plane plane = PlaneOf(geometry_, size);
  const std::size_t share =
      std::max<std::size_t>(1, kShare / std::max<std::size_t>(1, plane.rows * plane.columns));
  const std::size_t channels = size.count * geometry_.groups;
  const std::size_t taps = geometry_.kernel[0] * geometry_.kernel[1];
  auto* const offsets = ScratchOf<std::size_t>(ScratchUse::kPackedInput, taps);
  for (std::size_t tap = 0; tap < taps; ++tap) {
    const std::size_t column = tap % geometry_.kernel[1] * geometry_.dilation[1];
    offsets[tap] = tap / geometry_.kernel[1] * geometry_.dilation[0] * plane.RowLength() +
                   column % plane.phases * plane.pitch + column / plane.phases;
  }
  workers.For((channels + share - 1) / share, [&](std::size_t index) {
    const std::size_t end = std::min(channels, (index + 1) * share);
    for (std::size_t channel = index * share; channel < end; ++channel) {
      RunChannel(size, offsets, channel % geometry_.groups,
                 {static_cast<const std::uint8_t*>(tensors.x) + channel * in_channel,
                  static_cast<const std::uint8_t*>(tensors.residual) +
                      channel * out_channel * residual_size_,
                  static_cast<std::uint8_t*>(tensors.y) + channel * out_channel * y_size_});
    }
  });
}

}  // namespace qonnx_tools
