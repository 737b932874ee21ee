// Convolution: what is done once, when the session is created.

#include <algorithm>
#include <optional>
#include <utility>

#include "core/level.h"
#include "integer/convolution.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// The weights in the order of the panel: units of neighbouring channels, then the kernel.
WeightMatrix InUnits(const ConvolutionGeometry& geometry, const WeightMatrix& weights,
                     std::size_t width) {
  const std::size_t taps = geometry.kernel[0] * geometry.kernel[1];
  const std::size_t channel_units = Ceil(geometry.in_channels, width);
  WeightMatrix padded;
  padded.rows = weights.rows;
  padded.depth = channel_units * taps * width;
  padded.values.assign(padded.rows * padded.depth, 0);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    for (std::size_t channel = 0; channel < geometry.in_channels; ++channel) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        const std::size_t step = channel / width * taps + tap;
        padded.values[row * padded.depth + step * width + channel % width] =
            weights.values[row * weights.depth + channel * taps + tap];
      }
    }
  }
  return padded;
}

Epilogue MakeEpilogue(const WeightMatrix& weights, Carrier x, Units units,
                      const OutputFormat& format, int accumulator_bits,
                      const ChannelParameters& parameters) {
  return Epilogue(format, accumulator_bits, parameters, AccumulatorBounds(weights, x),
                  PackingCorrections(weights, x, units));
}

}  // namespace

Convolution::Convolution(const ConvolutionGeometry& geometry, const WeightMatrix& weights,
                         Carrier x, const OutputFormat& format, int accumulator_bits,
                         const ChannelParameters& parameters)
    : geometry_(geometry),
      x_carrier_(x),
      y_size_(SizeOf(format.carrier)),
      units_(UnitsFor(weights, x)),
      direct_(geometry.kernel[0] * geometry.kernel[1] == 1 && geometry.stride[0] == 1 &&
              geometry.stride[1] == 1 && geometry.pad_begin[0] + geometry.pad_begin[1] == 0 &&
              geometry.pad_end[0] + geometry.pad_end[1] == 0),
      zero_(0),
      epilogue_(MakeEpilogue(weights, x, units_, format, accumulator_bits, parameters)),
      wide_(!epilogue_.Takes32() || !FitUnits(weights, units_)) {
  const auto& multiply = AtSelectedLevel<MultiplyTable>();
  std::optional<SplitWeights> split;
  if (units_ == Units::kWords && SizeOf(x) == 1 && !wide_ && multiply.add_sparse != nullptr) {
    split = Split(InUnits(geometry_, weights, WidthOf(Units::kBytes)));
  }
  split_ = split.has_value();
  if (split_) {
    units_ = Units::kBytes;
    epilogue_ = MakeEpilogue(weights, x, units_, format, accumulator_bits, parameters);
    shifts_ = std::move(split->shifts);
  }
  multiply_ = units_ == Units::kBytes ? multiply.signed_by_unsigned : multiply.words;
  channel_units_ = Ceil(geometry.in_channels, WidthOf(units_));
  const std::uint32_t code_zero = 0;
  AtSelectedLevel<PackTable>().row[static_cast<int>(units_)][static_cast<int>(x)](
      &code_zero, WidthOf(units_), &zero_);
  const WeightMatrix ordered =
      split_ ? std::move(split->dense) : InUnits(geometry_, weights, WidthOf(units_));
  segments_ = SegmentsOf(ordered, x, units_, wide_);
  PackWeights(ordered);
  if (split_) PackSparse(split->sparse);
}

void Convolution::PackWeights(const WeightMatrix& ordered) {
  const std::size_t rows = geometry_.out_channels;
  for (const Segment& segment : segments_) {
    segment_offsets_.push_back(group_size_);
    group_size_ += segment.steps * rows;
  }
  weights_.reserve(group_size_ * geometry_.groups);
  for (std::size_t group = 0; group < geometry_.groups; ++group) {
    for (const Segment& segment : segments_) {
      for (std::size_t first = 0; first < rows; first += kRows) {
        const std::size_t end = std::min(first + kRows, rows);
        for (std::size_t step = 0; step < segment.steps; ++step) {
          for (std::size_t row = first; row < end; ++row) {
            weights_.push_back(UnitAt(ordered, units_, segment.plane, group * rows + row,
                                      segment.first_step + step));
          }
        }
      }
    }
  }
}

void Convolution::PackSparse(const WeightMatrix& ordered) {
  const std::size_t rows = geometry_.out_channels;
  sparse_begins_.push_back(0);
  for (std::size_t group = 0; group < geometry_.groups; ++group) {
    for (const Segment& segment : segments_) {
      for (std::size_t row = group * rows; row < (group + 1) * rows; ++row) {
        for (std::size_t step = 0; step < segment.steps; ++step) {
          const std::int32_t unit = UnitAt(ordered, units_, -1, row, segment.first_step + step);
          if (unit != 0) sparse_.push_back({static_cast<std::uint32_t>(step), unit});
        }
        sparse_begins_.push_back(static_cast<std::uint32_t>(sparse_.size()));
      }
    }
  }
}

}  // namespace qonnx_tools
