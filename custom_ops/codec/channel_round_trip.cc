#include "codec/channel_round_trip.h"

#include <algorithm>

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
    : coding_(OneChannelOf(coding)), bands_(BandsOf(coding_, 1)) {}

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

}  // namespace qonnx_tools
