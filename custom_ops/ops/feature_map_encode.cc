// FeatureMapEncode: the streams of feature maps, one behind the other.

#include <algorithm>
#include <string>
#include <vector>

#include "codec/feature_map.h"
#include "core/scratch.h"
#include "glue/code_op.h"
#include "glue/shape_inference.h"
#include "ops/elementwise.h"
#include "ops/feature_map.h"

namespace qonnx_tools {
namespace {

using Stream = std::vector<std::uint8_t>;

class EncodeKernel final : public CodeKernel {
 public:
  EncodeKernel(const FeatureMapCoding& coding, const MapParameters& parameters)
      : coding_(coding), parameters_(parameters) {}

  void Compute(std::span<const Tensor> inputs, const Output& y,
               const Workers& workers) const override {
    const Shape& shape = inputs[0].shape;
    CheckMaps(shape, parameters_);
    FeatureMapCoding coding = CodingFor(coding_, parameters_, shape);
    const Stream dropped = MaskFor(coding);
    coding.dropped = dropped.data();
    const CodesView x = {inputs[0].data, CarrierOf(coding)};
    const auto images = static_cast<std::size_t>(shape.dims[0]);
    std::vector<Stream> streams(images);
    std::vector<CodecStatus> statuses(images);
    workers.For(images, [&](std::size_t image) {
      const std::size_t bound = LargestStream(coding);
      auto* const stream = ScratchOf<std::uint8_t>(ScratchUse::kStream, bound);
      std::size_t size = bound;
      statuses[image] =
          EncodeFeatureMap(coding, x.At(image * ShapeOf(coding).count()), stream, size);
      if (statuses[image] == CodecStatus::kGood) streams[image].assign(stream, stream + size);
    });
    Check(statuses);
    std::size_t bytes = 0;
    for (const Stream& stream : streams) bytes += stream.size();
    Shape all;
    all.rank = 1;
    all.dims[0] = static_cast<std::int64_t>(bytes);
    auto* to = static_cast<std::uint8_t*>(y.Allocate(all));
    for (const Stream& stream : streams) to = std::copy(stream.begin(), stream.end(), to);
  }

 private:
  // A value for each channel.
  Stream MaskFor(const FeatureMapCoding& coding) const {
    Stream mask(static_cast<std::size_t>(coding.channels));
    for (std::size_t c = 0; c < mask.size(); ++c) mask[c] = parameters_.Drops(c) ? 1 : 0;
    return mask;
  }

  void Check(const std::vector<CodecStatus>& statuses) const {
    for (std::size_t image = 0; image < statuses.size(); ++image) {
      if (statuses[image] == CodecStatus::kGood) continue;
      if (statuses[image] != CodecStatus::kOutsideFormat) throw Error("no such feature map");
      const CodeRange range = RangeOf(coding_);
      throw Error("image " + std::to_string(image) + " of input 'x' has codes outside " +
                  std::to_string(range.low) + ".." + std::to_string(range.high) +
                  ", which attributes 'bits', 'signed' and 'narrow' say; correct them");
    }
  }

  FeatureMapCoding coding_;
  MapParameters parameters_;
};

class FeatureMapEncode final : public CodeOp {
 public:
  explicit FeatureMapEncode(const Attributes& attributes) : coding_(ReadMapFormat(attributes)) {
    ReadTransform(attributes, coding_);
    coding_.coder = attributes.IntWithin("coder", 0, static_cast<int>(Coder::kContext));
  }
  ort::ElementType OutputType() const override { return ort::ElementType::kUint8; }

  void CheckParameter(std::size_t input, const Tensor& tensor) const override {
    if (input == 1) CheckStep(tensor);
    if (input == 2) CheckMask(coding_, tensor);
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    CheckElements(coding_, inputs[0]);
    return std::make_unique<EncodeKernel>(coding_, MapParameters(inputs[1], inputs[2]));
  }

 private:
  FeatureMapCoding coding_;
};

void InferBytes(ShapeInference& inference) {
  inference.SetOutput(InferredShape(1), ort::ElementType::kUint8);
}

constexpr auto kAny = ort::ElementType::kUndefined;

const RegisteredOp registered({"FeatureMapEncode",
                               {kProjectDomain},
                               {{"x", kAny, false, true, kCodeTypes},
                                {"step", kAny, false, false, kInt64Type},
                                {"dropped", kAny, false, false, kBoolType}},
                               nullptr,
                               [](const Attributes& attributes) -> std::unique_ptr<CodeOp> {
                                 return std::make_unique<FeatureMapEncode>(attributes);
                               },
                               InferBytes});

}  // namespace
}  // namespace qonnx_tools
