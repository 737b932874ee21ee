#include "kernels/wavelet_lanes.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "kernels/lanes_lifting.h"
#include "kernels/lanes_moves.h"

namespace qonnx_tools {
namespace {

// Quantizes `count` coefficients, and takes them back. The quotient (2 |x| + step + 1/2) / 2 step
// is at least 1 / 4 step away from whole numbers: with a numerator below 2^20 (float) or 2^49
// (double) the errors of a reciprocal and a product are smaller.
template <typename Float, bool takes_back, typename Value>
void Quantize(Value* x, std::size_t count, std::size_t stride, std::int32_t step,
              const std::int32_t* keep) {
  if (step == 1 && keep == nullptr) return;
  const Float reciprocal = 1 / (2 * static_cast<Float>(step));
  const std::int32_t factor = takes_back ? step : 1;
  for (std::size_t i = 0; i < count; ++i, x += stride) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const std::int32_t value = x[lane];
      const std::int32_t magnitude = value < 0 ? -value : value;
      const auto numerator = static_cast<Float>(2 * magnitude + step) + Float{0.5};
      const std::int32_t whole = static_cast<std::int32_t>(numerator * reciprocal) * factor;
      const std::int32_t back = value < 0 ? -whole : whole;
      x[lane] = static_cast<Value>(keep == nullptr ? back : back & keep[lane]);
    }
  }
}

// All coefficients of a level but those of LL.
template <typename Float, bool takes_back, typename Value>
void QuantizeDetails(const WaveletLanes& how, int level, const std::int32_t* keep, Value* x) {
  const Grid grid(how, level);
  const std::int32_t* const steps = how.steps[level - 1];
  const std::size_t low = (grid.width + 1) / 2, high = grid.width / 2, stride = 2 * grid.right;
  for (std::size_t row = 0; row < grid.height; ++row) {
    Value* const first = x + row * grid.down;
    if (row % 2 == 0) {
      Quantize<Float, takes_back>(first + grid.right, high, stride, steps[0], keep);
    } else {
      Quantize<Float, takes_back>(first, low, stride, steps[1], keep);
      Quantize<Float, takes_back>(first + grid.right, high, stride, steps[2], keep);
    }
  }
}

// Whether every code of the element type is within low .. high.
template <typename Element>
bool HoldsAll(const WaveletLanes& how) {
  using Limits = std::numeric_limits<Element>;
  return how.low <= Limits::min() && how.high >= Limits::max();
}

// Calls body(first coefficient, grid, planes of the band, step) for each band.
template <typename Value, typename Body>
void ForBands(const WaveletLanes& how, const BandPlanes<Value>& bands, Value* x, Body body) {
  for (int level = 1; level <= how.levels; ++level) {
    const Grid whole(how, level);
    Value* const* const planes = bands.details[level - 1];
    const std::int32_t* const steps = how.steps[level - 1];
    Grid band(how, level + 1);
    const std::size_t low_width = band.width;
    band.width = whole.width / 2;
    body(x + whole.right, band, planes[0], steps[0]);
    band.height = whole.height / 2;
    body(x + whole.down + whole.right, band, planes[2], steps[2]);
    band.width = low_width;
    body(x + whole.down, band, planes[1], steps[1]);
  }
  body(x, Grid(how, how.levels + 1), bands.ll, how.ll_step);
}

template <typename Float, bool takes_back, typename Value>
void QuantizeLl(const WaveletLanes& how, Value* x) {
  const Grid ll(how, how.levels + 1);
  for (std::size_t row = 0; row < ll.height; ++row) {
    Quantize<Float, takes_back>(x + row * ll.down, ll.width, ll.right, how.ll_step, nullptr);
  }
}

template <typename Element>
using FloatFor = std::conditional_t<sizeof(Element) == 1, float, double>;

template <typename Wavelet, typename Element, typename Value>
void RoundTrip(const WaveletLanes& how, const SixteenMaps& maps, Value* x) {
  using Float = FloatFor<Element>;
  Load<Element>(how, maps, x);
  if (!HoldsAll<Element>(how)) {
    const auto low = static_cast<Value>(how.low), high = static_cast<Value>(how.high);
    for (std::size_t i = 0; i < how.height * how.width * kLanes; ++i) {
      x[i] = std::clamp(x[i], low, high);
    }
  }
  for (int level = 1; level <= how.levels; ++level) {
    LiftGrid<Wavelet, false>(Grid(how, level), x);
    const bool drops =
        level == 1 && !std::all_of(maps.keep, maps.keep + kLanes, [](auto keep) { return keep; });
    QuantizeDetails<Float, true>(how, level, drops ? maps.keep : nullptr, x);
  }
  QuantizeLl<Float, true>(how, x);
  for (int level = how.levels; level > 0; --level) LiftGrid<Wavelet, true>(Grid(how, level), x);
  Store<Element>(how, maps, x);
}

template <typename Wavelet, typename Element, typename Value>
bool Forward(const WaveletLanes& how, const SixteenMaps& maps, const BandPlanes<Value>& bands,
             Value* x) {
  using Float = FloatFor<Element>;
  Load<Element>(how, maps, x);
  if (!HoldsAll<Element>(how)) {
    const auto low = static_cast<Value>(how.low), high = static_cast<Value>(how.high);
    bool outside = false;
    for (std::size_t i = 0; i < how.height * how.width * kLanes; ++i) {
      outside |= x[i] < low || x[i] > high;
    }
    if (outside) return false;
  }
  for (int level = 1; level <= how.levels; ++level) {
    LiftGrid<Wavelet, false>(Grid(how, level), x);
    QuantizeDetails<Float, false>(how, level, nullptr, x);
  }
  QuantizeLl<Float, false>(how, x);
  ForBands(how, bands, x, [&](Value* first, const Grid& band, Value* planes, std::int32_t) {
    MoveBand<true>(first, band, planes, bands.maps);
  });
  return true;
}

template <typename Wavelet, typename Element, typename Value>
void Inverse(const WaveletLanes& how, const SixteenMaps& maps, const BandPlanes<Value>& bands,
             Value* x) {
  ForBands(how, bands, x, [&](Value* first, const Grid& band, Value* planes, std::int32_t step) {
    MoveBand<false>(first, band, planes, bands.maps);
    if (step == 1) return;
    using Number = std::make_unsigned_t<Value>;
    for (std::size_t row = 0; row < band.height; ++row) {
      for (std::size_t column = 0; column < band.width; ++column) {
        Value* const at = first + row * band.down + column * band.right;
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          at[lane] = static_cast<Value>(static_cast<std::uint32_t>(static_cast<Number>(at[lane])) *
                                        static_cast<std::uint32_t>(step));
        }
      }
    }
  });
  for (int level = how.levels; level > 0; --level) LiftGrid<Wavelet, true>(Grid(how, level), x);
  Store<Element>(how, maps, x);
}

}  // namespace

template <>
constinit const WaveletLanesTable<std::int16_t> WaveletLanesTable<std::int16_t>::QONNX_TOOLS_LEVEL =
    {{{RoundTrip<Haar, std::int8_t>, RoundTrip<Haar, std::uint8_t>, nullptr, nullptr},
      {RoundTrip<LeGall, std::int8_t>, RoundTrip<LeGall, std::uint8_t>, nullptr, nullptr}},
     {{Forward<Haar, std::int8_t>, Forward<Haar, std::uint8_t>, nullptr, nullptr},
      {Forward<LeGall, std::int8_t>, Forward<LeGall, std::uint8_t>, nullptr, nullptr}},
     {{Inverse<Haar, std::int8_t>, Inverse<Haar, std::uint8_t>, nullptr, nullptr},
      {Inverse<LeGall, std::int8_t>, Inverse<LeGall, std::uint8_t>, nullptr, nullptr}}};
template <>
constinit const WaveletLanesTable<std::int32_t> WaveletLanesTable<std::int32_t>::QONNX_TOOLS_LEVEL =
    {{{RoundTrip<Haar, std::int8_t>, RoundTrip<Haar, std::uint8_t>, RoundTrip<Haar, std::int16_t>,
       RoundTrip<Haar, std::uint16_t>},
      {RoundTrip<LeGall, std::int8_t>, RoundTrip<LeGall, std::uint8_t>,
       RoundTrip<LeGall, std::int16_t>, RoundTrip<LeGall, std::uint16_t>}},
     {{Forward<Haar, std::int8_t>, Forward<Haar, std::uint8_t>, Forward<Haar, std::int16_t>,
       Forward<Haar, std::uint16_t>},
      {Forward<LeGall, std::int8_t>, Forward<LeGall, std::uint8_t>, Forward<LeGall, std::int16_t>,
       Forward<LeGall, std::uint16_t>}},
     {{Inverse<Haar, std::int8_t>, Inverse<Haar, std::uint8_t>, Inverse<Haar, std::int16_t>,
       Inverse<Haar, std::uint16_t>},
      {Inverse<LeGall, std::int8_t>, Inverse<LeGall, std::uint8_t>, Inverse<LeGall, std::int16_t>,
       Inverse<LeGall, std::uint16_t>}}};

}  // namespace qonnx_tools
