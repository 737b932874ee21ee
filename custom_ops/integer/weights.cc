#include "integer/weights.h"

#include <algorithm>

namespace qonnx_tools {
namespace {

constexpr int kWordDigit = 15;  // bits of a plane, beside the sign
constexpr int kByteDigit = 8;   // bits of a plane
constexpr std::uint64_t kTwo31 = std::uint64_t{1} << 31;
constexpr std::uint64_t kTwo63 = std::uint64_t{1} << 63;

std::uint64_t Magnitude(std::int64_t value) {
  return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

bool AllWithin(const WeightMatrix& weights, std::int64_t low, std::int64_t high) {
  return std::all_of(weights.values.begin(), weights.values.end(),
                     [&](std::int64_t w) { return w >= low && w <= high; });
}

// w without its lowest `plane` digits, divided by what the next one counts for.
std::int64_t WithoutBytes(std::int64_t w, int plane) {
  for (; plane > 0; --plane) {
    const auto digit = static_cast<std::uint64_t>(static_cast<std::int8_t>(w));
    w = static_cast<std::int64_t>(static_cast<std::uint64_t>(w) - digit) >> kByteDigit;
  }
  return w;
}

std::int64_t Digit(std::int64_t w, Units units, int plane) {
  if (plane < 0) return w;
  if (AreBytes(units)) return static_cast<std::int8_t>(WithoutBytes(w, plane));
  const auto digit = static_cast<std::int64_t>((Magnitude(w) >> (kWordDigit * plane)) &
                                               ((std::uint64_t{1} << kWordDigit) - 1));
  return w < 0 ? -digit : digit;
}

int PlaneCount(const WeightMatrix& weights, Units units) {
  const int bits = AreBytes(units) ? kByteDigit : kWordDigit;
  int count = 1;
  for (const std::int64_t w : weights.values) {
    const auto more = [&] {
      if (!AreBytes(units)) return Magnitude(w) >> (bits * count) != 0;
      const std::int64_t rest = WithoutBytes(w, count - 1);
      return rest != static_cast<std::int8_t>(rest);
    };
    while (bits * count < 64 && more()) ++count;
  }
  return count;
}

// The steps from `begin` on, at most `limit`, whose sum fits 32 bits in every row: a multiple of
// `grain`, or all.
std::size_t ExactSteps(const WeightMatrix& weights, Units units, int plane, std::uint64_t largest_x,
                       std::size_t begin, std::size_t limit, std::size_t grain) {
  const std::size_t width = WidthOf(units);
  std::size_t count = limit;
  for (std::size_t row = 0; row < weights.rows; ++row) {
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < count * width; ++k) {
      const std::int64_t w = weights.values[row * weights.depth + begin * width + k];
      sum += Magnitude(Digit(w, units, plane)) * largest_x;
      if (sum >= kTwo31) {
        count = std::max<std::size_t>(k / width / grain, 1) * grain;
        break;
      }
    }
  }
  return count;
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

std::vector<std::int64_t> PackingCorrections(const WeightMatrix& weights, Carrier x, bool bytes) {
  std::uint64_t offset = 0;
  if (bytes && IsSigned(x)) offset = 0 - (std::uint64_t{1} << (8 * SizeOf(x) - 1));
  if (!bytes && x == Carrier::kUint16) offset = 32768;
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

WeightMatrix InUnits(const WeightMatrix& weights, std::size_t taps, std::size_t width) {
  const std::size_t channels = weights.depth / taps;
  WeightMatrix ordered;
  ordered.rows = weights.rows;
  ordered.depth = (channels + width - 1) / width * taps * width;
  ordered.values.assign(ordered.rows * ordered.depth, 0);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    for (std::size_t channel = 0; channel < channels; ++channel) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        const std::size_t step = channel / width * taps + tap;
        ordered.values[row * ordered.depth + step * width + channel % width] =
            weights.values[row * weights.depth + channel * taps + tap];
      }
    }
  }
  return ordered;
}

bool FitUnits(const WeightMatrix& weights, Units units) {
  return AreBytes(units) ? AllWithin(weights, -128, 127) : AllWithin(weights, -32768, 32767);
}

std::vector<Segment> SegmentsOf(const WeightMatrix& weights, Carrier x, Units units, bool exact,
                                std::size_t longest, std::size_t grain) {
  const std::size_t steps = weights.depth / WidthOf(units);
  std::uint64_t largest_x = AreBytes(units) ? 255 : 32768;  // as packed
  if (!AreBytes(units) && SizeOf(x) == 1) largest_x = LargestOf(x);
  // The dot product of two words -32768 each is 2^31.
  const bool one_plane =
      AreBytes(units) || !exact ? FitUnits(weights, units) : AllWithin(weights, -32767, 32767);
  const int planes = one_plane ? 1 : PlaneCount(weights, units);
  const int bits = AreBytes(units) ? kByteDigit : kWordDigit;
  std::vector<Segment> segments;
  for (int plane = 0; plane < planes; ++plane) {
    const int digit = one_plane ? -1 : plane;
    for (std::size_t begin = 0; begin < steps;) {
      std::size_t count = std::min(steps - begin, longest);
      if (exact) count = ExactSteps(weights, units, digit, largest_x, begin, count, grain);
      segments.push_back({begin, count, digit, plane * bits});
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
    const auto part = static_cast<std::uint64_t>(Digit(values[i], units, plane));
    unit |= static_cast<std::uint32_t>(AreBytes(units) ? part & 0xff : part & 0xffff)
            << (i * 32 / width);
  }
  return static_cast<std::int32_t>(unit);
}

}  // namespace qonnx_tools
