// FeatureMapDecode: feature maps from their streams.

#include <algorithm>
#include <string>
#include <vector>

#include "codec/feature_map.h"
#include "glue/code_op.h"
#include "glue/shape_inference.h"
#include "ops/elementwise.h"
#include "ops/feature_map.h"

namespace qonnx_tools {
namespace {

constexpr ort::ElementType kByteType[] = {ort::ElementType::kUint8};

const char* Complaint(CodecStatus status) {
  switch (status) {
    case CodecStatus::kNoStream:
      return "does not begin with 'QF': it is no compressed feature map";
    case CodecStatus::kVersion:
      return "is of a version that this library does not read; update qonnx-tools";
    case CodecStatus::kChecksum:
      return "does not fit its checksum; it is damaged";
    case CodecStatus::kTooLarge:
      return "holds more codes than attribute 'shape' says";
    default:
      return "holds what no encoder writes, or ends too early; it is damaged";
  }
}

void Check(CodecStatus status, std::size_t stream) {
  if (status == CodecStatus::kGood) return;
  throw Error("stream " + std::to_string(stream) + " of input 'streams' " + Complaint(status));
}

std::string Text(const FeatureMapCoding& coding) {
  const CodeRange range = RangeOf(coding);
  constexpr const char* kElements[] = {"int8", "uint8", "int16", "uint16", "int32", "uint32"};
  return std::string(kElements[coding.element]) + " [" + std::to_string(coding.channels) + ", " +
         std::to_string(coding.height) + ", " + std::to_string(coding.width) + "] in " +
         std::to_string(range.low) + ".." + std::to_string(range.high);
}

bool IsSameMap(const FeatureMapCoding& a, const FeatureMapCoding& b) {
  return a.element == b.element && a.bits == b.bits && a.is_signed == b.is_signed &&
         a.narrow == b.narrow && a.channels == b.channels && a.height == b.height &&
         a.width == b.width;
}

class DecodeKernel final : public CodeKernel {
 public:
  explicit DecodeKernel(const FeatureMapCoding& wanted) : wanted_(wanted) {}

  void Compute(std::span<const Tensor> inputs, const Output& y,
               const Workers& workers) const override {
    const Shape& bytes = inputs[0].shape;
    if (bytes.rank != 1) {
      throw Error("input 'streams' has shape " + bytes.Text() + "; give bytes, [B]");
    }
    const std::vector<ReadStream> streams =
        Read(static_cast<const std::uint8_t*>(inputs[0].data), bytes.Count());
    Shape shape;
    shape.rank = 4;
    shape.dims[0] = static_cast<std::int64_t>(streams.size());
    shape.dims[1] = wanted_.channels;
    shape.dims[2] = wanted_.height;
    shape.dims[3] = wanted_.width;
    void* const codes = y.Allocate(shape);
    const std::size_t each = ShapeOf(wanted_).count();
    std::vector<CodecStatus> statuses(streams.size());
    workers.For(streams.size(), [&](std::size_t image) {
      void* const to = ElementOf(codes, image * each, SizeOf(CarrierOf(wanted_)));
      statuses[image] = DecodeFeatureMap(streams[image], to);
    });
    for (std::size_t image = 0; image < streams.size(); ++image) {
      Check(statuses[image], image);
    }
  }

 private:
  // All headers, checked, and so are the checksums: memory for codes comes only then.
  std::vector<ReadStream> Read(const std::uint8_t* at, std::size_t size) const {
    const auto limit = static_cast<std::int64_t>(ShapeOf(wanted_).count());
    std::vector<ReadStream> streams;
    while (size > 0) {
      std::size_t length = 0;
      Check(FindEnd(at, size, length), streams.size());
      ReadStream& read = streams.emplace_back();
      Check(ReadHeader(at, length, limit, read), streams.size() - 1);
      if (!IsSameMap(read.coding, wanted_)) {
        throw Error("stream " + std::to_string(streams.size() - 1) + " of input 'streams' holds " +
                    Text(read.coding) + "; the attributes say " + Text(wanted_));
      }
      at += length;
      size -= length;
    }
    return streams;
  }

  FeatureMapCoding wanted_;
};

class FeatureMapDecode final : public CodeOp {
 public:
  explicit FeatureMapDecode(const Attributes& attributes) : wanted_(ReadMapFormat(attributes)) {
    const std::vector<std::int64_t> shape = attributes.Ints("shape");
    if (shape.size() != 3) {
      throw Error("attribute 'shape' has " + std::to_string(shape.size()) +
                  " numbers; give 3: C, H, W");
    }
    wanted_.channels = shape[0];
    wanted_.height = shape[1];
    wanted_.width = shape[2];
    wanted_.step = kStepUnit;
    if (!IsValid(wanted_)) {
      throw Error("attribute 'shape' is " + std::to_string(shape[0]) + ", " +
                  std::to_string(shape[1]) + ", " + std::to_string(shape[2]) +
                  "; no feature map has it");
    }
  }
  ort::ElementType OutputType() const override { return TypeOf(CarrierOf(wanted_)); }
  void CheckParameter(std::size_t, const Tensor&) const override {}  // it has none

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor>) const override {
    return std::make_unique<DecodeKernel>(wanted_);
  }

 private:
  FeatureMapCoding wanted_;  // what the graph relies on
};

void InferMaps(ShapeInference& inference) {
  InferredShape y(1);
  for (const std::int64_t size : inference.Ints("shape")) y.push_back({size, ""});
  inference.SetOutput(y, inference.To());
}

constexpr auto kAny = ort::ElementType::kUndefined;

const RegisteredOp registered({"FeatureMapDecode",
                               {kProjectDomain},
                               {{"streams", kAny, false, true, kByteType}},
                               nullptr,
                               [](const Attributes& attributes) -> std::unique_ptr<CodeOp> {
                                 return std::make_unique<FeatureMapDecode>(attributes);
                               },
                               InferMaps});

}  // namespace
}  // namespace qonnx_tools
