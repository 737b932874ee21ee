#include "ops/feature_map.h"

#include <algorithm>
#include <string>

#include "glue/parameter.h"

namespace qonnx_tools {

FeatureMapCoding ReadMapFormat(const Attributes& attributes) {
  FeatureMapCoding coding = {};
  coding.element = static_cast<std::int32_t>(ReadOutputFormat(attributes).carrier);
  coding.bits = attributes.IntWithin("bits", 1, 32);
  coding.is_signed = attributes.Bool("signed", true) ? 1 : 0;
  coding.narrow = attributes.Bool("narrow", false) ? 1 : 0;
  return coding;
}

void ReadTransform(const Attributes& attributes, FeatureMapCoding& coding) {
  coding.transform = attributes.IntWithin("transform", 0, static_cast<int>(Transform::kLeGall));
  const bool wavelet = HasWavelet(coding);
  coding.levels = attributes.IntWithin("levels", 0, 3, 0);
  if (wavelet != (coding.levels > 0)) {
    throw Error("attribute 'levels' is " + std::to_string(coding.levels) +
                "; attribute 'transform' " + std::to_string(coding.transform) +
                (wavelet ? " takes 1 to 3" : " takes 0"));
  }
}

void CheckStep(const Tensor& step) {
  if (step.shape.rank != 0) {
    throw Error("input 'step' has shape " + step.shape.Text() + "; give a 0-d tensor");
  }
  IntegerInput("step", step, kStepUnit, kLargestStep);
}

void CheckMask(const FeatureMapCoding& coding, const Tensor& dropped) {
  if (dropped.shape.rank != 1) {
    throw Error("input 'dropped' has shape " + dropped.shape.Text() +
                "; give one value a channel, or one for all");
  }
  const auto* const values = static_cast<const std::uint8_t*>(dropped.data);
  const bool any = std::any_of(values, values + dropped.shape.Count(),
                               [](std::uint8_t value) { return value != 0; });
  if (any && !HasWavelet(coding)) {
    throw Error("input 'dropped' leaves out bands; attribute 'transform' " +
                std::to_string(coding.transform) + " has none");
  }
}

MapParameters::MapParameters(const Tensor& step, const Tensor& dropped)
    : step(IntegerInput("step", step, kStepUnit, kLargestStep)),
      dropped(static_cast<const std::uint8_t*>(dropped.data),
              static_cast<const std::uint8_t*>(dropped.data) + dropped.shape.Count()) {}

void CheckMaps(const Shape& x, const MapParameters& parameters) {
  const auto is_side = [](std::int64_t side) { return 1 <= side && side <= kLargestSide; };
  if (x.rank != 4 || !std::all_of(x.dims.begin() + 1, x.dims.begin() + 4, is_side)) {
    throw Error("input 'x' has shape " + x.Text() +
                "; a feature map is [N, C, H, W], none but N 0");
  }
  const std::size_t given = parameters.dropped.size();
  if (given != 1 && given != static_cast<std::size_t>(x.dims[1])) {
    throw Error("input 'dropped' has shape [" + std::to_string(given) + "]; input 'x' of shape " +
                x.Text() + " asks for [" + std::to_string(x.dims[1]) + "] or [1]");
  }
}

FeatureMapCoding CodingFor(FeatureMapCoding coding, const MapParameters& parameters,
                           const Shape& x) {
  coding.step = parameters.step;
  coding.channels = x.dims[1];
  coding.height = x.dims[2];
  coding.width = x.dims[3];
  return coding;
}

void CheckElements(const FeatureMapCoding& coding, const Tensor& x) {
  const ort::ElementType wanted = TypeOf(CarrierOf(coding));
  if (x.type != wanted) {
    throw Error(std::string("input 'x' is ") + TypeName(x.type) + "; attribute 'to' says " +
                TypeName(wanted) + ", which it must be");
  }
}

}  // namespace qonnx_tools
