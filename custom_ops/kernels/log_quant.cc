#include "kernels/log_quant.h"

#include "kernels/element_loops.h"
#include "kernels/log_position.h"

namespace qonnx_tools {
namespace {

template <bool two_steps>
class LogQuantElement {
 public:
  struct Values {
    LogThresholds thresholds;
    std::int32_t even_magnitude, odd_magnitude;
  };
  explicit LogQuantElement(const LogQuantParameters& parameters) : shared_(parameters) {}

  Values At(std::size_t index) const {
    return {ThresholdsAt<two_steps>(shared_, index), shared_.even_magnitude[index],
            two_steps ? shared_.odd_magnitude[index] : 0};
  }

  float operator()(const Values& values, float x) const {
    const std::int32_t bits = __builtin_bit_cast(std::int32_t, x);
    const std::int32_t k = LogPosition<two_steps>(shared_, values.thresholds, bits);
    std::int32_t magnitude;
    if constexpr (two_steps) {
      const std::int32_t octave_part = k & 1 ? values.odd_magnitude : values.even_magnitude;
      magnitude = octave_part - ((k >> 1) << kOctave);
    } else {
      magnitude = values.even_magnitude - (k << kOctave);
    }
    const bool zero = IsLogZero(shared_, values.thresholds, bits);
    const std::int32_t result = zero ? 0 : magnitude | (bits & ~shared_.size_mask);
    return __builtin_bit_cast(float, (bits & kSizeMask) > kInfinity ? bits : result);
  }

 private:
  LogQuantParameters shared_;
};

}  // namespace

constinit const LogQuantTable LogQuantTable::QONNX_TOOLS_LEVEL = {
    {LoopsOf<LogQuantElement<false>, LogQuantParameters>(),
     LoopsOf<LogQuantElement<true>, LogQuantParameters>()}};

}  // namespace qonnx_tools
