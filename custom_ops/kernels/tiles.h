// The product of multiply.h on the tile registers of AMX-INT8: int8 weights with uint8 codes.

#pragma once

#include <cstddef>

#include "kernels/multiply.h"

namespace qonnx_tools {

inline constexpr std::size_t kTileRows = 16;   // of weights in a tile register
inline constexpr std::size_t kTileSteps = 16;  // steps of a tile register
inline constexpr std::size_t kTileBlock = 32;  // rows of one call, at most

// All null where the level has no tiles; see Level::kAmx for whether the CPU has them.
struct TileTable {
  // Factors: a holds tiles, [row tile][step tile][row][step], row tiles a_row apart, all aligned to
  // 64; a_step is not read. rows and steps are multiples of 16, rows at most kTileBlock. b_step is
  // a multiple of 16.
  void (*multiply)(const Factors& factors);

  // The registers of a thread are in use from prepare to release.
  void (*prepare)();
  void (*release)();

  static const TileTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
