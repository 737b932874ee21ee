#include "kernels/byte_sum.h"

#include <cstdint>

#include "kernels/byte_lanes.h"

namespace qonnx_tools {
namespace {

#if defined(__SSE4_1__)

// The last register of a row is computed twice where its count is no multiple of the lanes.
template <bool is_signed>
void Run(const NarrowSumParameters& by, const CodePairs& pairs) {
  constexpr std::size_t kLanes = sizeof(Bytes);
  const ByteSum<is_signed> sum(by);
  for (std::size_t row = 0; row < pairs.rows; ++row) {
    const auto* const a = static_cast<const std::uint8_t*>(pairs.a) + row * pairs.a_pitch;
    const auto* const b = static_cast<const std::uint8_t*>(pairs.b) + row * pairs.b_pitch;
    auto* const y = static_cast<std::uint8_t*>(pairs.y) + row * pairs.y_pitch;
    if (pairs.count < kLanes) {
      std::uint8_t some_a[kLanes] = {};
      std::uint8_t some_b[kLanes] = {};
      std::uint8_t some_y[kLanes];
      __builtin_memcpy(some_a, a, pairs.count);
      __builtin_memcpy(some_b, b, pairs.count);
      StoreBytes(sum(LoadBytes(some_a), LoadBytes(some_b)), some_y);
      __builtin_memcpy(y, some_y, pairs.count);
      continue;
    }
    std::size_t i = 0;
    for (; i + kLanes <= pairs.count; i += kLanes)
      StoreBytes(sum(LoadBytes(a + i), LoadBytes(b + i)), y + i);
    if (i < pairs.count) {
      i = pairs.count - kLanes;
      StoreBytes(sum(LoadBytes(a + i), LoadBytes(b + i)), y + i);
    }
  }
}

#endif

}  // namespace

#if defined(__SSE4_1__)
constinit const ByteSumTable ByteSumTable::QONNX_TOOLS_LEVEL = {{Run<false>, Run<true>}};
#else
constinit const ByteSumTable ByteSumTable::QONNX_TOOLS_LEVEL = {};
#endif

}  // namespace qonnx_tools
