// Packing of activations into the 32-bit units of multiply.h.
//
// A unit holds, of one pixel, numbers of neighbouring channels. Codes whose sign is not that of the
// numbers are packed with an offset; the sum of weights corrects for it.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/carrier.h"

namespace qonnx_tools {

// What a unit holds. Of bytes, the highest of a code is offset by 128 if the code is signed.
enum class Units {
  kBytes,      // 4 unsigned numbers: 8-bit codes, or the low bytes of 16-bit codes
  kHighBytes,  // 4 unsigned numbers: the high bytes of 16-bit codes
  kWords,      // 2 signed 16-bit numbers: codes, uint16 offset by -32768
};
inline constexpr int kUnits = 3;

struct Packing {
  const void* x;        // the first code
  std::size_t channel;  // from channel to channel, in codes
  std::size_t channels;
  std::size_t pixels;
  std::int32_t* units;
  std::size_t step;  // from the units of some channels to those of the next ones
};

// Pixels units[to] .. units[to + count - 1] are `stride` apart in the image, from `from` on.
struct Piece {
  std::uint32_t to;
  std::uint32_t count;  // 1 .. 16
  std::size_t from;
};

struct Gathering {
  const std::int32_t* image;  // of the first tap
  std::size_t channel_units;
  std::size_t channel;  // from channels to the next ones in the image
  std::size_t taps[2];
  std::size_t tap[2];  // from tap to tap in the image
  std::size_t stride;
  const Piece* pieces;
  std::size_t piece_count;
  std::int32_t* units;
  std::size_t step;  // from channels or tap to the next in `units`
};

struct PackTable {
  // Packs pixels of channels; in the last units, channels that are missing count as code 0.
  void (*pixels[kUnits][kCarriers])(const Packing& packing);

  // Packs neighbouring codes of one row: unit i holds codes i * width .. , zeros beyond count.
  void (*row[kUnits][kCarriers])(const void* x, std::size_t count, std::int32_t* units);

  // Copies pieces for all channels and, within them, all taps.
  void (*gather)(const Gathering& gathering);

  static const PackTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
