// Packing of activations into the 32-bit units of multiply.h.
//
// A unit holds, of one pixel, 4 neighbouring channels as unsigned 8-bit or 2 as signed 16-bit
// numbers. int8 is packed as code + 128 and uint16 as code - 32768 where the other sign is needed;
// the sum of weights corrects for it.

#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/carrier.h"

namespace qonnx_tools {

enum class Units { kBytes, kWords };
inline constexpr int kUnits = 2;

// A copy of pieces of rows of units: of `count` units to units + to from rows + from, `stride`
// apart there.
struct Piece {
  std::size_t to;
  std::size_t from;
  std::size_t count;
};

struct PackTable {
  // Packs pixels 0 .. count-1 of `channels` rows (1 .. 4 or 1 .. 2), `row` codes apart; rows
  // beyond are taken as zero.
  using Channels = void (*)(const void* x, std::size_t row, std::size_t channels,
                            std::int32_t* units, std::size_t count);
  Channels channels[kUnits][kCarriers];

  // Packs neighbouring codes of one row: unit i holds codes i * width .. , zeros beyond count.
  using Row = void (*)(const void* x, std::size_t count, std::int32_t* units);
  Row row[kUnits][kCarriers];

  // Copies pieces in order. May read up to kSlack units beyond what it needs and write up to
  // kSlack units beyond a piece.
  void (*gather)(const std::int32_t* rows, std::size_t stride, const Piece* pieces,
                 std::size_t count, std::int32_t* units);

  static const PackTable portable, v2, v3, v4;
};

inline constexpr std::size_t kSlack = 32;

}  // namespace qonnx_tools
