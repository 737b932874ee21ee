// Channels of compressed feature maps that go through a wavelet side by side.

#pragma once

#include <vector>

#include "codec/feature_map_planes.h"
#include "kernels/wavelet_lanes.h"

namespace qonnx_tools {

// How sixteen channels go through a wavelet; there is one.
WaveletLanes LanesOf(const FeatureMapCoding& coding, const std::vector<Band>& bands);
constexpr std::size_t kFewestLanes = 4;  // fewer channels are quicker one by one
inline bool GoesInLanes(const FeatureMapCoding& coding, std::size_t channels) {
  return HasWavelet(coding) && ElementBytes(coding.element) <= 2 && channels >= kFewestLanes;
}
// Channels of maps one behind the other: the last is repeated where there are fewer than sixteen.
SixteenMaps LanesAt(const void* codes, void* decoded, std::size_t channels, std::size_t bytes);

// The planes of channels from `channel` on.
template <typename Value>
BandPlanes<Value> PlanesAt(const std::vector<Band>& bands, std::size_t channel, std::size_t count,
                           Value* planes) {
  BandPlanes<Value> found = {};
  found.maps = count;
  for (const Band& band : bands) {
    const auto orientation = static_cast<std::size_t>(band.orientation);
    Value*& at = band.orientation == Orientation::kLl
                     ? found.ll
                     : found.details[band.level - 1][orientation - 1];
    at = planes + band.offset + channel * band.shape.area();
  }
  return found;
}

}  // namespace qonnx_tools
