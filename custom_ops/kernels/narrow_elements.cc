#include "kernels/narrow_elements.h"

#include <type_traits>

#include "kernels/registers.h"

namespace qonnx_tools {
namespace {

template <typename Lane>
using Modular = std::make_unsigned_t<Lane>;

template <typename Lane>
struct Finish {
  Lane constant, mask, low, high;
  int look, shift;

  explicit Finish(const NarrowFinish& by)
      : constant(static_cast<Lane>(by.constant)),
        mask(static_cast<Lane>(by.mask)),
        low(static_cast<Lane>(by.low)),
        high(static_cast<Lane>(by.high)),
        look(by.look),
        shift(by.shift) {}

  Vector<Lane> operator()(Vector<Modular<Lane>> modular) const {
    const auto t = reinterpret_cast<Vector<Lane>>(modular);
    const Vector<Lane> rounded = (t + constant + ((t >> look) & mask)) >> shift;
    const Vector<Lane> above = rounded < low ? low - Vector<Lane>{} : rounded;
    return above > high ? high - Vector<Lane>{} : above;
  }
};

template <typename Lane, typename X, typename Y>
void Affine(const NarrowAffineParameters& by, const void* x, void* y, std::size_t count) {
  using Lanes = Vector<Modular<Lane>>;
  const auto flip = static_cast<Modular<Lane>>(by.flip);
  const auto multiplier = static_cast<Modular<Lane>>(by.multiplier);
  const auto addend = static_cast<Modular<Lane>>(by.addend);
  const Finish<Lane> finish(by.finish);
  ForLanes<Modular<Lane>>(
      count, static_cast<Y*>(y),
      [=](Lanes codes) {
        return reinterpret_cast<Lanes>(finish((codes ^ flip) * multiplier + addend));
      },
      static_cast<const X*>(x));
}

template <typename Lane, typename A, typename B, typename Y>
void Sum(const NarrowSumParameters& by, const CodePairs& pairs) {
  using Lanes = Vector<Modular<Lane>>;
  const auto flip_a = static_cast<Modular<Lane>>(by.flip_a);
  const auto flip_b = static_cast<Modular<Lane>>(by.flip_b);
  const int left_a = by.left_a;
  const int left_b = by.left_b;
  const auto addend = static_cast<Modular<Lane>>(by.addend);
  const Finish<Lane> finish(by.finish);
  for (std::size_t row = 0; row < pairs.rows; ++row) {
    ForLanes<Modular<Lane>>(
        pairs.count, static_cast<Y*>(pairs.y) + row * pairs.y_pitch,
        [=](Lanes codes_a, Lanes codes_b) {
          return reinterpret_cast<Lanes>(
              finish(((codes_a ^ flip_a) << left_a) + ((codes_b ^ flip_b) << left_b) + addend));
        },
        static_cast<const A*>(pairs.a) + row * pairs.a_pitch,
        static_cast<const B*>(pairs.b) + row * pairs.b_pitch);
  }
}

template <typename Lane, typename A, typename B, typename Y>
void Product(const NarrowProductParameters& by, const void* a, const void* b, void* y,
             std::size_t count) {
  using Lanes = Vector<Modular<Lane>>;
  const auto flip_a = static_cast<Modular<Lane>>(by.flip_a);
  const auto flip_b = static_cast<Modular<Lane>>(by.flip_b);
  const Finish<Lane> finish(by.finish);
  ForLanes<Modular<Lane>>(
      count, static_cast<Y*>(y),
      [=](Lanes codes_a, Lanes codes_b) {
        return reinterpret_cast<Lanes>(
            finish(((codes_a ^ flip_a) - flip_a) * ((codes_b ^ flip_b) - flip_b)));
      },
      static_cast<const A*>(a), static_cast<const B*>(b));
}

using Byte = std::uint8_t;
using Short = std::uint16_t;
using Word = std::uint32_t;

template <typename X>
constexpr void SetWith(NarrowElementsTable& table, int x) {
  table.affine32[x][0] = Affine<std::int32_t, X, Byte>;
  table.affine32[x][1] = Affine<std::int32_t, X, Short>;
  table.affine32[x][2] = Affine<std::int32_t, X, Word>;
}

template <typename A, typename B>
constexpr void SetWith(NarrowElementsTable& table, int a, int b) {
  table.sum32[a][b][0] = Sum<std::int32_t, A, B, Byte>;
  table.sum32[a][b][1] = Sum<std::int32_t, A, B, Short>;
  table.sum32[a][b][2] = Sum<std::int32_t, A, B, Word>;
  table.product32[a][b][0] = Product<std::int32_t, A, B, Byte>;
  table.product32[a][b][1] = Product<std::int32_t, A, B, Short>;
  table.product32[a][b][2] = Product<std::int32_t, A, B, Word>;
}

constexpr NarrowElementsTable Table() {
  NarrowElementsTable table = {
      .affine16 = {Affine<std::int16_t, Byte, Byte>, Affine<std::int16_t, Byte, Short>},
      .sum16 = {Sum<std::int16_t, Byte, Byte, Byte>, Sum<std::int16_t, Byte, Byte, Short>},
      .product16 = {Product<std::int16_t, Byte, Byte, Byte>,
                    Product<std::int16_t, Byte, Byte, Short>},
      .affine32 = {},
      .sum32 = {},
      .product32 = {}};
  SetWith<Byte>(table, 0);
  SetWith<Short>(table, 1);
  SetWith<Byte, Byte>(table, 0, 0);
  SetWith<Byte, Short>(table, 0, 1);
  SetWith<Short, Byte>(table, 1, 0);
  SetWith<Short, Short>(table, 1, 1);
  return table;
}

}  // namespace

constinit const NarrowElementsTable NarrowElementsTable::QONNX_TOOLS_LEVEL = Table();

}  // namespace qonnx_tools
