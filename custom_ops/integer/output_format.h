// The format of the codes that an op gives: code range, carrier and rounding.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/carrier.h"
#include "kernels/rounding_mode.h"

namespace qonnx_tools {

struct OutputFormat {
  Carrier carrier = Carrier::kInt32;
  int rounding = 0;  // position in Rounding
  std::int32_t low = 0;
  std::int32_t high = 0;
};

constexpr std::size_t SizeOf(Carrier carrier) {
  return carrier == Carrier::kInt32                                  ? 4
         : carrier == Carrier::kInt16 || carrier == Carrier::kUint16 ? 2
                                                                     : 1;
}
constexpr bool IsSigned(Carrier carrier) {
  return carrier != Carrier::kUint8 && carrier != Carrier::kUint16;
}
constexpr std::int64_t LowestOf(Carrier carrier) {
  return IsSigned(carrier) ? -(std::int64_t{1} << (8 * SizeOf(carrier) - 1)) : 0;
}
constexpr std::int64_t HighestOf(Carrier carrier) {
  return (std::int64_t{1} << (8 * SizeOf(carrier) - (IsSigned(carrier) ? 1 : 0))) - 1;
}
// The largest magnitude of a code.
constexpr std::uint64_t LargestOf(Carrier carrier) {
  return static_cast<std::uint64_t>(IsSigned(carrier) ? -LowestOf(carrier) : HighestOf(carrier));
}

}  // namespace qonnx_tools
