// The planes of a compressed feature map in memory: where each band lies, quantization, transform.

#pragma once

#include <vector>

#include "codec/feature_map_header.h"
#include "core/level.h"
#include "kernels/lifting.h"
#include "kernels/step_quantization.h"

namespace qonnx_tools {

enum class Orientation { kLl, kHl, kLh, kHh };

struct Band {
  Orientation orientation;
  int level;             // 0: the map itself
  PlaneShape shape;      // all channels
  std::size_t offset;    // of its first number among all planes
  std::size_t channels;  // that the stream holds
  std::int32_t step;     // in LSB; of the map itself in sixteenths

  bool MayBeDropped() const { return level == 1 && orientation != Orientation::kLl; }
};

// The bands in the order of the stream.
std::vector<Band> BandsOf(const FeatureMapCoding& coding, std::size_t kept);

// What the magnitudes of the coefficients of bands[index] hint at, one a sample; see
// arithmetic/band_hints.py. Channels that the stream does not hold are already left out of the
// bands that may drop them.
template <typename Value>
void FindHints(const std::vector<Band>& bands, std::size_t index,
               const std::vector<std::size_t>& kept, const Value* planes, Value* hints);

// Numbers that Forward and Inverse need besides the planes.
std::size_t TransformScratch(const FeatureMapCoding& coding);

// From codes to quantized planes and back.
template <typename Value>
bool Forward(const FeatureMapCoding& coding, const std::vector<Band>& bands, const void* codes,
             Value* planes, Value* scratch);  // false if a code is outside the format
template <typename Value>
void Inverse(const FeatureMapCoding& coding, const std::vector<Band>& bands, Value* planes,
             void* codes, Value* scratch);

}  // namespace qonnx_tools
