// What the ops of compressed feature maps share.

#pragma once

#include <vector>

#include "codec/feature_map_header.h"
#include "glue/code_attributes.h"

namespace qonnx_tools {

inline constexpr ort::ElementType kBoolType[] = {ort::ElementType::kBool};

// Attributes bits, signed, narrow and to, as a coding without transform or shape.
FeatureMapCoding ReadMapFormat(const Attributes& attributes);
// Attributes transform and levels.
void ReadTransform(const Attributes& attributes, FeatureMapCoding& coding);

inline Carrier CarrierOf(const FeatureMapCoding& coding) {
  return static_cast<Carrier>(coding.element);
}

// The parameters of a coding as tensors: the quantization step and the mask.
void CheckStep(const Tensor& step);
void CheckMask(const FeatureMapCoding& coding, const Tensor& dropped);
// Both checked.
struct MapParameters {
  std::int32_t step;
  std::vector<std::uint8_t> dropped;  // one for each channel, or for all

  MapParameters(const Tensor& step, const Tensor& dropped);
  bool Drops(std::size_t channel) const { return dropped[dropped.size() == 1 ? 0 : channel] != 0; }
};

// Raises Error unless a tensor of this shape is a batch of maps with such a mask.
void CheckMaps(const Shape& x, const MapParameters& parameters);
// `coding` with the parameters, for the maps of such a batch; no mask.
FeatureMapCoding CodingFor(FeatureMapCoding coding, const MapParameters& parameters,
                           const Shape& x);
// Raises Error if input `x` does not have the element type that attribute 'to' says.
void CheckElements(const FeatureMapCoding& coding, const Tensor& x);

}  // namespace qonnx_tools
