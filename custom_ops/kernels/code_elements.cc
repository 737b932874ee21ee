#include "kernels/code_elements.h"

#include <type_traits>
#include <utility>

#include "kernels/log_position.h"
#include "kernels/rounding.h"

namespace qonnx_tools {
namespace {

template <typename T>
void Add(const T* __restrict a, int left_a, const T* __restrict b, int left_b, T* __restrict sums,
         std::size_t count) {
  using Modular = std::make_unsigned_t<T>;
  constexpr int kBits = 8 * sizeof(T);
  const Modular keep_a = left_a < kBits ? ~Modular{0} : 0;
  const Modular keep_b = left_b < kBits ? ~Modular{0} : 0;
  const int by_a = left_a % kBits;
  const int by_b = left_b % kBits;
  for (std::size_t i = 0; i < count; ++i) {
    const Modular term_a = (static_cast<Modular>(a[i]) << by_a) & keep_a;
    const Modular term_b = (static_cast<Modular>(b[i]) << by_b) & keep_b;
    sums[i] = static_cast<T>(term_a + term_b);
  }
}

template <typename T>
void Multiply(const T* __restrict a, const T* __restrict b, T* __restrict products,
              std::size_t count) {
  using Modular = std::make_unsigned_t<T>;
  for (std::size_t i = 0; i < count; ++i) {
    products[i] = static_cast<T>(static_cast<Modular>(a[i]) * static_cast<Modular>(b[i]));
  }
}

template <Rounding rounding, std::size_t step>
void QuantizeRun(const float* __restrict x, const float* __restrict up, double low, double high,
                 std::int32_t* __restrict codes, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const double rounded = static_cast<double>(Round<rounding>(x[i] * up[i * step]));
    const double number = rounded == rounded ? rounded : 0.0;
    const double above = number < low ? low : number;
    codes[i] = static_cast<std::int32_t>(above > high ? high : above);
  }
}

template <Rounding rounding>
void Quantize(const float* x, const float* up, std::size_t step, std::int32_t low,
              std::int32_t high, std::int32_t* codes, std::size_t count) {
  const auto run = step == 0 ? QuantizeRun<rounding, 0> : QuantizeRun<rounding, 1>;
  run(x, up, low, high, codes, count);
}

void Dequantize(const std::int32_t* __restrict codes, const float* __restrict down,
                std::size_t step, float* __restrict x, std::size_t count) {
  if (step == 0) {
    const float by = *down;
    for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(codes[i]) * by;
    return;
  }
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(codes[i]) * down[i];
}

template <bool two_steps>
void LogQuantize(const LogQuantParameters& parameters, std::size_t index, std::size_t step,
                 const float* __restrict x, std::int32_t* __restrict codes, std::size_t count) {
  const LogQuantParameters shared = parameters;
  const auto code = [&](const LogThresholds& thresholds, float value) {
    const std::int32_t bits = __builtin_bit_cast(std::int32_t, value);
    const std::int32_t size = shared.count - LogPosition<two_steps>(shared, thresholds, bits);
    const bool zero = IsLogZero(shared, thresholds, bits) || (bits & kSizeMask) > kInfinity;
    const std::int32_t sign = bits >> 31;
    return zero ? 0 : (size ^ sign) - sign;
  };
  if (step == 0) {
    const LogThresholds thresholds = ThresholdsAt<two_steps>(shared, index);
    for (std::size_t i = 0; i < count; ++i) codes[i] = code(thresholds, x[i]);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    codes[i] = code(ThresholdsAt<two_steps>(shared, index + i), x[i]);
  }
}

void LogDequantize(const std::int32_t* __restrict codes, const float* __restrict table,
                   std::int32_t low, std::int32_t high, float* __restrict x, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t above = codes[i] < low ? low : codes[i];
    const std::int32_t code = above > high ? high : above;
    const float size = table[code < 0 ? -code : code];
    x[i] = code < 0 ? -size : size;
  }
}

template <int... rounding>
constexpr CodeElementsTable TableOf(std::integer_sequence<int, rounding...>) {
  return {Add<std::int32_t>,
          Add<std::int64_t>,
          Multiply<std::int32_t>,
          Multiply<std::int64_t>,
          {Quantize<Rounding{rounding}>...},
          Dequantize,
          {LogQuantize<false>, LogQuantize<true>},
          LogDequantize};
}

}  // namespace

constinit const CodeElementsTable CodeElementsTable::QONNX_TOOLS_LEVEL =
    TableOf(std::make_integer_sequence<int, kRoundings>{});

}  // namespace qonnx_tools
