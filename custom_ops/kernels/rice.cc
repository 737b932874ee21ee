#include "kernels/rice.h"

#include "kernels/rice_group.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kBlock = 16;
constexpr std::uint64_t kSparse = 16;
constexpr int kLargestParameter = 40;
constexpr std::uint64_t kLargestState = std::uint64_t{1} << 46;

int Parameter(const RiceState& state) {
  const int parameter = std::bit_width(state.scaled_mean >> 7);
  return parameter < kLargestParameter ? parameter : kLargestParameter;
}

void See(RiceState& state, std::uint64_t sum) {
  const std::uint64_t next = state.scaled_mean - (state.scaled_mean >> 2) + sum;
  state.scaled_mean = next < kLargestState ? next : kLargestState;
}

template <typename Number>
void Encode(const Number* numbers, std::size_t count, RiceState& at, BitSink& to) {
  RiceState state = at;
  BitSink sink = to;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t size = count - begin < kBlock ? count - begin : kBlock;
    const Number* const block = numbers + begin;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += block[i];
    if (state.scaled_mean < kSparse) Put(sink, sum != 0, 1);
    if (state.scaled_mean >= kSparse || sum != 0) {
      const int parameter = Parameter(state);
      for (std::size_t i = 0; i < size; i += kGroup) {
        WriteGroup(block + i, size - i < kGroup ? size - i : kGroup, parameter, state.escape_bits,
                   sink);
      }
    }
    if (size == kBlock) See(state, sum);
  }
  at = state;
  to = sink;
}

template <typename Number>
bool Decode(BitSource& from, std::size_t count, RiceState& at, Number* numbers) {
  RiceState state = at;
  BitSource source = from;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t size = count - begin < kBlock ? count - begin : kBlock;
    Number* const block = numbers + begin;
    std::uint64_t sum = 0;
    if (state.scaled_mean < kSparse && Get(source, 1) == 0) {
      for (std::size_t i = 0; i < size; ++i) block[i] = 0;
    } else {
      const int parameter = Parameter(state);
      for (std::size_t i = 0; i < size; i += kGroup) {
        if (!ReadInto(source, size - i < kGroup ? size - i : kGroup, parameter, state.escape_bits,
                      block + i, sum)) {
          return false;
        }
      }
    }
    if (source.Exhausted()) return false;
    if (size == kBlock) See(state, sum);
  }
  at = state;
  from = source;
  return true;
}

template <typename Number>
constexpr RiceTable<Number> kTable = {Encode<Number>, Decode<Number>};

}  // namespace

template <>
constinit const RiceTable<std::uint16_t> RiceTable<std::uint16_t>::QONNX_TOOLS_LEVEL =
    kTable<std::uint16_t>;
template <>
constinit const RiceTable<std::uint32_t> RiceTable<std::uint32_t>::QONNX_TOOLS_LEVEL =
    kTable<std::uint32_t>;
template <>
constinit const RiceTable<std::uint64_t> RiceTable<std::uint64_t>::QONNX_TOOLS_LEVEL =
    kTable<std::uint64_t>;

}  // namespace qonnx_tools
