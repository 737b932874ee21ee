#include "kernels/context_coder.h"

#include "kernels/distributions.h"
#include "kernels/sample_context.h"

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

// One row of one map on its way through the columns.
template <typename Value>
struct Row {
  Value* above;   // the row above, replaced by this one; one number more than columns
  Value* errors;  // of the row above, replaced
  Value west, corner;
  Value west_error;
};

// The state at the beginning of a row.
template <bool first, typename Value>
inline void Begin(Row<Value>& row, std::size_t width) {
  row.west_error = 0;
  if constexpr (first) {
    row.west = row.corner = 0;
  } else {
    row.above[width] = row.above[width - 1];
    row.west = row.corner = row.above[0];
  }
}

// Codes the rows of `lanes` maps together, sample by sample. `code(lane, context, x)` returns the
// value of a sample.
template <bool predicted, bool first, std::size_t lanes, typename Value, typename Code>
inline void CodeRows(Row<Value>* rows, std::size_t width, std::size_t area, const Value* before,
                     const Value* hints, Value* x, Code code) {
  for (std::size_t lane = 0; lane < lanes; ++lane) Begin<first>(rows[lane], width);
  for (std::size_t i = 0; i < width; ++i) {
    Value previous = before == nullptr ? Value{0} : before[i];
#pragma GCC unroll 2
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      Row<Value>& row = rows[lane];
      const Value north = first ? row.west : row.above[i];
      const Value north_east = first ? row.west : row.above[i + 1];
      const Value corner = first ? row.west : row.corner;
      const Value north_error = first ? Value{0} : row.errors[i];
      const Value hint = predicted ? Value{0} : hints[lane * area + i];
      const SampleContext<Value> context = ContextOf<predicted, Value>(
          {row.west, north, corner, north_east, row.west_error, north_error, previous, hint});
      const Value value = code(lane, context, x[lane * area + i]);
      x[lane * area + i] = value;
      row.above[i] = value;
      if constexpr (predicted) {
        const auto error = Magnitude(Subtract<Sum<Value>>(value, context.prediction));
        row.west_error = row.errors[i] = static_cast<Value>(error);
      }
      row.west = previous = value;
      row.corner = north;
    }
  }
}

// Goes through a plane in the order of the stream. `row_done()` says whether to go on.
template <bool predicted, std::size_t lanes, typename Value, typename Code, typename Done>
inline bool CodeMaps(PlaneShape shape, const Value* before, const Value* hints, Value* scratch,
                     Value* x, Code code, Done row_done) {
  const std::size_t width = shape.width, area = shape.area();
  Row<Value> rows[lanes];
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    rows[lane].above = scratch + lane * (width + 1);
    rows[lane].errors = scratch + kStates * (width + 1) + lane * width;
  }
  const auto next = [&](const Value* at, std::size_t y) {
    return at == nullptr ? nullptr : at + y * width;
  };
  CodeRows<predicted, true, lanes>(rows, width, area, before, hints, x, code);
  for (std::size_t y = 1; y < shape.height; ++y) {
    if (!row_done()) return false;
    CodeRows<predicted, false, lanes>(rows, width, area, next(before, y), next(hints, y),
                                      x + y * width, code);
  }
  return row_done();
}

template <bool predicted, typename Value, typename Code, typename Done>
inline bool CodePlane(PlaneShape shape, const Value* hints, Value* scratch, Value* x, Code code,
                      Done row_done) {
  const std::size_t area = shape.area();
  for (std::size_t c = 0; c < shape.channels; c += kStates) {
    const Value* const before = c == 0 ? nullptr : x + (c - 1) * area;
    const Value* const hint = hints == nullptr ? nullptr : hints + c * area;
    const bool good =
        c + 1 < shape.channels
            ? CodeMaps<predicted, 2>(shape, before, hint, scratch, x + c * area, code, row_done)
            : CodeMaps<predicted, 1>(shape, before, hint, scratch, x + c * area, code, row_done);
    if (!good) return false;
  }
  return true;
}

template <typename Value>
std::uint32_t* Encode(Value* x, PlaneShape shape, const Value* hints, Distributions& distributions,
                      Value* scratch, BitSink& sink, std::uint32_t* choices) {
  using Bits = std::make_unsigned_t<Sum<Value>>;
  Mixed mixed;
  mixed.starts[kSymbols] = kTotal;
  const auto code = [&](std::size_t lane, const SampleContext<Value>& context, Value value) {
    const auto half = static_cast<Sum<Value>>((Bits{1} << context.shift) >> 1);
    const Sum<Value> moved = Add(Subtract<Sum<Value>>(value, context.prediction), half);
    const auto number = static_cast<std::uint64_t>(Folded<Sum<Value>>(moved >> context.shift));
    std::size_t token = 0;
    if (value != 0) {
      token = number < kFirstEscape    ? number + 1
              : number < kSecondEscape ? kFirstEscapeToken
                                       : kSecondEscapeToken;
      Put(sink, LowBits(static_cast<std::uint64_t>(static_cast<Bits>(moved)), context.shift),
          context.shift);
      if (token == kFirstEscapeToken) {
        Put(sink, number - kFirstEscape, 1);
      } else if (token == kSecondEscapeToken) {
        const std::uint64_t rest = number - kSecondEscape, shared = (rest >> 1) + 1;
        const int length = std::bit_width(shared) - 1;
        PutUnary(sink, static_cast<unsigned>(length));
        Put(sink, LowBits(shared, length), length);
        Put(sink, rest & 1, 1);
      }
    }
    Mix(distributions, context.contexts, 0, mixed);
    *choices++ = Choice(mixed.starts[token], mixed.starts[token + 1], lane);
    for (const std::size_t c : context.contexts) Learn(distributions, c, token);
    return value;
  };
  const auto done = [] { return true; };
  if (hints == nullptr) {
    CodePlane<true>(shape, hints, scratch, x, code, done);
  } else {
    CodePlane<false>(shape, hints, scratch, x, code, done);
  }
  return choices;
}

std::uint8_t* Finish(const std::uint32_t* begin, const std::uint32_t* end, std::uint8_t* to) {
  std::uint32_t states[kStates] = {kLowestState, kLowestState};
  while (end != begin) {
    const std::uint32_t choice = *--end;
    const std::uint32_t start = choice % kTotal, frequency = (choice >> kProbabilityBits) % kTotal;
    std::uint32_t& state = states[choice >> 31];
    std::uint32_t x = state;
    const bool full = x >> (32 - kProbabilityBits) >= frequency;
    std::memcpy(to, &x, 2);
    to += full ? 2 : 0;
    x = full ? x >> 16 : x;
    state = (x / frequency << kProbabilityBits) + start + x % frequency;
  }
  for (std::size_t i = kStates; i-- > 0; to += sizeof states[i]) {
    std::memcpy(to, &states[i], sizeof states[i]);
  }
  return to;
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

// The number that a token of at least 1 stands for; `bits` hold what more is to be known.
inline std::uint64_t NumberOf(std::size_t token, BitSource& bits) {
  if (token < kFirstEscapeToken) [[likely]]
    return token - 1;
  if (token == kFirstEscapeToken) return kFirstEscape + Get(bits, 1);
  const int length = GetUnary(bits, kLongest);
  if (length < 0) {
    bits.position = ~std::uint64_t{0} >> 1;  // behind any end
    return 0;
  }
  const std::uint64_t shared = (std::uint64_t{1} << length) + Get(bits, length);
  return kSecondEscape + 2 * (shared - 1) + Get(bits, 1);
}

template <typename Value>
bool Decode(RangeSource& source, BitSource& bits, PlaneShape shape, const Value* hints,
            Distributions& distributions, Value* scratch, Value* x) {
  using Bits = std::make_unsigned_t<Sum<Value>>;
  Mixed mixed;
  mixed.starts[kSymbols] = kTotal;
  RangeSource range = source;
  BitSource plain = bits;
  const auto code = [&](std::size_t lane, const SampleContext<Value>& context, Value) {
    const std::uint32_t state = range.states[lane];
    const std::uint32_t slot = state % kTotal;
    const std::size_t token = Mix(distributions, context.contexts, static_cast<int>(slot), mixed);
    const std::uint32_t start = mixed.starts[token];
    const std::uint32_t next =
        (mixed.starts[token + 1] - start) * (state >> kProbabilityBits) + slot - start;
    const bool low = next < kLowestState;
    std::uint16_t word;
    std::memcpy(&word, range.words + (range.left >= 2 ? range.left - 2 : 0), sizeof word);
    range.states[lane] = low ? next << 16 | word : next;
    range.left -= low ? 2 : 0;
    for (const std::size_t c : context.contexts) Learn(distributions, c, token);
    const int shift = token == 0 ? 0 : context.shift;
    const std::uint64_t rest = Get(plain, shift);
    const std::uint64_t number = NumberOf(token == 0 ? 1 : token, plain);
    const auto scaled = static_cast<Bits>(Unfolded<Sum<Value>>(static_cast<Bits>(number)));
    const Bits half = (Bits{1} << context.shift) >> 1;
    const Bits value = (scaled << context.shift) + static_cast<Bits>(rest) - half +
                       static_cast<Bits>(context.prediction);
    return token == 0 ? Value{0} : static_cast<Value>(value);
  };
  const auto done = [&] { return range.left >= 0 && !plain.Exhausted(); };
  const bool good = hints == nullptr ? CodePlane<true>(shape, hints, scratch, x, code, done)
                                     : CodePlane<false>(shape, hints, scratch, x, code, done);
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
