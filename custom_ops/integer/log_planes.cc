#include "integer/log_planes.h"

#include <algorithm>
#include <cstdlib>

#include "core/level.h"
#include "kernels/lookup.h"

namespace qonnx_tools {
namespace {

constexpr int kRareOctaves = 16;         // below the largest
constexpr std::size_t kShare = 1 << 15;  // codes that are worth a piece of work

}  // namespace

LogPlanes::LogPlanes(const LogUnit& unit, const WeightMatrix& weights, Carrier x)
    : unit_(unit), x_carrier_(x) {
  std::vector<Sizes> present;  // of the weights
  for (int step = 0; step < unit.steps; ++step) {
    Sizes sizes = {step, 1 << 30, 0};
    for (const std::int64_t code : weights.values) {
      const int down = unit.LargestWeight() - std::abs(static_cast<int>(code));
      if (code == 0 || down % unit.steps != step) continue;
      sizes.first = std::min(sizes.first, down / unit.steps);
      sizes.end = std::max(sizes.end, down / unit.steps + 1);
    }
    if (sizes.end > 0) present.push_back(sizes);
  }
  // Planes of the same octaves are neighbours: as a rule they have the same weights.
  for (int first = 0; first < unit.LargestX(); first += Octaves()) {
    for (int step = 0; step < unit.steps; ++step) {
      const int count = (unit.LargestX() - step + unit.steps - 1) / unit.steps;
      if (first < count) Divide({step, first, std::min(first + Octaves(), count)}, present);
    }
  }
  if (planes_.empty()) Add({0, 0, 1}, {});
  for (Plane& plane : planes_) Tabulate(plane);
}

// Makes planes for the sizes of x with all sizes of w that do not always give 0.
void LogPlanes::Divide(const Sizes& x, const std::vector<Sizes>& weights) {
  std::vector<Sizes> whole;   // nothing is dropped of any x
  std::vector<Sizes> partly;  // something is
  for (const Sizes& sizes : weights) {
    const int spare = unit_.guard_bits - OctavesDown(x.step, sizes);
    const int middle = std::clamp(spare - x.end + 2, sizes.first, sizes.end);
    const int last = std::clamp(spare - x.first + 1, middle, sizes.end);
    if (sizes.first < middle) whole.push_back({sizes.step, sizes.first, middle});
    if (middle < last) partly.push_back({sizes.step, middle, last});
  }
  if (!whole.empty()) Add(x, std::move(whole));
  if (partly.empty()) return;
  const int half = (x.first + x.end) / 2;  // one size alone is never dropped partly
  Divide({x.step, x.first, half}, partly);
  Divide({x.step, half, x.end}, partly);
}

// With the largest bytes for which all weights are whole numbers.
void LogPlanes::Add(const Sizes& x, std::vector<Sizes> weights) {
  int one = x.first + Octaves() - 1;
  for (const Sizes& sizes : weights) {
    one = std::min(one, unit_.guard_bits - OctavesDown(x.step, sizes) - (sizes.end - 1));
  }
  planes_.push_back({x, std::move(weights), std::max(one, x.end - 1), {}});
}

void LogPlanes::Tabulate(Plane& plane) const {
  const int largest = unit_.LargestX();
  const int lowest = unit_.x_signed ? -largest : 0;
  const auto entry = [&](int code) -> std::uint8_t {
    const int down = largest - std::abs(code);
    const int octave = down / unit_.steps;
    if (code == 0 || down % unit_.steps != plane.x.step) return 0;
    if (octave < plane.x.first || octave >= plane.x.end) return 0;
    const int size = 1 << (plane.one - octave);
    return static_cast<std::uint8_t>(code < 0 ? -size : size);
  };
  if (SizeOf(x_carrier_) > 1) {
    for (int code = lowest; code <= largest; ++code) plane.bytes.push_back(entry(code));
    return;
  }
  for (int byte = 0; byte < 256; ++byte) {
    const int code = IsSigned(x_carrier_) && byte > 127 ? byte - 256 : byte;
    plane.bytes.push_back(entry(std::clamp(code, lowest, largest)));
  }
}

std::int64_t LogPlanes::Weight(const Plane& plane, std::int64_t code, bool odd) const {
  const int down = unit_.LargestWeight() - std::abs(static_cast<int>(code));
  const int octave = down / unit_.steps;
  for (const Sizes& sizes : plane.weights) {
    if (code == 0 || sizes.step != down % unit_.steps) continue;
    if (octave < sizes.first || octave >= sizes.end) continue;
    if (((plane.x.step + sizes.step) % unit_.steps == 1) != odd) continue;
    const std::int64_t size = std::int64_t{1}
                              << (unit_.guard_bits - OctavesDown(plane.x.step, sizes) - octave -
                                  plane.one);
    return code < 0 ? -size : size;
  }
  return 0;
}

std::vector<std::uint8_t> LogPlanes::PackedTable(std::size_t plane) const {
  std::vector<std::uint8_t> packed(256);
  for (std::size_t byte = 0; byte < packed.size(); ++byte) {
    const std::size_t code = IsSigned(x_carrier_) ? byte ^ 0x80 : byte;
    packed[byte] = planes_[plane].bytes[code] ^ (unit_.x_signed ? 0x80 : 0);
  }
  return packed;
}

int LogPlanes::LargestCode(std::size_t plane) const {
  const Sizes& x = planes_[plane].x;
  return unit_.LargestX() - (x.first * unit_.steps + x.step);
}

std::vector<std::uint64_t> LogPlanes::Bounds(const WeightMatrix& weights) const {
  const auto steps = static_cast<std::size_t>(unit_.steps);
  std::vector<std::uint64_t> bounds(weights.rows * steps);
  for (std::size_t row = 0; row < bounds.size(); ++row) {
    for (std::size_t k = 0; k < weights.depth; ++k) {
      const auto code = static_cast<int>(weights.values[row / steps * weights.depth + k]);
      if (code == 0) continue;
      int down = unit_.LargestWeight() - std::abs(code);
      if (down % unit_.steps != static_cast<int>(row % steps)) ++down;  // x one below its largest
      const int exponent = unit_.guard_bits - down / unit_.steps;
      if (exponent >= 0) bounds[row] += std::uint64_t{1} << exponent;
    }
  }
  return bounds;
}

bool LogPlanes::IsRare(std::size_t plane) const {
  return !unit_.x_signed && planes_[plane].x.first >= kRareOctaves;
}

std::vector<std::int64_t> LogPlanes::Corrections(const WeightMatrix& weights) const {
  const auto steps = static_cast<std::size_t>(unit_.steps);
  std::vector<std::int64_t> corrections(weights.rows * steps);
  for (std::size_t row = 0; unit_.x_signed && row < corrections.size(); ++row) {
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < weights.depth; ++k) {
      const std::int64_t code = weights.values[row / steps * weights.depth + k];
      for (const Plane& plane : planes_) {
        sum += static_cast<std::uint64_t>(Weight(plane, code, row % steps == 1));
      }
    }
    corrections[row] = static_cast<std::int64_t>(0 - 128 * sum);
  }
  return corrections;
}

WeightMatrix LogPlanes::Expanded(const WeightMatrix& weights) const {
  const int largest = unit_.LargestWeight();
  const auto steps = static_cast<std::size_t>(unit_.steps);
  WeightMatrix expanded = {weights.rows * steps, weights.depth * Count(), {}};
  expanded.values.reserve(expanded.rows * expanded.depth);
  std::vector<std::int64_t> weight(static_cast<std::size_t>(2 * largest + 1));  // by the code
  for (std::size_t row = 0; row < expanded.rows; ++row) {
    const std::int64_t* const codes = weights.values.data() + row / steps * weights.depth;
    for (const Plane& plane : planes_) {
      for (int code = -largest; code <= largest; ++code) {
        weight[static_cast<std::size_t>(code + largest)] = Weight(plane, code, row % steps == 1);
      }
      for (std::size_t k = 0; k < weights.depth; ++k) {
        expanded.values.push_back(weight[static_cast<std::size_t>(codes[k] + largest)]);
      }
    }
  }
  return expanded;
}

void LogPlanes::Fill(const void* x, std::size_t rows, std::size_t count, std::uint8_t* y,
                     const Workers& workers) const {
  const auto& kernels = AtSelectedLevel<LookupTable>();
  const std::size_t size = SizeOf(x_carrier_);
  const std::int32_t largest = unit_.LargestX();
  const std::size_t together = std::max<std::size_t>(1, kShare / (count * Count()));
  workers.For((rows + together - 1) / together, [&](std::size_t piece) {
    const std::size_t end = std::min(rows, (piece + 1) * together);
    for (std::size_t row = piece * together; row < end; ++row) {
      const auto* const from = static_cast<const std::uint8_t*>(x) + row * count * size;
      std::uint8_t* to = y + row * Count() * count;
      for (const Plane& plane : planes_) {
        if (size == 1) {
          kernels.bytes[0](plane.bytes.data(), from, to, count);
        } else {
          const CodeTable table = {plane.bytes.data(), unit_.x_signed ? -largest : 0, largest};
          kernels.codes[static_cast<int>(x_carrier_) - static_cast<int>(Carrier::kInt16)][0](
              table, from, to, count);
        }
        to += count;
      }
    }
  });
}

}  // namespace qonnx_tools
