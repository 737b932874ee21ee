#include "integer/weights.h"

#include <algorithm>

#include "core/level.h"
#include "kernels/multiply.h"

namespace qonnx_tools {
namespace {

constexpr int kDigit = 15;  // bits of a plane, beside the sign
constexpr std::size_t kLongestSegment = 128;
constexpr std::uint64_t kTwo31 = std::uint64_t{1} << 31;
constexpr std::uint64_t kTwo63 = std::uint64_t{1} << 63;

std::uint64_t Magnitude(std::int64_t value) {
  return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

std::uint64_t Largest(const WeightMatrix& weights) {
  std::uint64_t largest = 0;
  for (const std::int64_t w : weights.values) largest = std::max(largest, Magnitude(w));
  return largest;
}

bool AllWithin(const WeightMatrix& weights, std::int64_t low, std::int64_t high) {
  return std::all_of(weights.values.begin(), weights.values.end(),
                     [&](std::int64_t w) { return w >= low && w <= high; });
}

std::int64_t Digit(std::int64_t w, int plane) {
  const auto digit = static_cast<std::int64_t>((Magnitude(w) >> (kDigit * plane)) &
                                               ((std::uint64_t{1} << kDigit) - 1));
  return w < 0 ? -digit : digit;
}

}  // namespace

std::vector<std::uint64_t> AccumulatorBounds(const WeightMatrix& weights, Carrier x) {
  std::vector<std::uint64_t> bounds(weights.rows);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    unsigned __int128 sum = 0;
    for (std::size_t k = 0; k < weights.depth; ++k) {
      sum += Magnitude(weights.values[row * weights.depth + k]);
      sum = std::min<unsigned __int128>(sum, kTwo63);
    }
    bounds[row] =
        static_cast<std::uint64_t>(std::min<unsigned __int128>(sum * LargestOf(x), kTwo63));
  }
  return bounds;
}

std::vector<std::int64_t> PackingCorrections(const WeightMatrix& weights, Carrier x, Units units) {
  std::uint64_t offset = 0;
  if (units == Units::kBytes && x == Carrier::kInt8) offset = std::uint64_t{0} - 128;
  if (units == Units::kWords && x == Carrier::kUint16) offset = 32768;
  std::vector<std::int64_t> corrections(weights.rows);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < weights.depth; ++k) {
      sum += static_cast<std::uint64_t>(weights.values[row * weights.depth + k]);
    }
    corrections[row] = static_cast<std::int64_t>(sum * offset);
  }
  return corrections;
}

Units UnitsFor(const WeightMatrix& weights, Carrier x) {
  const bool can = AtSelectedLevel<MultiplyTable>().signed_by_unsigned != nullptr;
  return can && SizeOf(x) == 1 && AllWithin(weights, -128, 127) ? Units::kBytes : Units::kWords;
}

bool FitUnits(const WeightMatrix& weights, Units units) {
  return units == Units::kBytes || AllWithin(weights, -32768, 32767);
}

std::vector<Segment> SegmentsOf(const WeightMatrix& weights, Carrier x, Units units, bool exact) {
  const std::size_t width = WidthOf(units);
  const std::size_t steps = weights.depth / width;
  std::uint64_t largest_x = units == Units::kBytes ? 255 : 32768;  // as packed
  if (units == Units::kWords && SizeOf(x) == 1) largest_x = LargestOf(x);
  const bool one_plane =
      units == Units::kBytes || AllWithin(weights, exact ? -32767 : -32768, 32767);
  const std::uint64_t largest = Largest(weights);
  std::vector<Segment> segments;
  for (int plane = 0; plane == 0 || (!one_plane && plane * kDigit < 64); ++plane) {
    if (plane > 0 && largest >> (plane * kDigit) == 0) break;
    std::size_t begin = 0;
    while (begin < steps) {
      const std::size_t limit = std::min(steps - begin, kLongestSegment);
      std::size_t count = limit;
      for (std::size_t row = 0; exact && row < weights.rows; ++row) {
        std::uint64_t sum = 0;
        for (std::size_t k = 0; k < count * width; ++k) {
          const std::int64_t w = weights.values[row * weights.depth + begin * width + k];
          sum += Magnitude(one_plane ? w : Digit(w, plane)) * largest_x;
          if (sum >= kTwo31) {
            count = std::max<std::size_t>(k / width, 1);
            break;
          }
        }
      }
      segments.push_back({begin, count, one_plane ? -1 : plane, one_plane ? 0 : plane * kDigit});
      begin += count;
    }
  }
  return segments;
}

std::int32_t UnitAt(const WeightMatrix& weights, Units units, int plane, std::size_t row,
                    std::size_t step) {
  const std::size_t width = WidthOf(units);
  const std::int64_t* const values = &weights.values[row * weights.depth + step * width];
  std::uint32_t unit = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const auto part = static_cast<std::uint64_t>(plane < 0 ? values[i] : Digit(values[i], plane));
    unit |= static_cast<std::uint32_t>(units == Units::kBytes ? part & 0xff : part & 0xffff)
            << (i * 32 / width);
  }
  return static_cast<std::int32_t>(unit);
}

}  // namespace qonnx_tools
