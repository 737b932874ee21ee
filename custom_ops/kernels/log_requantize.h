// From fixed-point codes to log codes: the sign of each code times how many of some rising
// thresholds its magnitude reaches.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

struct LogThresholds {
  const std::uint32_t* reach;  // 2^steps - 1, rising
  int steps;
  bool is_signed;  // else negative codes become 0
};

struct LogRequantizeTable {
  void (*codes)(const LogThresholds& thresholds, std::int32_t* codes, std::size_t count);

  static const LogRequantizeTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
