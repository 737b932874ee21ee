// Integer weights, and how they are divided for kernels/multiply.h.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "integer/output_format.h"
#include "kernels/pack.h"

namespace qonnx_tools {

// w[row][k], modulo 2^64. Rows are output channels.
struct WeightMatrix {
  std::size_t rows = 0;
  std::size_t depth = 0;
  std::vector<std::int64_t> values;
};

// sum |w| of each row times the largest |x|, saturated to 2^63.
std::vector<std::uint64_t> AccumulatorBounds(const WeightMatrix& weights, Carrier x);

constexpr std::size_t WidthOf(Units units) { return units == Units::kWords ? 2 : 4; }
constexpr bool AreBytes(Units units) { return units != Units::kWords; }

// What must be added to each row's accumulator because x is packed with an offset.
std::vector<std::int64_t> PackingCorrections(const WeightMatrix& weights, Carrier x, bool bytes);

// The weights in the order of a panel, for units of `width` neighbouring channels: rows of [units
// of channels][tap][channel of the unit].
WeightMatrix InUnits(const WeightMatrix& weights, std::size_t taps, std::size_t width);

// Whether all weights fit the signed numbers of a unit, so that one plane holds them.
bool FitUnits(const WeightMatrix& weights, Units units);

// A run of steps that is accumulated in 32 bits, with weights of one plane: their digits, which
// count for 2^shift. Words have digits of 15 bits beside the sign, bytes signed digits of 8 bits.
struct Segment {
  std::size_t first_step;
  std::size_t steps;
  int plane;  // -1: the weights as they are
  int shift;
};

// How `weights` of `depth` (a multiple of the unit width) are divided, into segments of at most
// `longest` steps that begin at multiples of `grain`, 1 or (with bytes) 16. With exact = false the
// accumulators are modulo 2^32; with exact = true each segment's sum fits 32 bits.
std::vector<Segment> SegmentsOf(const WeightMatrix& weights, Carrier x, Units units, bool exact,
                                std::size_t longest, std::size_t grain = 1);

// The unit of row `row` at step `step`, of one plane or all (-1).
std::int32_t UnitAt(const WeightMatrix& weights, Units units, int plane, std::size_t row,
                    std::size_t step);

}  // namespace qonnx_tools
