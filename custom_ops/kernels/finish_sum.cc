#include "kernels/finish_sum.h"

#include <limits>

#include "kernels/finish_row.h"

namespace qonnx_tools {
namespace {

#if defined(__AVX512BW__)

template <typename T, bool is_signed, typename Row>
void ForRows(const Row* row, const SumRows<std::int32_t>& by, const ByteResidual& residual) {
  const ByteSum<is_signed> sum(residual.by);
  const auto run = [&](auto finish) {
    for (std::size_t i = 0; i < by.rows; ++i) {
      const std::size_t at = i * by.y_pitch;
      if (i + 2 < by.rows) {
        const auto* const next =
            static_cast<const std::uint8_t*>(residual.codes) + at + 2 * by.y_pitch;
        for (std::size_t b = 0; b < by.count + 63; b += 64) __builtin_prefetch(next + b);
      }
      finish(row[i], by.sums + i * by.pitch,
             SumTo<is_signed>{&sum, static_cast<const std::uint8_t*>(residual.codes) + at,
                              static_cast<std::uint8_t*>(by.y) + at});
    }
  };
  if (by.unused_bits > 0) {
    run([&](const Row& r, const std::int32_t* sums, const SumTo<is_signed>& to) {
      FinishRow<T, true, true>(r, by, sums, to);
    });
  } else if (by.low != std::numeric_limits<T>::min() || by.high != std::numeric_limits<T>::max()) {
    run([&](const Row& r, const std::int32_t* sums, const SumTo<is_signed>& to) {
      FinishRow<T, false, true>(r, by, sums, to);
    });
  } else {
    run([&](const Row& r, const std::int32_t* sums, const SumTo<is_signed>& to) {
      FinishRow<T, false, false>(r, by, sums, to);
    });
  }
}

#endif

}  // namespace

#if defined(__AVX512BW__)
constinit const FinishSumTable FinishSumTable::QONNX_TOOLS_LEVEL = {
    {{ForRows<std::int8_t, false, NarrowRow>, ForRows<std::int8_t, true, NarrowRow>},
     {ForRows<std::uint8_t, false, NarrowRow>, ForRows<std::uint8_t, true, NarrowRow>}},
    {{ForRows<std::int8_t, false, WideRow>, ForRows<std::int8_t, true, WideRow>},
     {ForRows<std::uint8_t, false, WideRow>, ForRows<std::uint8_t, true, WideRow>}}};
#else
constinit const FinishSumTable FinishSumTable::QONNX_TOOLS_LEVEL = {};
#endif

}  // namespace qonnx_tools
