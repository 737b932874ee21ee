#include "kernels/sparse_golomb.h"

namespace qonnx_tools {
namespace {

constexpr int kOrderBits = 5;
constexpr int kOrders = 16;
constexpr int kLongest = 48;

template <typename Number>
int Exponent(Number m, int order) {
  return std::bit_width(((static_cast<std::uint64_t>(m) - 1) >> order) + 1) - 1;
}

template <typename Number>
int BestOrder(const Number* numbers, std::size_t count) {
  int best = 0;
  std::uint64_t least = ~std::uint64_t{0};
  for (int order = 0; order < kOrders; ++order) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (numbers[i] != 0) bits += 1 + order + 2 * Exponent(numbers[i], order);
    }
    if (bits < least) best = order, least = bits;
  }
  return best;
}

template <typename Number>
void Encode(const Number* numbers, std::size_t count, BitSink& sink) {
  const int order = BestOrder(numbers, count);
  Put(sink, static_cast<unsigned>(order), kOrderBits);
  for (std::size_t i = 0; i < count; ++i) {
    if (numbers[i] == 0) {
      Put(sink, 0, 1);
      continue;
    }
    const std::uint64_t rest = static_cast<std::uint64_t>(numbers[i]) - 1;
    const int exponent = Exponent(numbers[i], order);
    Put(sink, 1, 1);
    PutUnary(sink, static_cast<unsigned>(exponent));
    Put(sink, LowBits((rest >> order) + 1, exponent), exponent);
    Put(sink, LowBits(rest, order), order);
  }
}

template <typename Number>
bool Decode(BitSource& source, std::size_t count, Number* numbers) {
  const int order = static_cast<int>(Get(source, kOrderBits));
  if (order >= kOrders) return false;
  for (std::size_t i = 0; i < count; ++i) {
    numbers[i] = 0;
    if (Get(source, 1) == 0) continue;
    const int exponent = GetUnary(source, kLongest);
    if (exponent < 0 || source.Exhausted()) return false;
    const std::uint64_t high = (std::uint64_t{1} << exponent) + Get(source, exponent) - 1;
    numbers[i] = static_cast<Number>((high << order) + Get(source, order) + 1);
  }
  return !source.Exhausted();
}

template <typename Number>
constexpr SparseGolombTable<Number> kTable = {Encode<Number>, Decode<Number>};

}  // namespace

template <>
constinit const SparseGolombTable<std::uint16_t>
    SparseGolombTable<std::uint16_t>::QONNX_TOOLS_LEVEL = kTable<std::uint16_t>;
template <>
constinit const SparseGolombTable<std::uint32_t>
    SparseGolombTable<std::uint32_t>::QONNX_TOOLS_LEVEL = kTable<std::uint32_t>;
template <>
constinit const SparseGolombTable<std::uint64_t>
    SparseGolombTable<std::uint64_t>::QONNX_TOOLS_LEVEL = kTable<std::uint64_t>;

}  // namespace qonnx_tools
