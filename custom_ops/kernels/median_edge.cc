#include "kernels/median_edge.h"

#include "kernels/median_edge_maps.h"
#include "kernels/prediction.h"
#include "kernels/wrapping.h"

namespace qonnx_tools {
namespace {

template <typename Value>
void ToUnsigned(const Value* x, std::size_t count, std::make_unsigned_t<Value>* __restrict u) {
  for (std::size_t i = 0; i < count; ++i) u[i] = Folded(x[i]);
}

template <typename Value>
void FromUnsigned(const std::make_unsigned_t<Value>* u, std::size_t count, Value* __restrict x) {
  for (std::size_t i = 0; i < count; ++i) x[i] = Unfolded<Value>(u[i]);
}

template <typename Value>
void ToResiduals(const Value* maps, PlaneShape shape, std::make_unsigned_t<Value>* residuals) {
  const std::size_t width = shape.width, area = shape.area();
  const auto fold = [](auto residual) { return Folded(static_cast<Value>(residual)); };
  for (std::size_t c = 0; c < shape.channels; ++c) {
    const Value* const x = maps + c * area;
    std::make_unsigned_t<Value>* const __restrict u = residuals + c * area;
    u[0] = Folded(x[0]);
    for (std::size_t i = 1; i < width; ++i) u[i] = fold(Subtract(x[i], x[i - 1]));
    // All rows at once, as if the first column had left neighbours; then that one.
    for (std::size_t i = width + 1; i < area; ++i) {
      u[i] = fold(Subtract(x[i], MedianEdge(x[i - 1], x[i - width], x[i - width - 1])));
    }
    for (std::size_t i = width; i < area; i += width) u[i] = fold(Subtract(x[i], x[i - width]));
  }
}

// The rows y of `kTogether` maps: each waits for its left neighbour, so several at a time.
template <std::size_t kTogether, typename Value>
inline void RowsFromResiduals(const std::make_unsigned_t<Value>* u, std::size_t area,
                              std::size_t width, bool first, Value* x) {
  const auto residual = [&](std::size_t map, std::size_t i) {
    return Unfolded<Value>(u[map * area + i]);
  };
  Value west[kTogether], corner[kTogether];
  for (std::size_t map = 0; map < kTogether; ++map) {
    corner[map] = first ? Value{0} : x[map * area - width];
    west[map] = x[map * area] = static_cast<Value>(Add(residual(map, 0), corner[map]));
  }
  for (std::size_t i = 1; i < width; ++i) {
    for (std::size_t map = 0; map < kTogether; ++map) {
      Value* const at = x + map * area + i;
      if (first) {
        west[map] = static_cast<Value>(Add(residual(map, i), west[map]));
      } else {
        const Value north = *(at - width);
        const Value predicted = MedianEdge(west[map], north, corner[map]);
        west[map] = static_cast<Value>(Add(residual(map, i), predicted));
        corner[map] = north;
      }
      *at = west[map];
    }
  }
}

template <std::size_t kTogether, typename Value>
inline void MapsFromResiduals(const std::make_unsigned_t<Value>* u, PlaneShape shape, Value* x) {
  const std::size_t width = shape.width, area = shape.area();
  RowsFromResiduals<kTogether>(u, area, width, true, x);
  for (std::size_t y = 1; y < shape.height; ++y) {
    RowsFromResiduals<kTogether>(u + y * width, area, width, false, x + y * width);
  }
}

template <typename Value>
void FromResiduals(const std::make_unsigned_t<Value>* u, PlaneShape shape, Value* x) {
  constexpr std::size_t kTogether = 4;
  std::size_t c = 0;
  if constexpr (sizeof(Value) == 2) {
    for (; c + kMaps <= shape.channels; c += kMaps) {
      EightFromResiduals(u + c * shape.area(), shape, x + c * shape.area());
    }
  }
  for (; c + kTogether <= shape.channels; c += kTogether) {
    MapsFromResiduals<kTogether>(u + c * shape.area(), shape, x + c * shape.area());
  }
  for (; c < shape.channels; ++c) {
    MapsFromResiduals<1>(u + c * shape.area(), shape, x + c * shape.area());
  }
}

template <typename Value>
constexpr MedianEdgeTable<Value> kTable = {ToUnsigned<Value>, FromUnsigned<Value>,
                                           ToResiduals<Value>, FromResiduals<Value>};

}  // namespace

template <>
constinit const MedianEdgeTable<std::int16_t> MedianEdgeTable<std::int16_t>::QONNX_TOOLS_LEVEL =
    kTable<std::int16_t>;
template <>
constinit const MedianEdgeTable<std::int32_t> MedianEdgeTable<std::int32_t>::QONNX_TOOLS_LEVEL =
    kTable<std::int32_t>;
template <>
constinit const MedianEdgeTable<std::int64_t> MedianEdgeTable<std::int64_t>::QONNX_TOOLS_LEVEL =
    kTable<std::int64_t>;

}  // namespace qonnx_tools
