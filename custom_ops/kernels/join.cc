#include "kernels/join.h"

#include "kernels/round_shift.h"

namespace qonnx_tools {
namespace {

constexpr std::uint32_t kHalfRoot = 46341;  // 1/sqrt(2), at 16 fraction bits

// round_shift(value * 46341, 16) modulo 2^32: of the halves of value, the lower one unsigned.
inline std::uint32_t Scaled(std::int32_t value) {
  const std::uint32_t low = (static_cast<std::uint32_t>(value) & 0xffff) * kHalfRoot;
  const std::uint32_t floor = static_cast<std::uint32_t>(value >> 16) * kHalfRoot + (low >> 16);
  return floor + ((low & 0xffff) + (floor & 1) > 0x8000 ? 1 : 0);
}

inline std::uint64_t Scaled(std::int64_t value) {
  const auto product = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) * kHalfRoot);
  return static_cast<std::uint64_t>(RoundShift<Rounding::kHalfEven>(product, 16));
}

inline std::int32_t Wrapped(std::int32_t sum, std::int64_t addend, int unused) {
  const std::uint32_t all = static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(addend);
  return static_cast<std::int32_t>(all << unused) >> unused;
}

inline std::int64_t Wrapped(std::int64_t sum, std::int64_t addend, int unused) {
  const std::uint64_t all = static_cast<std::uint64_t>(sum) + static_cast<std::uint64_t>(addend);
  return static_cast<std::int64_t>(all << unused) >> unused;
}

// Lane is what the two are joined in.
template <typename Sum, typename Lane>
void Join(const Accumulators<Sum>& from, Lane* __restrict y, std::size_t count) {
  const Accumulators<Sum> by = from;
  const Sum* __restrict const even = by.even;
  const Sum* __restrict const odd = by.odd;
  for (std::size_t i = 0; i < count; ++i) {
    const Lane a = Wrapped(even[i], by.even_addend, by.unused_bits);
    const Lane b = Wrapped(odd[i], by.odd_addend, by.unused_bits);
    const auto scaled = Scaled(b);
    y[i] = static_cast<Lane>(static_cast<decltype(scaled)>(a) + scaled);
  }
}

}  // namespace

constinit const JoinTable JoinTable::QONNX_TOOLS_LEVEL = {Join<std::int32_t, std::int32_t>,
                                                          Join<std::int32_t, std::int64_t>,
                                                          Join<std::int64_t, std::int64_t>};

}  // namespace qonnx_tools
