// Where a float lies among the magnitudes of a log format.
// Included by kernel sources only; see element_loops.h.

#pragma once

#include "kernels/log_quant.h"

namespace qonnx_tools {
namespace {

constexpr int kOctave = 23;  // float32 fraction bits
constexpr std::int32_t kSizeMask = 0x7fffffff;
constexpr std::int32_t kInfinity = 0x7f800000;

// How many of `count` thresholds, an octave apart from `lowest` upward, `size` reaches.
inline std::int32_t Reached(std::int32_t size, std::int32_t lowest, std::int32_t count) {
  const std::int32_t reached = ((size - lowest) >> kOctave) + 1;
  const std::int32_t at_least_none = reached < 0 ? 0 : reached;
  return at_least_none > count ? count : at_least_none;
}

// The thresholds at one index of the parameters' arrays.
struct LogThresholds {
  std::int32_t zero, even, odd;
};

template <bool two_steps>
inline LogThresholds ThresholdsAt(const LogQuantParameters& parameters, std::size_t index) {
  return {parameters.zero_threshold[index], parameters.even_threshold[index],
          two_steps ? parameters.odd_threshold[index] : 0};
}

// k of the magnitude that the float with these bits takes, were it not zero: it falls by one with
// each threshold reached.
template <bool two_steps>
inline std::int32_t LogPosition(const LogQuantParameters& parameters,
                                const LogThresholds& thresholds, std::int32_t bits) {
  const std::int32_t size = bits & kSizeMask;
  std::int32_t k = parameters.count - 1 - Reached(size, thresholds.even, parameters.even_count);
  if constexpr (two_steps) k -= Reached(size, thresholds.odd, parameters.odd_count);
  return k;
}

inline bool IsLogZero(const LogQuantParameters& parameters, const LogThresholds& thresholds,
                      std::int32_t bits) {
  return (bits & parameters.size_mask) < thresholds.zero;
}

}  // namespace
}  // namespace qonnx_tools
