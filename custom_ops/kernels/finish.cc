#include "kernels/finish.h"

#include <limits>

#include "kernels/finish_row.h"

namespace qonnx_tools {
namespace {

template <typename T, typename Row, typename Sum>
void ForRows(const Row* row, const SumRows<Sum>& by) {
  using Limits = std::numeric_limits<T>;
  const bool clips = by.low != static_cast<std::int32_t>(Limits::min()) ||
                     by.high != static_cast<std::int32_t>(Limits::max());
  const auto run = [&](auto finish) {
    for (std::size_t i = 0; i < by.rows; ++i) {
      finish(row[i], by.sums + i * by.pitch, static_cast<T*>(by.y) + i * by.y_pitch);
    }
  };
  if (by.unused_bits > 0) {
    run([&](const Row& r, const Sum* sums, T* y) { FinishRow<T, true, true>(r, by, sums, y); });
  } else if (clips) {
    run([&](const Row& r, const Sum* sums, T* y) { FinishRow<T, false, true>(r, by, sums, y); });
  } else {
    run([&](const Row& r, const Sum* sums, T* y) { FinishRow<T, false, false>(r, by, sums, y); });
  }
}

}  // namespace

constinit const FinishTable FinishTable::QONNX_TOOLS_LEVEL = {
    {ForRows<std::int8_t, NarrowRow, std::int32_t>, ForRows<std::uint8_t, NarrowRow, std::int32_t>,
     ForRows<std::int16_t, NarrowRow, std::int32_t>,
     ForRows<std::uint16_t, NarrowRow, std::int32_t>,
     ForRows<std::int32_t, NarrowRow, std::int32_t>},
    {ForRows<std::int8_t, WideRow, std::int32_t>, ForRows<std::uint8_t, WideRow, std::int32_t>,
     ForRows<std::int16_t, WideRow, std::int32_t>, ForRows<std::uint16_t, WideRow, std::int32_t>,
     ForRows<std::int32_t, WideRow, std::int32_t>},
    {ForRows<std::int8_t, WideRow, std::int64_t>, ForRows<std::uint8_t, WideRow, std::int64_t>,
     ForRows<std::int16_t, WideRow, std::int64_t>, ForRows<std::uint16_t, WideRow, std::int64_t>,
     ForRows<std::int32_t, WideRow, std::int64_t>}};

}  // namespace qonnx_tools
