#include "kernels/log_requantize.h"

namespace qonnx_tools {
namespace {

// A binary search of all codes of a block at once.
void Codes(const LogThresholds& thresholds, std::int32_t* codes, std::size_t count) {
  constexpr std::size_t kBlock = 256;
  const std::int32_t negative = thresholds.is_signed ? -1 : 0;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t size = count - begin < kBlock ? count - begin : kBlock;
    std::int32_t* __restrict const block = codes + begin;
    std::uint32_t magnitude[kBlock];
    std::int32_t reached[kBlock];
    for (std::size_t i = 0; i < size; ++i) {
      const auto code = static_cast<std::uint32_t>(block[i]);
      magnitude[i] = block[i] < 0 ? 0 - code : code;
      reached[i] = 0;
    }
    for (std::int32_t step = 1 << thresholds.steps >> 1; step > 0; step >>= 1) {
      const std::uint32_t* const reach = thresholds.reach + step - 1;
      for (std::size_t i = 0; i < size; ++i) {
        reached[i] += magnitude[i] >= reach[reached[i]] ? step : 0;
      }
    }
    for (std::size_t i = 0; i < size; ++i) {
      block[i] = block[i] < 0 ? negative * reached[i] : reached[i];
    }
  }
}

}  // namespace

constinit const LogRequantizeTable LogRequantizeTable::QONNX_TOOLS_LEVEL = {Codes};

}  // namespace qonnx_tools
