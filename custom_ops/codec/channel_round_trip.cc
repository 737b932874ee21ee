#include "codec/channel_round_trip.h"

#include <algorithm>

#include "codec/feature_map_lanes.h"
#include "codec/value_of.h"
#include "core/scratch.h"

namespace qonnx_tools {
namespace {

FeatureMapCoding OneChannelOf(FeatureMapCoding coding) {
  coding.channels = 1;
  coding.dropped = nullptr;
  return coding;
}

// Of a channel: its planes, and what Forward and Inverse need besides.
template <typename Value>
Value* PlanesOf(std::size_t area) {
  return ScratchOf<Value>(ScratchUse::kFeatureMap, 5 * area);
}

}  // namespace

ChannelRoundTrip::ChannelRoundTrip(const FeatureMapCoding& coding)
    : coding_(OneChannelOf(coding)), bands_(BandsOf(coding_, 1)) {
  if (HasWavelet(coding_)) lanes_ = LanesOf(coding_, bands_);
}

bool ChannelRoundTrip::TryRun(const void* codes, bool drops, void* decoded) const {
  return WithValue(coding_, [&]<typename Value>(Value) {
    const std::size_t area = ShapeOf(coding_).area();
    Value* const planes = PlanesOf<Value>(area);
    Value* const scratch = planes + area;
    if (!Forward(coding_, bands_, codes, planes, scratch)) return false;
    for (const Band& band : bands_) {
      if (drops && band.MayBeDropped()) {
        std::fill_n(planes + band.offset, band.shape.area(), Value{0});
      }
    }
    Inverse(coding_, bands_, planes, decoded, scratch);
    return true;
  });
}

void ChannelRoundTrip::Run(const void* codes, bool drops, void* decoded) const {
  if (TryRun(codes, drops, decoded)) return;
  WithValue(coding_, [&]<typename Value>(Value) {
    const auto& numbers = AtSelectedLevel<StepQuantizationTable<Value>>();
    const std::size_t area = ShapeOf(coding_).area();
    const CodeRange range = RangeOf(coding_);
    Value* const x = PlanesOf<Value>(area);
    numbers.load[static_cast<std::size_t>(coding_.element)](codes, area, x);
    numbers.store[static_cast<std::size_t>(coding_.element)](
        x, area, static_cast<Value>(range.low), static_cast<Value>(range.high), decoded);
  });
  TryRun(decoded, drops, decoded);
}

void ChannelRoundTrip::Run(const void* codes, std::size_t channels, const bool* drops,
                           void* decoded) const {
  const std::size_t bytes = ElementBytes(coding_.element);
  if (GoesInLanes(coding_, channels)) {
    RunLanes(codes, channels, drops, decoded);
    return;
  }
  for (std::size_t c = 0; c < channels; ++c) {
    const std::size_t at = c * ShapeOf(coding_).area() * bytes;
    Run(static_cast<const char*>(codes) + at, drops[c], static_cast<char*>(decoded) + at);
  }
}

void ChannelRoundTrip::RunLanes(const void* codes, std::size_t channels, const bool* drops,
                                void* decoded) const {
  const std::size_t area = ShapeOf(coding_).area();
  const std::size_t bytes = area * ElementBytes(coding_.element);
  SixteenMaps maps = LanesAt(codes, decoded, channels, bytes);
  for (std::size_t lane = 0; lane < kWaveletLanes; ++lane) {
    maps.keep[lane] = drops[std::min(lane, channels - 1)] ? 0 : -1;
  }
  const bool is_le_gall = coding_.transform == static_cast<int>(Transform::kLeGall);
  WithValue(coding_, [&]<typename Value>(Value) {
    if constexpr (sizeof(Value) <= 4) {
      const auto run =
          AtSelectedLevel<WaveletLanesTable<Value>>().round_trip[is_le_gall][coding_.element];
      run(lanes_, maps, ScratchOf<Value>(ScratchUse::kFeatureMap, kWaveletLanes * area));
    }
  });
}

}  // namespace qonnx_tools
