#include "kernels/wavelet_lanes.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace qonnx_tools {
namespace {

constexpr std::size_t kLanes = kWaveletLanes;

// A number of each map.
template <typename Value>
struct Sixteen {
  typedef Value Vector __attribute__((vector_size(kLanes * sizeof(Value))));
};

template <typename Vector>
inline void LoadLanes(const void* from, Vector& lanes) {
  std::memcpy(&lanes, from, sizeof lanes);
}

// floor((a + b) / 2) without a wider number.
template <typename Vector>
inline void Mean(const Vector& a, const Vector& b, Vector& mean) {
  mean = (a & b) + ((a ^ b) >> 1);
}

// The lifting steps, as in kernels/lifting.cc.
struct Haar {
  static constexpr bool kMirrors = false;  // an even sample at the end stays as it is

  template <typename Vector>
  static void Predict(const Vector& a, const Vector&, Vector& prediction) {
    prediction = a;
  }
  template <typename Vector>
  static void Update(const Vector&, const Vector& b, Vector& update) {
    update = b >> 1;
  }
};

struct LeGall {
  static constexpr bool kMirrors = true;

  template <typename Vector>
  static void Predict(const Vector& a, const Vector& b, Vector& prediction) {
    Mean(a, b, prediction);
  }
  // floor((a + b + 2) / 4)
  template <typename Vector>
  static void Update(const Vector& a, const Vector& b, Vector& update) {
    Mean(a, b, update);
    update = (update + 1) >> 1;
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
    Value* __restrict x = first + i * axis.stride;
    for (std::size_t line = 0; line < axis.lines; ++line) {
      typename Sixteen<Value>::Vector before, after, odd, prediction;
      LoadLanes(a, before);
      LoadLanes(b, after);
      LoadLanes(x, odd);
      Wavelet::Predict(before, after, prediction);
      odd = inverse ? odd + prediction : odd - prediction;
      std::memcpy(x, &odd, sizeof odd);
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
    Value* __restrict x = first + i * axis.stride;
    for (std::size_t line = 0; line < axis.lines; ++line) {
      typename Sixteen<Value>::Vector before, after, even, update;
      LoadLanes(a, before);
      LoadLanes(b, after);
      LoadLanes(x, even);
      Wavelet::Update(before, after, update);
      even = inverse ? even - update : even + update;
      std::memcpy(x, &even, sizeof even);
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

// Quantizes and takes back `count` coefficients. The quotient (2 |x| + step + 1/2) / 2 step is at
// least 1 / 4 step away from whole numbers: with a numerator below 2^20 (float) or 2^49 (double)
// the errors of a reciprocal and a product are smaller.
template <typename Float, typename Value>
void Quantize(Value* x, std::size_t count, std::size_t stride, std::int32_t step,
              const std::int32_t* keep) {
  if (step == 1 && keep == nullptr) return;
  const Float reciprocal = 1 / (2 * static_cast<Float>(step));
  for (std::size_t i = 0; i < count; ++i, x += stride) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const std::int32_t value = x[lane];
      const std::int32_t magnitude = value < 0 ? -value : value;
      const auto numerator = static_cast<Float>(2 * magnitude + step) + Float{0.5};
      const std::int32_t whole = static_cast<std::int32_t>(numerator * reciprocal) * step;
      const std::int32_t back = value < 0 ? -whole : whole;
      x[lane] = static_cast<Value>(keep == nullptr ? back : back & keep[lane]);
    }
  }
}

// All coefficients of a level but those of LL.
template <typename Float, typename Value>
void QuantizeDetails(const WaveletLanes& how, int level, const std::int32_t* keep, Value* x) {
  const Grid grid(how, level);
  const std::int32_t* const steps = how.steps[level - 1];
  const std::size_t low = (grid.width + 1) / 2, high = grid.width / 2, stride = 2 * grid.right;
  for (std::size_t row = 0; row < grid.height; ++row) {
    Value* const first = x + row * grid.down;
    if (row % 2 == 0) {
      Quantize<Float>(first + grid.right, high, stride, steps[0], keep);
    } else {
      Quantize<Float>(first, low, stride, steps[1], keep);
      Quantize<Float>(first + grid.right, high, stride, steps[2], keep);
    }
  }
}

typedef std::uint8_t SixteenBytes __attribute__((vector_size(kLanes)));

inline void Transpose(SixteenBytes* rows) {
  for (int round = 0; round < 4; ++round) {
    SixteenBytes turned[kLanes];
    for (std::size_t i = 0; i < kLanes / 2; ++i) {
      turned[2 * i] =
          __builtin_shuffle(rows[i], rows[i + kLanes / 2],
                            SixteenBytes{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
      turned[2 * i + 1] = __builtin_shuffle(
          rows[i], rows[i + kLanes / 2],
          SixteenBytes{8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31});
    }
    std::memcpy(rows, turned, sizeof turned);
  }
}

template <typename Element, typename Value>
void Load(const WaveletLanes& how, const SixteenMaps& maps, Value* __restrict x) {
  const auto low = static_cast<Value>(how.low), high = static_cast<Value>(how.high);
  const std::size_t area = how.height * how.width;
  std::size_t at = 0;
  if constexpr (sizeof(Element) == 1) {
    for (; at + kLanes <= area; at += kLanes) {
      SixteenBytes rows[kLanes];
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::memcpy(&rows[lane], static_cast<const Element*>(maps.codes[lane]) + at, kLanes);
      }
      Transpose(rows);
      Element codes[kLanes * kLanes];
      std::memcpy(codes, rows, sizeof rows);
      for (std::size_t i = 0; i < kLanes * kLanes; ++i) {
        x[at * kLanes + i] = std::clamp(static_cast<Value>(codes[i]), low, high);
      }
    }
  }
  for (; at < area; ++at) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const auto code = static_cast<Value>(static_cast<const Element*>(maps.codes[lane])[at]);
      x[at * kLanes + lane] = std::clamp(code, low, high);
    }
  }
}

template <typename Element, typename Value>
void Store(const WaveletLanes& how, const SixteenMaps& maps, const Value* __restrict x) {
  const auto low = static_cast<Value>(how.low), high = static_cast<Value>(how.high);
  const std::size_t area = how.height * how.width;
  std::size_t at = 0;
  if constexpr (sizeof(Element) == 1) {
    for (; at + kLanes <= area; at += kLanes) {
      Element codes[kLanes * kLanes];
      for (std::size_t i = 0; i < kLanes * kLanes; ++i) {
        codes[i] = static_cast<Element>(std::clamp(x[at * kLanes + i], low, high));
      }
      SixteenBytes rows[kLanes];
      std::memcpy(rows, codes, sizeof rows);
      Transpose(rows);
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::memcpy(static_cast<Element*>(maps.decoded[lane]) + at, &rows[lane], kLanes);
      }
    }
  }
  for (; at < area; ++at) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const Value value = std::clamp(x[at * kLanes + lane], low, high);
      static_cast<Element*>(maps.decoded[lane])[at] = static_cast<Element>(value);
    }
  }
}

template <typename Wavelet, typename Element, typename Value>
void Run(const WaveletLanes& how, const SixteenMaps& maps, Value* x) {
  using Float = std::conditional_t<sizeof(Element) == 1, float, double>;
  Load<Element>(how, maps, x);
  for (int level = 1; level <= how.levels; ++level) {
    LiftGrid<Wavelet, false>(Grid(how, level), x);
    const bool drops =
        level == 1 && !std::all_of(maps.keep, maps.keep + kLanes, [](auto keep) { return keep; });
    QuantizeDetails<Float>(how, level, drops ? maps.keep : nullptr, x);
  }
  const Grid ll(how, how.levels + 1);
  for (std::size_t row = 0; row < ll.height; ++row) {
    Quantize<Float>(x + row * ll.down, ll.width, ll.right, how.ll_step, nullptr);
  }
  for (int level = how.levels; level > 0; --level) LiftGrid<Wavelet, true>(Grid(how, level), x);
  Store<Element>(how, maps, x);
}

}  // namespace

template <>
constinit const WaveletLanesTable<std::int16_t> WaveletLanesTable<std::int16_t>::QONNX_TOOLS_LEVEL =
    {{
        {Run<Haar, std::int8_t>, Run<Haar, std::uint8_t>, nullptr, nullptr},
        {Run<LeGall, std::int8_t>, Run<LeGall, std::uint8_t>, nullptr, nullptr},
    }};
template <>
constinit const WaveletLanesTable<std::int32_t> WaveletLanesTable<std::int32_t>::QONNX_TOOLS_LEVEL =
    {{
        {Run<Haar, std::int8_t>, Run<Haar, std::uint8_t>, Run<Haar, std::int16_t>,
         Run<Haar, std::uint16_t>},
        {Run<LeGall, std::int8_t>, Run<LeGall, std::uint8_t>, Run<LeGall, std::int16_t>,
         Run<LeGall, std::uint16_t>},
    }};

}  // namespace qonnx_tools
