// What the neighbours of a sample say of it; see arithmetic/context_coding.py. Included by kernel
// sources only.

#pragma once

#include <array>

#include "kernels/prediction.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kActivities = 14, kPatterns = 8, kBefore = 12, kMeans = 12, kHints = 16;
constexpr std::size_t kBeforeContexts = kActivities * kPatterns;
constexpr std::size_t kHintContexts = kBeforeContexts + kBefore * kMeans;
constexpr std::size_t kPlaneContexts = kHintContexts + kHints * kActivities;

// Classes of magnitudes, two an octave, by what they add to a context; the last entry of each
// stands for all above.
struct MagnitudeClasses {
  std::array<std::uint8_t, 128> activity;
  std::array<std::uint8_t, 64> before, mean;
  std::array<std::uint8_t, 256> hint;
};
constexpr MagnitudeClasses kClasses = [] {
  const auto fill = [](auto& table, std::size_t classes, std::size_t factor) {
    for (std::size_t e = 0; e < table.size(); ++e) {
      const std::size_t length = static_cast<std::size_t>(std::bit_width(e)) - 1;
      const std::size_t q = e < 2 ? e : 2 * length + ((e >> (length - 1)) & 1);
      table[e] = static_cast<std::uint8_t>((q < classes ? q : classes - 1) * factor);
    }
  };
  MagnitudeClasses found = {};
  fill(found.activity, kActivities, 1);
  fill(found.before, kBefore, kMeans);
  fill(found.mean, kMeans, 1);
  fill(found.hint, kHints, kActivities);
  return found;
}();

template <std::size_t magnitudes, typename Bits>
inline std::size_t ClassOf(const std::array<std::uint8_t, magnitudes>& table, Bits magnitude) {
  return table[magnitude < magnitudes ? magnitude : magnitudes - 1];
}

// What the row above says of each sample of a row. W is to be added.
template <typename Value>
struct RowAbove {
  const Value* north;
  Value* slope;       // N - NW
  Value* activity;    // |N - NW| + |N - NE| + error of N, or 2|N| + |NW| + |NE|
  Value* weighted;    // 3N + NE + NW + 4
  Value* zeros;       // 2 where N is 0, and 4 where NW and NE are
  Value* magnitudes;  // |N| + 1
};

// The same of the samples begin .. end-1, whose neighbours lie at i - before and i + after.
template <bool predicted, typename Value>
inline void LookAbove(const Value* __restrict above, const Value* __restrict errors,
                      std::size_t begin, std::size_t end, std::size_t before, std::size_t after,
                      const RowAbove<Value>& row) {
  Value* const __restrict slopes = row.slope;
  Value* const __restrict activities = row.activity;
  Value* const __restrict weighted = row.weighted;
  Value* const __restrict zeros = row.zeros;
  Value* const __restrict magnitudes = row.magnitudes;
  for (std::size_t i = begin; i < end; ++i) {
    const Value n = above[i], nw = above[i - before], ne = above[i + after];
    const Sum<Value> slope = Subtract(n, nw), magnitude = Magnitude(n);
    Sum<Value> activity;
    if constexpr (predicted) {
      activity = Add(Add(Magnitude(slope), Magnitude(Subtract(n, ne))), Sum<Value>{errors[i]});
      const Sum<Value> thrice = Add(Add(Sum<Value>{n}, Sum<Value>{n}), Sum<Value>{n});
      weighted[i] = static_cast<Value>(Add(Add(thrice, Add(nw, ne)), Sum<Value>{4}));
      slopes[i] = static_cast<Value>(slope);
    } else {
      activity = Add(Add(magnitude, magnitude), Add(Magnitude(nw), Magnitude(ne)));
    }
    activities[i] = static_cast<Value>(activity);
    zeros[i] = static_cast<Value>((n == 0 ? 2 : 0) + ((nw | ne) == 0 ? 4 : 0));
    magnitudes[i] = static_cast<Value>(Add(magnitude, Sum<Value>{1}));
  }
}

template <bool predicted, typename Value>
inline void LookAbove(const Value* above, const Value* errors, std::size_t width,
                      RowAbove<Value>& row) {
  row.north = above;
  const std::size_t last = width - 1;
  // Whole blocks: what lies behind the row is read and computed in vain, for rows are short.
  for (std::size_t begin = 1; begin < last; begin += kContextBlock) {
    LookAbove<predicted>(above, errors, begin, begin + kContextBlock, 1, 1, row);
  }
  LookAbove<predicted>(above, errors, 0, 1, 0, last > 0 ? 1 : 0, row);
  if (last > 0) LookAbove<predicted>(above, errors, last, width, 1, 0, row);
}

// What P adds to the second context.
template <typename Value>
inline std::size_t BeforeContext(Value before) {
  return ClassOf(kClasses.before, static_cast<std::make_unsigned_t<Sum<Value>>>(Magnitude(before)));
}

template <typename Value>
struct SampleContext {
  Sum<Value> prediction;
  std::size_t contexts[3];
  int shift;
};

// What is known of a sample: W and its error, what P adds, the hint, and what is above it unless it
// is in the first row, where N, NW and NE are W.
template <bool predicted, bool first, typename Value>
[[gnu::always_inline]] inline SampleContext<Value> ContextOf(const RowAbove<Value>& above,
                                                             std::size_t i, Value west,
                                                             Value west_error, std::size_t earlier,
                                                             Value hinted) {
  using Bits = std::make_unsigned_t<Sum<Value>>;
  const auto magnitude = [](Sum<Value> v) { return static_cast<Bits>(Magnitude(v)); };
  const auto bits = [](Sum<Value> v) { return static_cast<Bits>(v); };
  SampleContext<Value> found;
  const Bits size = magnitude(west);
  Bits activity, hint;
  if constexpr (predicted && first) {
    found.prediction = west;
    activity = bits(west_error);
    hint = size;
  } else if constexpr (predicted) {
    const Value north = above.north[i];
    const Sum<Value> slope = above.slope[i];
    const Sum<Value> gradient = Add<Sum<Value>>(west, slope);
    const Value least = west < north ? west : north, most = west < north ? north : west;
    const Sum<Value> below = gradient < most ? gradient : most;
    const Sum<Value> median = below > least ? below : least;
    const auto mean = static_cast<Sum<Value>>(3 * bits(west) + bits(above.weighted[i])) >> 3;
    found.prediction = static_cast<Sum<Value>>(bits(median) + bits(mean) + 1) >> 1;
    activity = magnitude(Subtract<Sum<Value>>(gradient, north)) + bits(above.activity[i]) +
               bits(west_error);
    hint = magnitude(found.prediction);
  } else {
    found.prediction = 0;
    activity = first ? 6 * size : 2 * size + bits(above.activity[i]);
    hint = bits(hinted);
  }
  const std::size_t zeros = west == 0 ? 1 : 0;
  const std::size_t pattern = first ? 7 * zeros : zeros + static_cast<std::size_t>(above.zeros[i]);
  const Bits mean = first ? size : (size + bits(above.magnitudes[i])) >> 1;
  const std::size_t level = ClassOf(kClasses.activity, activity);
  constexpr std::size_t kFirst = predicted ? 0 : kPlaneContexts;
  found.contexts[0] = kFirst + level * kPatterns + pattern;
  found.contexts[1] = kFirst + kBeforeContexts + earlier + ClassOf(kClasses.mean, mean);
  found.contexts[2] = kFirst + kHintContexts + ClassOf(kClasses.hint, hint) + level;
  const int length = std::bit_width(activity);
  found.shift = length > 4 ? length - 4 : 0;
  return found;
}

}  // namespace
}  // namespace qonnx_tools
