// FeatureMapRoundTrip: codes of feature maps as they come back from being compressed.

#include <array>
#include <numeric>

#include "codec/channel_round_trip.h"
#include "glue/code_op.h"
#include "glue/shape_inference.h"
#include "kernels/lookup.h"
#include "ops/elementwise.h"
#include "ops/feature_map.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kBytes = 256;

// What becomes of each byte without a transform.
std::array<std::uint8_t, kBytes> TableOf(FeatureMapCoding coding, std::int32_t step) {
  coding.step = step;
  coding.channels = coding.height = 1;
  coding.width = kBytes;
  std::array<std::uint8_t, kBytes> table;
  std::iota(table.begin(), table.end(), std::uint8_t{0});
  ChannelRoundTrip(coding).Run(table.data(), false, table.data());
  return table;
}

class RoundTripKernel final : public ShapedKernel {
 public:
  RoundTripKernel(const FeatureMapCoding& coding, const MapParameters& parameters)
      : coding_(coding),
        parameters_(parameters),
        is_table_(!HasWavelet(coding) && ElementBytes(coding.element) == 1) {
    if (is_table_) table_ = TableOf(coding, parameters.step);
  }

  Shape OutputShape(std::span<const Tensor> inputs) const override {
    CheckMaps(inputs[0].shape, parameters_);
    return inputs[0].shape;
  }

  void Run(std::span<const Tensor> inputs, void* y, const Workers& workers) const override {
    const Shape& shape = inputs[0].shape;
    const CodesView x = {inputs[0].data, CarrierOf(coding_)};
    if (is_table_) {
      const auto look_up = AtSelectedLevel<LookupTable>().bytes[0];
      InShares(shape.Count(), workers, [&](std::size_t begin, std::size_t end) {
        look_up(table_.data(), x.At(begin), ElementOf(y, begin, 1), end - begin);
      });
      return;
    }
    const FeatureMapCoding coding = CodingFor(coding_, parameters_, shape);
    const ChannelRoundTrip round_trip(coding);
    const std::size_t area = ShapeOf(coding).area();
    const auto channels = static_cast<std::size_t>(coding.channels);
    const std::size_t maps = static_cast<std::size_t>(shape.dims[0]) * channels;
    constexpr std::size_t kTogether = ChannelRoundTrip::kTogether;
    const std::size_t share = std::max<std::size_t>(1, kShare / (kTogether * area)) * kTogether;
    workers.For((maps + share - 1) / share, [&](std::size_t index) {
      const std::size_t end = std::min(maps, (index + 1) * share);
      for (std::size_t map = index * share; map < end; map += kTogether) {
        const std::size_t count = std::min(kTogether, end - map);
        bool drops[kTogether];
        for (std::size_t i = 0; i < count; ++i) drops[i] = parameters_.Drops((map + i) % channels);
        round_trip.Run(x.At(map * area), count, drops, ElementOf(y, map * area, SizeOf(x.carrier)));
      }
    });
  }

 private:
  FeatureMapCoding coding_;
  MapParameters parameters_;
  bool is_table_;
  std::array<std::uint8_t, kBytes> table_ = {};
};

class FeatureMapRoundTrip final : public CodeOp {
 public:
  explicit FeatureMapRoundTrip(const Attributes& attributes) : coding_(ReadMapFormat(attributes)) {
    ReadTransform(attributes, coding_);
  }
  ort::ElementType OutputType() const override { return TypeOf(CarrierOf(coding_)); }

  void CheckParameter(std::size_t input, const Tensor& tensor) const override {
    if (input == 1) CheckStep(tensor);
    if (input == 2) CheckMask(coding_, tensor);
  }

  std::unique_ptr<CodeKernel> Prepare(std::span<const Tensor> inputs) const override {
    CheckElements(coding_, inputs[0]);
    return std::make_unique<RoundTripKernel>(coding_, MapParameters(inputs[1], inputs[2]));
  }

 private:
  FeatureMapCoding coding_;
};

constexpr auto kAny = ort::ElementType::kUndefined;

const RegisteredOp registered({"FeatureMapRoundTrip",
                               {kProjectDomain},
                               {{"x", kAny, false, true, kCodeTypes},
                                {"step", kAny, false, false, kInt64Type},
                                {"dropped", kAny, false, false, kBoolType}},
                               nullptr,
                               [](const Attributes& attributes) -> std::unique_ptr<CodeOp> {
                                 return std::make_unique<FeatureMapRoundTrip>(attributes);
                               },
                               InferShapeOfX});

}  // namespace
}  // namespace qonnx_tools
