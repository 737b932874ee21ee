#include "kernels/requantize.h"

#include <type_traits>
#include <utility>

#include "kernels/round_shift.h"

namespace qonnx_tools {
namespace {

template <typename T>
constexpr T Clip(T value, T low, T high) {
  const T above = value < low ? low : value;
  return above > high ? high : above;
}

struct Constants {
  std::uint64_t bias, multiplier, addend;
  std::int64_t shift;
};

inline Constants ConstantsAt(const Requantization& by, std::size_t channel) {
  return {static_cast<std::uint64_t>(by.bias[channel]),
          static_cast<std::uint64_t>(by.multiplier[channel]),
          static_cast<std::uint64_t>(by.addend[channel]), by.shift[channel]};
}

template <Rounding rounding, typename Accumulator>
inline std::int32_t Code(const Requantization& by, const Constants& constants,
                         Accumulator accumulator) {
  using Modular = std::make_unsigned_t<Accumulator>;
  const auto sum = static_cast<Modular>(static_cast<Modular>(accumulator) +
                                        static_cast<Modular>(constants.bias));
  const std::int64_t wrapped = static_cast<Accumulator>(sum << by.unused_bits) >> by.unused_bits;
  const auto t = static_cast<std::int64_t>(
      static_cast<std::uint64_t>(wrapped) * constants.multiplier + constants.addend);
  return static_cast<std::int32_t>(
      Clip<std::int64_t>(RoundShift<rounding>(t, constants.shift), by.low, by.high));
}

template <Rounding rounding, typename Accumulator>
void Uniform(const Requantization& by, std::size_t channel, const Accumulator* accumulator,
             std::int32_t* y, std::size_t count) {
  const Requantization shared = by;
  const Constants constants = ConstantsAt(by, channel);
  for (std::size_t i = 0; i < count; ++i) y[i] = Code<rounding>(shared, constants, accumulator[i]);
}

template <Rounding rounding, typename Accumulator>
void Varying(const Requantization& by, std::size_t channel, const Accumulator* accumulator,
             std::int32_t* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    y[i] = Code<rounding>(by, ConstantsAt(by, channel + i), accumulator[i]);
  }
}

template <typename T>
void Store(const std::int32_t* __restrict codes, void* y, std::size_t count) {
  T* __restrict const out = static_cast<T*>(y);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<T>(codes[i]);
}

template <typename T, typename Wide>
void Load(const void* x, Wide* __restrict codes, std::size_t count) {
  const T* __restrict const from = static_cast<const T*>(x);
  for (std::size_t i = 0; i < count; ++i) codes[i] = from[i];
}

using Roundings = std::make_integer_sequence<int, kRoundings>;

template <int... rounding>
constexpr RequantizeTable TableOf(std::integer_sequence<int, rounding...>) {
  return {{Uniform<Rounding{rounding}, std::int32_t>...},
          {Varying<Rounding{rounding}, std::int32_t>...},
          {Uniform<Rounding{rounding}, std::int64_t>...},
          {Varying<Rounding{rounding}, std::int64_t>...},
          {Store<std::int8_t>, Store<std::uint8_t>, Store<std::int16_t>, Store<std::uint16_t>,
           Store<std::int32_t>},
          {Load<std::int8_t>, Load<std::uint8_t>, Load<std::int16_t>, Load<std::uint16_t>,
           Load<std::int32_t>},
          {Load<std::int8_t>, Load<std::uint8_t>, Load<std::int16_t>, Load<std::uint16_t>,
           Load<std::int32_t>}};
}

}  // namespace

constinit const RequantizeTable RequantizeTable::QONNX_TOOLS_LEVEL = TableOf(Roundings{});

}  // namespace qonnx_tools
