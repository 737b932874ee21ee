// Context-adaptive code of a plane; see arithmetic/context_coding.py and arithmetic/rans.py. Value
// is int16, int32 or int64.

#pragma once

#include "kernels/bits.h"
#include "kernels/plane_shape.h"

namespace qonnx_tools {

// Adaptive distributions of 16 symbols, by context: the starts of the symbols, but for the first,
// which is 0: the rate is in its place and moves like a start.
struct Distributions {
  static constexpr std::size_t kSymbols = 16;
  static constexpr std::size_t kContexts = 2 * (14 * 8 + 12 * 12 + 16 * 14);

  alignas(64) std::uint16_t starts[kContexts][kSymbols];
};

// The two states of a decoder, and the words before `left` that they have yet to read.
struct RangeSource {
  static constexpr std::size_t kStates = 2;
  std::uint32_t states[kStates];
  const std::uint8_t* words;  // the payload
  std::ptrdiff_t left;        // bytes; below 0 when a stream is too short
};

// Samples of a row that are looked at together. So many numbers behind a plane are read, too.
constexpr std::size_t kContextBlock = 8;

template <typename Value>
struct ContextCoderTable {
  void (*reset)(Distributions& distributions);
  // Appends the plain bits to `sink` and a choice for each sample to `choices`; returns their end.
  // A plane without hints is predicted. `scratch` has ScratchCount numbers. x stays as it is.
  std::uint32_t* (*encode)(Value* x, PlaneShape shape, const Value* hints,
                           Distributions& distributions, Value* scratch, BitSink& sink,
                           std::uint32_t* choices);
  // Writes the words of all choices, the states last; returns their end.
  std::uint8_t* (*finish)(const std::uint32_t* begin, const std::uint32_t* end, std::uint8_t* to);
  // False if the payload is too short for the states.
  bool (*start)(const std::uint8_t* payload, std::size_t size, RangeSource& source);
  // False if no encoder writes this.
  bool (*decode)(RangeSource& source, BitSource& bits, PlaneShape shape, const Value* hints,
                 Distributions& distributions, Value* scratch, Value* x);

  static constexpr std::size_t ScratchCount(std::size_t width) {
    return RangeSource::kStates * 6 * (width + kContextBlock);
  }

  static const ContextCoderTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
