// What the neighbours of a sample say of it; see arithmetic/context_coding.py. Included by kernel
// sources only.

#pragma once

#include <array>

#include "kernels/prediction.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kActivities = 14, kHints = 16, kBefore = 16, kPatterns = 8, kZeros = 5;
constexpr std::size_t kBeforeContexts = kActivities * kPatterns;
constexpr std::size_t kHintContexts = kBeforeContexts + kBefore * kZeros;
constexpr std::size_t kPlaneContexts = kHintContexts + kHints * kActivities;

// Classes of magnitudes, two an octave; the last entry stands for all above.
template <std::size_t magnitudes, std::size_t classes>
constexpr auto kClassesOf = [] {
  std::array<std::uint8_t, magnitudes> found = {};
  for (std::size_t e = 0; e < magnitudes; ++e) {
    const std::size_t length = static_cast<std::size_t>(std::bit_width(e)) - 1;
    const std::size_t q = e < 2 ? e : 2 * length + ((e >> (length - 1)) & 1);
    found[e] = static_cast<std::uint8_t>(q < classes ? q : classes - 1);
  }
  return found;
}();

template <std::size_t magnitudes, std::size_t classes, typename Bits>
inline std::size_t ClassOf(Bits magnitude) {
  return kClassesOf<magnitudes, classes>[magnitude < magnitudes ? magnitude : magnitudes - 1];
}

template <typename Value>
struct Neighbours {
  Value west, north, corner, north_east;
  Sum<Value> west_error, north_error;
  Value before, hint;
};

template <typename Value>
struct SampleContext {
  Sum<Value> prediction;
  std::size_t contexts[3];
  int shift;
};

template <bool predicted, typename Value>
inline SampleContext<Value> ContextOf(const Neighbours<Value>& at) {
  using Bits = std::make_unsigned_t<Sum<Value>>;
  const auto magnitude = [](Sum<Value> v) { return static_cast<Bits>(Magnitude(v)); };
  const auto bits = [](Value v) { return static_cast<Bits>(static_cast<Sum<Value>>(v)); };
  SampleContext<Value> found;
  Bits activity, hint;
  if constexpr (predicted) {
    const Bits weighted =
        3 * (bits(at.west) + bits(at.north)) + bits(at.north_east) + bits(at.corner) + 4;
    const auto mean = static_cast<Bits>(static_cast<Sum<Value>>(weighted) >> 3);
    const Bits both = bits(MedianEdge(at.west, at.north, at.corner)) + mean + 1;
    found.prediction = static_cast<Sum<Value>>(both) >> 1;
    activity = magnitude(Subtract(at.west, at.corner)) + magnitude(Subtract(at.north, at.corner)) +
               magnitude(Subtract(at.north, at.north_east)) + static_cast<Bits>(at.west_error) +
               static_cast<Bits>(at.north_error);
    hint = magnitude(found.prediction);
  } else {
    found.prediction = 0;
    activity = 2 * (magnitude(at.west) + magnitude(at.north)) + magnitude(at.corner) +
               magnitude(at.north_east);
    hint = bits(at.hint);
  }
  const std::size_t level = ClassOf<128, kActivities>(activity);
  const std::size_t west = at.west == 0, north = at.north == 0, corner = at.corner == 0,
                    north_east = at.north_east == 0;
  constexpr std::size_t kFirst = predicted ? 0 : kPlaneContexts;
  found.contexts[0] = kFirst + level * kPatterns + west + 2 * north + 4 * (corner & north_east);
  found.contexts[1] = kFirst + kBeforeContexts +
                      ClassOf<256, kBefore>(magnitude(at.before)) * kZeros + west + north + corner +
                      north_east;
  found.contexts[2] = kFirst + kHintContexts + ClassOf<256, kHints>(hint) * kActivities + level;
  const int length = std::bit_width(activity);
  found.shift = length > 3 ? length - 3 : 0;
  return found;
}

}  // namespace
}  // namespace qonnx_tools
