// Channels of maps as they come back from being compressed, without a stream.

#pragma once

#include <vector>

#include "codec/feature_map_planes.h"
#include "kernels/wavelet_lanes.h"

namespace qonnx_tools {

class ChannelRoundTrip {
 public:
  // For maps of `coding`, which is valid; the mask is said channel by channel.
  explicit ChannelRoundTrip(const FeatureMapCoding& coding);

  // Takes one channel there and back, without its finest HL, LH and HH if `drops`. False, and
  // nothing is written, if a code is outside the number format. `decoded` may be `codes`.
  bool TryRun(const void* codes, bool drops, void* decoded) const;

  // The same of codes that are first clamped to the number format.
  void Run(const void* codes, bool drops, void* decoded) const;

  // The same of up to kTogether channels, one behind the other.
  static constexpr std::size_t kTogether = kWaveletLanes;
  void Run(const void* codes, std::size_t channels, const bool* drops, void* decoded) const;

 private:
  void RunLanes(const void* codes, std::size_t channels, const bool* drops, void* decoded) const;

  FeatureMapCoding coding_;  // of one channel
  std::vector<Band> bands_;
  WaveletLanes lanes_ = {};
};

}  // namespace qonnx_tools
