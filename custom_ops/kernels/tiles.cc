#include "kernels/tiles.h"

#if defined(__AMX_INT8__)
#include <immintrin.h>
#endif

namespace qonnx_tools {
namespace {

#if defined(__AMX_INT8__)

constexpr std::size_t kTile = kTileRows * kTileSteps;  // units of a register
constexpr std::size_t kUnit = sizeof(std::int32_t);

// Palette 1; all 8 registers are 16 rows of 64 bytes.
struct alignas(64) Shapes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(Shapes) == 64);
constexpr Shapes kShapes;

void Prepare() { _tile_loadconfig(&kShapes); }
void Release() { _tile_release(); }

// Sums are in registers 0 .. 3, weights in 4 and 5, codes in 6 and 7.
template <bool two_rows, bool two_columns>
void Block(const Factors& factors, std::size_t first) {
  const std::size_t c_row = factors.c_row * kUnit;
  const std::size_t b_row = factors.b_step * kUnit;
  std::int32_t* const c = factors.c + first;
  std::int32_t* const below = c + kTileRows * factors.c_row;
  if (factors.accumulate) {
    _tile_loadd(0, c, c_row);
    if constexpr (two_columns) _tile_loadd(1, c + kGroup, c_row);
    if constexpr (two_rows) _tile_loadd(2, below, c_row);
    if constexpr (two_rows && two_columns) _tile_loadd(3, below + kGroup, c_row);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const std::int32_t* a = factors.a;
  const std::int32_t* b = factors.b + first;
  for (std::size_t step = 0; step < factors.steps; step += kTileSteps) {
    _tile_loadd(6, b, b_row);
    _tile_loadd(4, a, 64);
    _tile_dpbsud(0, 4, 6);
    if constexpr (two_columns) {
      _tile_loadd(7, b + kGroup, b_row);
      _tile_dpbsud(1, 4, 7);
    }
    if constexpr (two_rows) {
      _tile_loadd(5, a + factors.a_row, 64);
      _tile_dpbsud(2, 5, 6);
    }
    if constexpr (two_rows && two_columns) _tile_dpbsud(3, 5, 7);
    a += kTile;
    b += kTileSteps * factors.b_step;
  }
  _tile_stored(0, c, c_row);
  if constexpr (two_columns) _tile_stored(1, c + kGroup, c_row);
  if constexpr (two_rows) _tile_stored(2, below, c_row);
  if constexpr (two_rows && two_columns) _tile_stored(3, below + kGroup, c_row);
}

template <bool two_rows>
void Columns(const Factors& factors) {
  std::size_t group = 0;
  for (; group + 2 <= factors.groups; group += 2) Block<two_rows, true>(factors, group * kGroup);
  if (group < factors.groups) Block<two_rows, false>(factors, group * kGroup);
}

void Multiply(const Factors& factors) {
  if (factors.rows > kTileRows) return Columns<true>(factors);
  Columns<false>(factors);
}

#endif

}  // namespace

#if defined(__AMX_INT8__)
constinit const TileTable TileTable::QONNX_TOOLS_LEVEL = {Multiply, Prepare, Release};
#else
constinit const TileTable TileTable::QONNX_TOOLS_LEVEL = {};
#endif

}  // namespace qonnx_tools
