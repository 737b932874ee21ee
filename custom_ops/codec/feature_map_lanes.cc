#include "codec/feature_map_lanes.h"

#include <algorithm>

namespace qonnx_tools {

WaveletLanes LanesOf(const FeatureMapCoding& coding, const std::vector<Band>& bands) {
  const CodeRange range = RangeOf(coding);
  WaveletLanes lanes = {};
  lanes.height = static_cast<std::size_t>(coding.height);
  lanes.width = static_cast<std::size_t>(coding.width);
  lanes.levels = coding.levels;
  lanes.low = static_cast<std::int32_t>(range.low);
  lanes.high = static_cast<std::int32_t>(range.high);
  for (const Band& band : bands) {
    const auto orientation = static_cast<std::size_t>(band.orientation);
    if (band.orientation == Orientation::kLl) {
      lanes.ll_step = band.step;
    } else {
      lanes.steps[band.level - 1][orientation - 1] = band.step;
    }
  }
  return lanes;
}

SixteenMaps LanesAt(const void* codes, void* decoded, std::size_t channels, std::size_t bytes) {
  SixteenMaps maps = {};
  for (std::size_t lane = 0; lane < kWaveletLanes; ++lane) {
    const std::size_t at = std::min(lane, channels - 1) * bytes;
    maps.codes[lane] = codes == nullptr ? nullptr : static_cast<const char*>(codes) + at;
    maps.decoded[lane] = decoded == nullptr ? nullptr : static_cast<char*>(decoded) + at;
  }
  return maps;
}

}  // namespace qonnx_tools
