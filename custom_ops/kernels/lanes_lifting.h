// Lifting of sixteen maps at a time, in place. Included by kernel sources only.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/wavelet_lanes.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kLanes = kWaveletLanes;

// A number of each map. Sums are taken modulo 2^bits.
template <typename Value>
struct Sixteen {
  typedef Value Vector __attribute__((vector_size(kLanes * sizeof(Value))));
  typedef std::make_unsigned_t<Value> Bits __attribute__((vector_size(kLanes * sizeof(Value))));
};
template <typename Value>
using Vector = typename Sixteen<Value>::Vector;

template <typename Lanes>
inline void LoadLanes(const void* from, Lanes& lanes) {
  std::memcpy(&lanes, from, sizeof lanes);
}

template <typename Lanes>
inline void StoreLanes(const Lanes& lanes, void* to) {
  std::memcpy(to, &lanes, sizeof lanes);
}

// x += by, or x -= by.
template <typename Value, bool adds>
inline void Change(const Vector<Value>& by, Value* x) {
  typename Sixteen<Value>::Bits sum;
  LoadLanes(x, sum);
  const auto bits = (typename Sixteen<Value>::Bits)by;
  sum = adds ? sum + bits : sum - bits;
  StoreLanes(sum, x);
}

// floor((a + b) / 2) without a wider number.
template <typename Lanes>
inline void Mean(const Lanes& a, const Lanes& b, Lanes& mean) {
  mean = (a & b) + ((a ^ b) >> 1);
}

// The lifting steps, as in kernels/lifting.cc.
struct Haar {
  static constexpr bool kMirrors = false;  // an even sample at the end stays as it is

  template <typename Lanes>
  static void Predict(const Lanes& a, const Lanes&, Lanes& prediction) {
    prediction = a;
  }
  template <typename Lanes>
  static void Update(const Lanes&, const Lanes& b, Lanes& update) {
    update = b >> 1;
  }
};

struct LeGall {
  static constexpr bool kMirrors = true;

  template <typename Lanes>
  static void Predict(const Lanes& a, const Lanes& b, Lanes& prediction) {
    Mean(a, b, prediction);
  }
  // floor((a + b + 2) / 4)
  template <typename Lanes>
  static void Update(const Lanes& a, const Lanes& b, Lanes& update) {
    Lanes mean;
    Mean(a, b, mean);
    update = (mean >> 1) + (mean & 1);
  }
};

// Samples at `first`, `stride` numbers apart, `count` of them; `lines` such, `gap` numbers apart.
struct Axis {
  std::size_t count, stride, lines, gap;
};

template <typename Wavelet, bool inverse, typename Value>
inline void Predict(Value* first, const Axis& axis) {
  for (std::size_t i = 1; i < axis.count; i += 2) {
    const Value* a = first + (i - 1) * axis.stride;
    const Value* b = i + 1 < axis.count ? a + 2 * axis.stride : a;
    Value* x = first + i * axis.stride;
    for (std::size_t line = 0; line < axis.lines; ++line) {
      Vector<Value> before, after, prediction;
      LoadLanes(a, before);
      LoadLanes(b, after);
      Wavelet::Predict(before, after, prediction);
      Change<Value, inverse>(prediction, x);
      a += axis.gap;
      b += axis.gap;
      x += axis.gap;
    }
  }
}

template <typename Wavelet, bool inverse, typename Value>
inline void Update(Value* first, const Axis& axis) {
  for (std::size_t i = 0; i < axis.count; i += 2) {
    const bool is_last = i + 1 == axis.count;
    if (is_last && !Wavelet::kMirrors) break;
    const Value* a = first + (i > 0 ? i - 1 : 1) * axis.stride;
    const Value* b = is_last ? a : first + (i + 1) * axis.stride;
    Value* x = first + i * axis.stride;
    for (std::size_t line = 0; line < axis.lines; ++line) {
      Vector<Value> before, after, update;
      LoadLanes(a, before);
      LoadLanes(b, after);
      Wavelet::Update(before, after, update);
      Change<Value, !inverse>(update, x);
      a += axis.gap;
      b += axis.gap;
      x += axis.gap;
    }
  }
}

template <typename Wavelet, bool inverse, typename Value>
inline void Lift(Value* first, const Axis& axis) {
  if (axis.count == 1) return;
  if (inverse) {
    Update<Wavelet, true>(first, axis);
    Predict<Wavelet, true>(first, axis);
  } else {
    Predict<Wavelet, false>(first, axis);
    Update<Wavelet, false>(first, axis);
  }
}

// The numbers of level `level` - 1, in place: rows and columns that many numbers apart.
struct Grid {
  std::size_t height, width, down, right;

  Grid(const WaveletLanes& how, int level)
      : height(Halved(how.height, level - 1)),
        width(Halved(how.width, level - 1)),
        down(how.width * kLanes << (level - 1)),
        right(kLanes << (level - 1)) {}

  static std::size_t Halved(std::size_t size, int times) {
    return (size + (std::size_t{1} << times) - 1) >> times;
  }
};

template <typename Wavelet, bool inverse, typename Value>
void LiftGrid(const Grid& grid, Value* x) {
  const Axis down = {grid.height, grid.down, grid.width, grid.right};
  if (inverse) Lift<Wavelet, true>(x, down);
  for (std::size_t row = 0; row < grid.height; ++row) {
    Lift<Wavelet, inverse>(x + row * grid.down, {grid.width, grid.right, 1, 0});
  }
  if (!inverse) Lift<Wavelet, false>(x, down);
}

}  // namespace
}  // namespace qonnx_tools
