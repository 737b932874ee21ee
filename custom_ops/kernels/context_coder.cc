#include "kernels/context_coder.h"

#include "kernels/intrinsics.h"

#if defined(__AVX512F__)
// Rows are short: wide vectors would leave most of them to scalar code.
#pragma GCC target("prefer-vector-width=256")
#endif

#include "kernels/plane_walk.h"

namespace qonnx_tools {
namespace {

constexpr std::uint32_t kLowestState = 1u << 16;
constexpr std::uint64_t kFirstEscape = 13, kSecondEscape = 15;
constexpr std::size_t kFirstEscapeToken = 14, kSecondEscapeToken = 15;
constexpr int kLongest = 48;

// A choice: the start, the frequency and the state of a symbol.
constexpr std::uint32_t Choice(std::uint32_t start, std::uint32_t stop, std::size_t state) {
  return start | (stop - start) << kProbabilityBits | static_cast<std::uint32_t>(state) << 30 << 1;
}

// The bits of an escape behind those of the sink.
__attribute__((noinline)) BitSink WithEscape(BitSink sink, std::uint64_t number) {
  if (number < kSecondEscape) {
    Put(sink, number - kFirstEscape, 1);
    return sink;
  }
  const std::uint64_t rest = number - kSecondEscape, shared = (rest >> 1) + 1;
  const int length = std::bit_width(shared) - 1;
  PutUnary(sink, static_cast<unsigned>(length));
  Put(sink, LowBits(shared, length), length);
  Put(sink, rest & 1, 1);
  return sink;
}

template <typename Value>
std::uint32_t* Encode(Value* x, PlaneShape shape, const Value* hints, Distributions& distributions,
                      Value* scratch, BitSink& to, std::uint32_t* choices) {
  using Bits = std::make_unsigned_t<Sum<Value>>;
  Mixed mixed;
  mixed.starts[kSymbols] = kTotal;
  BitSink sink = to;
  const auto code = [&](auto of_lane, const SampleContext<Value>& context,
                        Value value) __attribute__((always_inline)) {
    const auto half = static_cast<Sum<Value>>((Bits{1} << context.shift) >> 1);
    const Sum<Value> moved = Add(Subtract<Sum<Value>>(value, context.prediction), half);
    const auto number = static_cast<std::uint64_t>(Folded<Sum<Value>>(moved >> context.shift));
    // Without a branch for zeros: they are hard to predict.
    const auto present = static_cast<std::size_t>(value != 0);
    std::size_t token = (static_cast<std::size_t>(number) + 1) & (0 - present);
    const int shift = context.shift & static_cast<int>(0 - present);
    Put(sink, LowBits(static_cast<std::uint64_t>(static_cast<Bits>(moved)), shift), shift);
    if (token >= kFirstEscapeToken) [[unlikely]] {
      sink = WithEscape(sink, number);
      token = number < kSecondEscape ? kFirstEscapeToken : kSecondEscapeToken;
    }
    Mix(distributions, context.contexts, 0, mixed);
    *choices++ = Choice(mixed.starts[token], mixed.starts[token + 1], decltype(of_lane)::value);
    return Coded<Value>{value, token};
  };
  const auto done = [] { return true; };
  if (hints == nullptr) {
    CodePlane<true>(shape, hints, scratch, x, distributions, code, done);
  } else {
    CodePlane<false>(shape, hints, scratch, x, distributions, code, done);
  }
  to = sink;
  return choices;
}

// Takes a choice into a state, whose low bits go to `to` where it would grow too large.
inline std::uint32_t Taken(std::uint32_t x, std::uint32_t choice, std::uint8_t*& to) {
  const std::uint32_t start = choice % kTotal, frequency = (choice >> kProbabilityBits) % kTotal;
  const bool full = x >> (32 - kProbabilityBits) >= frequency;
  std::memcpy(to, &x, 2);
  to += 2 * static_cast<std::ptrdiff_t>(full);
  x >>= 16 * static_cast<int>(full);
  return (x / frequency << kProbabilityBits) + start + x % frequency;
}

std::uint8_t* Finish(const std::uint32_t* begin, const std::uint32_t* end, std::uint8_t* to) {
  std::uint32_t first = kLowestState, second = kLowestState;
  while (end != begin) {
    // Those of the second state come right after one of the first.
    if (end[-1] >> 31 != 0) second = Taken(second, *--end, to);
    first = Taken(first, *--end, to);
  }
  std::memcpy(to, &second, sizeof second);
  std::memcpy(to + sizeof second, &first, sizeof first);
  return to + sizeof second + sizeof first;
}

bool Start(const std::uint8_t* payload, std::size_t size, RangeSource& source) {
  constexpr std::size_t kBytes = sizeof source.states;
  if (size < kBytes) return false;
  source.words = payload;
  source.left = static_cast<std::ptrdiff_t>(size - kBytes);
  for (std::size_t i = 0; i < kStates; ++i) {
    std::memcpy(&source.states[i], payload + size - (i + 1) * 4, 4);
  }
  return true;
}

// z of an escape, and where the bits behind it are.
struct Escaped {
  std::uint64_t number, position;
};
__attribute__((noinline)) Escaped ReadEscape(std::size_t token, BitSource bits) {
  if (token == kFirstEscapeToken) {
    const std::uint64_t number = kFirstEscape + Get(bits, 1);
    return {number, bits.position};
  }
  const int length = GetUnary(bits, kLongest);
  if (length < 0) return {0, ~std::uint64_t{0} >> 1};  // behind any end
  const std::uint64_t shared = (std::uint64_t{1} << length) + Get(bits, length);
  const std::uint64_t number = kSecondEscape + 2 * (shared - 1) + Get(bits, 1);
  return {number, bits.position};
}

template <typename Value>
bool Decode(RangeSource& source, BitSource& bits, PlaneShape shape, const Value* hints,
            Distributions& distributions, Value* scratch, Value* x) {
  using Bits = std::make_unsigned_t<Sum<Value>>;
  Mixed mixed;
  mixed.starts[kSymbols] = kTotal;
  RangeSource range = source;
  BitSource plain = bits;
  const auto code = [&](auto of_lane, const SampleContext<Value>& context,
                        Value) __attribute__((always_inline)) {
    constexpr std::size_t lane = decltype(of_lane)::value;
    const std::uint32_t state = range.states[lane];
    const std::uint32_t slot = state % kTotal;
    const std::size_t token = Mix(distributions, context.contexts, static_cast<int>(slot), mixed);
    const std::uint32_t start = mixed.starts[token];
    const std::uint32_t next =
        (mixed.starts[token + 1] - start) * (state >> kProbabilityBits) + slot - start;
    // Without a branch: whether a state is low is hard to predict.
    const std::uint32_t low = next < kLowestState ? 1 : 0;
    std::uint16_t word;
    std::memcpy(&word, range.words + (range.left >= 2 ? range.left - 2 : 0), sizeof word);
    range.states[lane] = next << 16 * low | (word & (0 - low));
    range.left -= 2 * static_cast<std::ptrdiff_t>(low);
    // Without a branch for zeros: they are hard to predict.
    const auto present = static_cast<unsigned>(token != 0);
    const std::uint64_t rest = Get(plain, context.shift & static_cast<int>(0 - present));
    std::uint64_t number = token - present;
    if (token >= kFirstEscapeToken) [[unlikely]] {
      const Escaped escaped = ReadEscape(token, plain);
      number = escaped.number;
      plain.position = escaped.position;
    }
    const auto scaled = static_cast<Bits>(Unfolded<Sum<Value>>(static_cast<Bits>(number)));
    const Bits half = (Bits{1} << context.shift) >> 1;
    const Bits value = (scaled << context.shift) + static_cast<Bits>(rest) - half +
                       static_cast<Bits>(context.prediction);
    return Coded<Value>{static_cast<Value>(value & (Bits{0} - present)), token};
  };
  const auto done = [&] { return range.left >= 0 && !plain.Exhausted(); };
  const bool good = hints == nullptr
                        ? CodePlane<true>(shape, hints, scratch, x, distributions, code, done)
                        : CodePlane<false>(shape, hints, scratch, x, distributions, code, done);
  source = range;
  bits = plain;
  return good;
}

template <typename Value>
constexpr ContextCoderTable<Value> kTable = {Reset, Encode<Value>, Finish, Start, Decode<Value>};

}  // namespace

template <>
constinit const ContextCoderTable<std::int16_t> ContextCoderTable<std::int16_t>::QONNX_TOOLS_LEVEL =
    kTable<std::int16_t>;
template <>
constinit const ContextCoderTable<std::int32_t> ContextCoderTable<std::int32_t>::QONNX_TOOLS_LEVEL =
    kTable<std::int32_t>;
template <>
constinit const ContextCoderTable<std::int64_t> ContextCoderTable<std::int64_t>::QONNX_TOOLS_LEVEL =
    kTable<std::int64_t>;

}  // namespace qonnx_tools
