#include "kernels/context_coder.h"

#include "kernels/distributions.h"
#include "kernels/sample_context.h"

#if defined(__AVX512F__)
// Rows are short: wide vectors would leave most of them to scalar code.
#pragma GCC target("prefer-vector-width=256")
#endif

namespace qonnx_tools {
namespace {

constexpr std::size_t kStates = RangeSource::kStates;
constexpr std::uint32_t kLowestState = 1u << 16;
constexpr std::uint64_t kFirstEscape = 13, kSecondEscape = 15;
constexpr std::size_t kFirstEscapeToken = 14, kSecondEscapeToken = 15;
constexpr int kLongest = 48;

// A choice: the start, the frequency and the state of a symbol.
constexpr std::uint32_t Choice(std::uint32_t start, std::uint32_t stop, std::size_t state) {
  return start | (stop - start) << kProbabilityBits | static_cast<std::uint32_t>(state) << 30 << 1;
}

// One map on its way through its rows.
template <typename Value>
struct Lane {
  RowAbove<Value> above;
  Value* errors;  // of the row above, replaced by those of this one
};

// A token and its contexts.
struct Seen {
  std::size_t contexts[3];
  std::size_t token;

  [[gnu::always_inline]] void LearnIn(Distributions& distributions) const {
    for (const std::size_t context : contexts) Learn(distributions, context, token);
  }
};

template <typename Value>
struct Coded {
  Value value;
  std::size_t token;
};

// Codes the rows of `lanes` maps together, sample by sample. `code(lane, context, x)` returns the
// value of a sample and its token; the lane is a constant.
template <bool predicted, bool first, std::size_t lanes, typename Value, typename Code>
inline void CodeRows(Lane<Value>* maps, std::size_t width, std::size_t area, const Value* before,
                     const Value* hints, Value* x, Distributions& distributions, Code code) {
  Value west[lanes], west_error[lanes];
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    Lane<Value>& map = maps[lane];
    if constexpr (!first) {
      LookAbove<predicted>(x + lane * area - width, map.errors, width, map.above);
    }
    west[lane] = first ? Value{0} : *map.above.north;
    west_error[lane] = 0;
  }
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t earlier = before == nullptr ? 0 : BeforeContext(before[i]);
    // The lanes are unrolled by hand: what belongs to one stays in registers.
    const auto step = [&](auto of_lane) __attribute__((always_inline)) {
      constexpr std::size_t lane = decltype(of_lane)::value;
      Value& at = x[lane * area + i];
      const SampleContext<Value> context = ContextOf<predicted, first, Value>(
          maps[lane].above, i, west[lane], west_error[lane], earlier,
          predicted ? Value{0} : hints[lane * area + i]);
      const Coded<Value> coded = code(of_lane, context, at);
      west[lane] = at = coded.value;
      if constexpr (predicted) {
        const auto error = Magnitude(Subtract<Sum<Value>>(coded.value, context.prediction));
        west_error[lane] = maps[lane].errors[i] = static_cast<Value>(error);
      }
      return Seen{{context.contexts[0], context.contexts[1], context.contexts[2]}, coded.token};
    };
    // Learning comes last: a lane need not wait for what another one learns.
    const Seen first_seen = step(std::integral_constant<std::size_t, 0>{});
    if constexpr (lanes > 1) {
      const Seen second_seen = step(std::integral_constant<std::size_t, 1>{});
      first_seen.LearnIn(distributions);
      second_seen.LearnIn(distributions);
    } else {
      first_seen.LearnIn(distributions);
    }
  }
}

// Goes through a plane in the order of the stream. `row_done()` says whether to go on.
template <bool predicted, std::size_t lanes, typename Value, typename Code, typename Done>
inline bool CodeMaps(PlaneShape shape, const Value* before, const Value* hints, Value* scratch,
                     Value* x, Distributions& distributions, Code code, Done row_done) {
  const std::size_t width = shape.width, area = shape.area();
  Lane<Value> maps[lanes];
  for (Lane<Value>& map : maps) {
    for (Value** const row : {&map.errors, &map.above.slope, &map.above.activity,
                              &map.above.weighted, &map.above.zeros, &map.above.magnitudes}) {
      *row = scratch;
      scratch += width;
    }
  }
  const auto next = [&](const Value* at, std::size_t y) {
    return at == nullptr ? nullptr : at + y * width;
  };
  CodeRows<predicted, true, lanes>(maps, width, area, before, hints, x, distributions, code);
  for (std::size_t y = 1; y < shape.height; ++y) {
    if (!row_done()) return false;
    CodeRows<predicted, false, lanes>(maps, width, area, next(before, y), next(hints, y),
                                      x + y * width, distributions, code);
  }
  return row_done();
}

template <bool predicted, typename Value, typename Code, typename Done>
inline bool CodePlane(PlaneShape shape, const Value* hints, Value* scratch, Value* x,
                      Distributions& distributions, Code code, Done row_done) {
  const std::size_t area = shape.area();
  for (std::size_t c = 0; c < shape.channels; c += kStates) {
    const Value* const before = c == 0 ? nullptr : x + (c - 1) * area;
    const Value* const hint = hints == nullptr ? nullptr : hints + c * area;
    const bool good = c + 1 < shape.channels
                          ? CodeMaps<predicted, 2>(shape, before, hint, scratch, x + c * area,
                                                   distributions, code, row_done)
                          : CodeMaps<predicted, 1>(shape, before, hint, scratch, x + c * area,
                                                   distributions, code, row_done);
    if (!good) return false;
  }
  return true;
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
