#include "codec/feature_map_planes.h"

#include <algorithm>

#include "codec/feature_map_lanes.h"

namespace qonnx_tools {
namespace {

constexpr std::int64_t kNormUnit = 10000;
constexpr std::int64_t kNorms[2][4][3] = {
    {{20000, 40000, 80000}, {10000, 20000, 40000}, {10000, 20000, 40000}, {5000, 10000, 20000}},
    {{15000, 27500, 53750}, {10380, 15920, 29190}, {10380, 15920, 29190}, {7186, 9218, 15860}}};

std::size_t WaveletOf(const FeatureMapCoding& coding) {
  return static_cast<std::size_t>(coding.transform - static_cast<int>(Transform::kHaar));
}

std::int32_t BandStep(const FeatureMapCoding& coding, Orientation orientation, int level) {
  if (coding.step == kStepUnit) return 1;
  const std::int64_t norm =
      kNorms[WaveletOf(coding)][static_cast<std::size_t>(orientation)][level - 1];
  const std::int64_t step =
      (2 * coding.step * kNormUnit + kStepUnit * norm) / (2 * kStepUnit * norm);
  return static_cast<std::int32_t>(std::max<std::int64_t>(1, step));
}

// The numbers of one channel of each band of a level. What is LL of a level that has a coarser one
// lies in `ll`.
template <typename Value>
Bands<Value> BandsAt(const std::vector<Band>& bands, int level, std::size_t channel, Value* planes,
                     Value* ll) {
  Bands<Value> found = {ll, nullptr, nullptr, nullptr};
  Value** const at[] = {&found.ll, &found.hl, &found.lh, &found.hh};
  for (const Band& band : bands) {
    if (band.level != level) continue;
    *at[static_cast<std::size_t>(band.orientation)] =
        planes + band.offset + channel * band.shape.area();
  }
  return found;
}

// hint + |value|, modulo 2^bits.
template <typename Value>
Value Plus(Value hint, Value value) {
  using Bits = std::make_unsigned_t<Value>;
  const auto bits = static_cast<Bits>(value);
  const auto magnitude = static_cast<Bits>(value < 0 ? Bits{0} - bits : bits);
  return static_cast<Value>(static_cast<Bits>(static_cast<Bits>(hint) + magnitude));
}

template <typename Value>
void AddMagnitudes(const Value* __restrict values, std::size_t count, Value* __restrict hints) {
  for (std::size_t i = 0; i < count; ++i) hints[i] = Plus(hints[i], values[i]);
}

PlaneShape Halved(PlaneShape shape) {
  return {shape.channels, (shape.height + 1) / 2, (shape.width + 1) / 2};
}

}  // namespace

std::vector<Band> BandsOf(const FeatureMapCoding& coding, std::size_t kept) {
  const PlaneShape whole = ShapeOf(coding);
  if (!HasWavelet(coding)) {
    return {{Orientation::kLl, 0, whole, 0, whole.channels, coding.step}};
  }
  std::vector<Band> bands;
  bands.reserve(static_cast<std::size_t>(1 + 3 * coding.levels));
  std::size_t offset = 0;
  const auto add = [&](Orientation orientation, int level) {
    PlaneShape shape = whole;
    for (int i = 1; i < level; ++i) shape = Halved(shape);
    const PlaneShape low = Halved(shape);
    const bool wide = orientation == Orientation::kHl || orientation == Orientation::kHh;
    const bool tall = orientation == Orientation::kLh || orientation == Orientation::kHh;
    shape = {shape.channels, tall ? shape.height / 2 : low.height,
             wide ? shape.width / 2 : low.width};
    Band band = {orientation, level,          shape,
                 offset,      whole.channels, BandStep(coding, orientation, level)};
    if (band.MayBeDropped()) band.channels = kept;
    bands.push_back(band);
    offset += shape.count();
  };
  add(Orientation::kLl, coding.levels);
  for (int level = coding.levels; level > 0; --level) {
    for (const Orientation orientation : {Orientation::kHl, Orientation::kLh, Orientation::kHh}) {
      add(orientation, level);
    }
  }
  return bands;
}

std::size_t TransformScratch(const FeatureMapCoding& coding) {
  const bool lanes = GoesInLanes(coding, static_cast<std::size_t>(coding.channels));
  return (lanes ? kWaveletLanes : 4) * ShapeOf(coding).area();
}

template <typename Value>
void FindHints(const std::vector<Band>& bands, std::size_t index,
               const std::vector<std::size_t>& kept, const Value* planes, Value* hints) {
  const Band& band = bands[index];
  const std::size_t area = band.shape.area(), width = band.shape.width;
  std::fill_n(hints, band.channels * area, Value{0});
  if (band.level == 0) return;
  for (std::size_t i = 1; i < index; ++i) {
    const Band& other = bands[i];
    const bool sibling = other.level == band.level;
    if (!sibling && (other.level != band.level + 1 || other.orientation != band.orientation)) {
      continue;
    }
    const bool all = band.MayBeDropped() && !other.MayBeDropped();
    if (sibling && !all && other.shape.area() == area && other.shape.width == width) {
      AddMagnitudes(planes + other.offset, band.channels * area, hints);
      continue;
    }
    const int shift = sibling ? 0 : 1;
    const std::size_t rows = std::min(band.shape.height, other.shape.height << shift);
    const std::size_t columns = std::min(width, other.shape.width << shift);
    for (std::size_t c = 0; c < band.channels; ++c) {
      const Value* const from = planes + other.offset + (all ? kept[c] : c) * other.shape.area();
      for (std::size_t y = 0; y < rows; ++y) {
        const Value* const row = from + (y >> shift) * other.shape.width;
        Value* const to = hints + c * area + y * width;
        if (shift == 0) {
          AddMagnitudes(row, columns, to);
          continue;
        }
        for (std::size_t x = 0; x < columns; ++x) {
          to[x] = Plus(to[x], row[x >> 1]);
        }
      }
    }
  }
}

template <typename Value>
bool Forward(const FeatureMapCoding& coding, const std::vector<Band>& bands, const void* codes,
             Value* planes, Value* scratch) {
  const auto& numbers = AtSelectedLevel<StepQuantizationTable<Value>>();
  const PlaneShape whole = ShapeOf(coding);
  const auto element = static_cast<std::size_t>(coding.element);
  const CodeRange range = RangeOf(coding);
  const auto low = static_cast<Value>(range.low), high = static_cast<Value>(range.high);
  if (!HasWavelet(coding)) {
    numbers.load[element](codes, whole.count(), planes);
    if (!numbers.within(planes, whole.count(), low, high)) return false;
    if (coding.step != kStepUnit) {
      numbers.quantize(planes, whole.count(), 2 * kStepUnit, coding.step);
    }
    return true;
  }
  const std::size_t area = whole.area(), bytes = area * ElementBytes(coding.element);
  if constexpr (sizeof(Value) <= 4) {
    if (GoesInLanes(coding, whole.channels)) {
      const auto forward =
          AtSelectedLevel<WaveletLanesTable<Value>>().forward[WaveletOf(coding)][element];
      const WaveletLanes lanes = LanesOf(coding, bands);
      for (std::size_t c = 0; c < whole.channels; c += kWaveletLanes) {
        const std::size_t count = std::min(kWaveletLanes, whole.channels - c);
        const SixteenMaps maps =
            LanesAt(static_cast<const char*>(codes) + c * bytes, nullptr, count, bytes);
        if (!forward(lanes, maps, PlanesAt(bands, c, count, planes), scratch)) return false;
      }
      return true;
    }
  }
  const auto split = AtSelectedLevel<LiftingTable<Value>>().split[WaveletOf(coding)];
  Value *x = scratch, *ll = scratch + area, *const rows = scratch + 2 * area;
  for (std::size_t c = 0; c < whole.channels; ++c) {
    numbers.load[element](static_cast<const char*>(codes) + c * bytes, area, x);
    if (!numbers.within(x, area, low, high)) return false;
    PlaneShape shape = whole;
    for (int level = 1; level <= coding.levels; ++level, shape = Halved(shape)) {
      split(x, shape.height, shape.width, BandsAt(bands, level, c, planes, ll), rows);
      std::swap(x, ll);
    }
  }
  for (const Band& band : bands) {
    if (band.step != 1) {
      numbers.quantize(planes + band.offset, band.shape.count(), 2, band.step);
    }
  }
  return true;
}

template <typename Value>
void Inverse(const FeatureMapCoding& coding, const std::vector<Band>& bands, Value* planes,
             void* codes, Value* scratch) {
  const auto& numbers = AtSelectedLevel<StepQuantizationTable<Value>>();
  const PlaneShape whole = ShapeOf(coding);
  const auto element = static_cast<std::size_t>(coding.element);
  const CodeRange range = RangeOf(coding);
  const auto low = static_cast<Value>(range.low), high = static_cast<Value>(range.high);
  if (!HasWavelet(coding)) {
    if (coding.step != kStepUnit) numbers.dequantize(planes, whole.count(), coding.step, 4);
    numbers.store[element](planes, whole.count(), low, high, codes);
    return;
  }
  const std::size_t area = whole.area(), bytes = area * ElementBytes(coding.element);
  if constexpr (sizeof(Value) <= 4) {
    if (GoesInLanes(coding, whole.channels)) {
      const auto inverse =
          AtSelectedLevel<WaveletLanesTable<Value>>().inverse[WaveletOf(coding)][element];
      const WaveletLanes lanes = LanesOf(coding, bands);
      for (std::size_t c = 0; c < whole.channels; c += kWaveletLanes) {
        const std::size_t count = std::min(kWaveletLanes, whole.channels - c);
        const SixteenMaps maps =
            LanesAt(nullptr, static_cast<char*>(codes) + c * bytes, count, bytes);
        inverse(lanes, maps, PlanesAt(bands, c, count, planes), scratch);
      }
      return;
    }
  }
  for (const Band& band : bands) {
    if (band.step != 1) {
      numbers.dequantize(planes + band.offset, band.shape.count(), band.step, 0);
    }
  }
  const auto join = AtSelectedLevel<LiftingTable<Value>>().join[WaveletOf(coding)];
  Value *x = scratch, *ll = scratch + area, *const rows = scratch + 2 * area;
  for (std::size_t c = 0; c < whole.channels; ++c) {
    for (int level = coding.levels; level > 0; --level) {
      PlaneShape shape = whole;
      for (int i = 1; i < level; ++i) shape = Halved(shape);
      std::swap(x, ll);
      join(BandsAt(bands, level, c, planes, ll), shape.height, shape.width, x, rows);
    }
    numbers.store[element](x, area, low, high, static_cast<char*>(codes) + c * bytes);
  }
}

template void FindHints(const std::vector<Band>&, std::size_t, const std::vector<std::size_t>&,
                        const std::int16_t*, std::int16_t*);
template bool Forward(const FeatureMapCoding&, const std::vector<Band>&, const void*, std::int16_t*,
                      std::int16_t*);
template void Inverse(const FeatureMapCoding&, const std::vector<Band>&, std::int16_t*, void*,
                      std::int16_t*);
template void FindHints(const std::vector<Band>&, std::size_t, const std::vector<std::size_t>&,
                        const std::int32_t*, std::int32_t*);
template bool Forward(const FeatureMapCoding&, const std::vector<Band>&, const void*, std::int32_t*,
                      std::int32_t*);
template void Inverse(const FeatureMapCoding&, const std::vector<Band>&, std::int32_t*, void*,
                      std::int32_t*);
template void FindHints(const std::vector<Band>&, std::size_t, const std::vector<std::size_t>&,
                        const std::int64_t*, std::int64_t*);
template bool Forward(const FeatureMapCoding&, const std::vector<Band>&, const void*, std::int64_t*,
                      std::int64_t*);
template void Inverse(const FeatureMapCoding&, const std::vector<Band>&, std::int64_t*, void*,
                      std::int64_t*);

}  // namespace qonnx_tools
