// The way through the samples of a plane that encoder and decoder of contexts share; see
// arithmetic/context_coding.py. Included by kernel sources only.

#pragma once

#include "kernels/distributions.h"
#include "kernels/sample_context.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kStates = RangeSource::kStates;

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
      scratch += width + kContextBlock;
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

}  // namespace
}  // namespace qonnx_tools
