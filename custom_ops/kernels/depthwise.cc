#include "kernels/depthwise.h"

#include "kernels/registers.h"

namespace qonnx_tools {
namespace {

using Codes = Vector<std::uint32_t>;
constexpr std::size_t kLanes = kLanesOf<std::uint32_t>;
constexpr std::size_t kChunk = 16;  // columns

inline Codes Load(const std::int32_t* from) {
  Codes codes;
  __builtin_memcpy(&codes, from, sizeof codes);
  return codes;
}

// Some columns of one row.
template <std::size_t columns>
inline void Columns(const DepthwiseFactors& factors, const std::int32_t* x, std::int32_t* to) {
  constexpr std::size_t kCount = columns / kLanes;
  Codes sums[kCount] = {};
  for (std::size_t tap = 0; tap < factors.taps; ++tap) {
    const std::int32_t* const from = x + factors.offsets[tap];
    const auto weight = static_cast<std::uint32_t>(factors.weights[tap]);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kCount; ++i) sums[i] += weight * Load(from + i * kLanes);
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kCount; ++i) {
    __builtin_memcpy(to + i * kLanes, &sums[i], sizeof sums[i]);
  }
}

void Multiply(const DepthwiseFactors& factors) {
  for (std::size_t row = 0; row < factors.rows; ++row) {
    const std::int32_t* const x = factors.x + row * factors.row_step;
    std::int32_t* const to = factors.sums + row * factors.columns;
    std::size_t column = 0;
    for (; column + kChunk < factors.columns; column += 2 * kChunk) {
      Columns<2 * kChunk>(factors, x + column, to + column);
    }
    if (column < factors.columns) Columns<kChunk>(factors, x + column, to + column);
  }
}

void Divide(const std::int32_t* __restrict x, std::size_t count, std::size_t stride,
            std::int32_t* __restrict to, std::size_t pitch) {
  if (stride == 2) {
    std::int32_t* __restrict const odd = to + pitch;
    for (std::size_t i = 0; i < count / 2; ++i) {
      to[i] = x[2 * i];
      odd[i] = x[2 * i + 1];
    }
    if (count % 2 != 0) to[count / 2] = x[count - 1];
    return;
  }
  for (std::size_t i = 0; i < count; ++i) to[i % stride * pitch + i / stride] = x[i];
}

}  // namespace

constinit const DepthwiseTable DepthwiseTable::QONNX_TOOLS_LEVEL = {Multiply, Divide};

}  // namespace qonnx_tools
