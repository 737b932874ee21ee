#include "kernels/log_quant.h"

#include "kernels/element_loops.h"

namespace qonnx_tools {
namespace {

constexpr int kOctave = 23;  // float32 fraction bits
constexpr std::int32_t kSizeMask = 0x7fffffff;
constexpr std::int32_t kInfinity = 0x7f800000;

// How many of `count` thresholds, an octave apart from `lowest` upward, `size` reaches.
inline std::int32_t Reached(std::int32_t size, std::int32_t lowest, std::int32_t count) {
  const std::int32_t reached = ((size - lowest) >> kOctave) + 1;
  const std::int32_t at_least_none = reached < 0 ? 0 : reached;
  return at_least_none > count ? count : at_least_none;
}

template <bool two_steps>
class LogQuantElement {
 public:
  struct Values {
    std::int32_t zero_threshold, even_threshold, odd_threshold, even_magnitude, odd_magnitude;
  };
  explicit LogQuantElement(const LogQuantParameters& parameters) : shared_(parameters) {}

  Values At(std::size_t index) const {
    Values values = {shared_.zero_threshold[index], shared_.even_threshold[index], 0,
                     shared_.even_magnitude[index], 0};
    if constexpr (two_steps) {
      values.odd_threshold = shared_.odd_threshold[index];
      values.odd_magnitude = shared_.odd_magnitude[index];
    }
    return values;
  }

  float operator()(const Values& values, float x) const {
    const std::int32_t bits = __builtin_bit_cast(std::int32_t, x);
    const std::int32_t size = bits & kSizeMask;
    // k of the magnitude, were x not zero: it falls by one with each threshold reached.
    std::int32_t k = shared_.count - 1 - Reached(size, values.even_threshold, shared_.even_count);
    std::int32_t magnitude;
    if constexpr (two_steps) {
      k -= Reached(size, values.odd_threshold, shared_.odd_count);
      const std::int32_t octave_part = k & 1 ? values.odd_magnitude : values.even_magnitude;
      magnitude = octave_part - ((k >> 1) << kOctave);
    } else {
      magnitude = values.even_magnitude - (k << kOctave);
    }
    const bool zero = (bits & shared_.size_mask) < values.zero_threshold;
    const std::int32_t result = zero ? 0 : magnitude | (bits & ~shared_.size_mask);
    return __builtin_bit_cast(float, size > kInfinity ? bits : result);
  }

 private:
  LogQuantParameters shared_;
};

}  // namespace

constinit const LogQuantTable LogQuantTable::QONNX_TOOLS_LEVEL = {
    {LoopsOf<LogQuantElement<false>, LogQuantParameters>(),
     LoopsOf<LogQuantElement<true>, LogQuantParameters>()}};

}  // namespace qonnx_tools
