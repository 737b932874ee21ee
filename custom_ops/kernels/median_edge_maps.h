// Eight maps of 16-bit numbers at a time from their residuals: each sample waits for its left
// neighbour, but not for other maps. Included by kernel sources only.

#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/plane_shape.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kMaps = 8;

typedef std::int16_t EightValues __attribute__((vector_size(2 * kMaps)));
typedef std::uint16_t EightNumbers __attribute__((vector_size(2 * kMaps)));

inline void Transpose(EightValues* rows) {
  for (int round = 0; round < 3; ++round) {
    EightValues turned[kMaps];
    for (std::size_t i = 0; i < kMaps / 2; ++i) {
      turned[2 * i] =
          __builtin_shuffle(rows[i], rows[i + kMaps / 2], EightValues{0, 8, 1, 9, 2, 10, 3, 11});
      turned[2 * i + 1] =
          __builtin_shuffle(rows[i], rows[i + kMaps / 2], EightValues{4, 12, 5, 13, 6, 14, 7, 15});
    }
    std::memcpy(rows, turned, sizeof turned);
  }
}

// The next 8 numbers of each of the eight maps, by column.
inline void LoadColumns(const void* from, std::size_t area, EightValues* to) {
  const char* const bytes = static_cast<const char*>(from);
  for (std::size_t map = 0; map < kMaps; ++map) {
    std::memcpy(&to[map], bytes + 2 * map * area, sizeof(EightValues));
  }
  Transpose(to);
}

inline void StoreColumns(EightValues* columns, std::size_t area, std::int16_t* to) {
  Transpose(columns);
  for (std::size_t map = 0; map < kMaps; ++map) {
    std::memcpy(to + map * area, &columns[map], sizeof(EightValues));
  }
}

// One number of each map.
inline EightValues LoadColumn(const void* from, std::size_t area) {
  const auto* const numbers = static_cast<const std::int16_t*>(from);
  EightValues column;
  for (std::size_t map = 0; map < kMaps; ++map) column[map] = numbers[map * area];
  return column;
}

inline void StoreColumn(EightValues column, std::size_t area, std::int16_t* to) {
  for (std::size_t map = 0; map < kMaps; ++map) to[map * area] = column[map];
}

inline EightValues Sum8(EightValues a, EightValues b) {
  return (EightValues)((EightNumbers)a + (EightNumbers)b);
}
inline EightValues Difference8(EightValues a, EightValues b) {
  return (EightValues)((EightNumbers)a - (EightNumbers)b);
}

inline EightValues Unfolded8(EightValues u) {
  const auto bits = (EightNumbers)u;
  return (EightValues)((bits >> 1) ^ (EightNumbers{} - (bits & 1)));
}

inline EightValues MedianEdge8(EightValues west, EightValues north, EightValues corner) {
  const EightValues gradient = Sum8(west, Difference8(north, corner));
  const EightValues least = west < north ? west : north, most = west < north ? north : west;
  const EightValues below = gradient < most ? gradient : most;
  return below > least ? below : least;
}

// The left neighbours on their way along a row.
struct EightMaps {
  EightValues west, corner;

  EightValues Next(EightValues residual, EightValues north, bool first) {
    west = Sum8(Unfolded8(residual), first ? west : MedianEdge8(west, north, corner));
    corner = north;
    return west;
  }
};

template <bool first>
inline void EightRowsFromResiduals(const std::uint16_t* u, std::size_t width, std::size_t area,
                                   std::int16_t* x) {
  EightMaps maps = {};
  if constexpr (!first) maps.west = maps.corner = LoadColumn(x - width, area);
  std::size_t at = 0;
  for (; at + kMaps <= width; at += kMaps) {
    EightValues block[kMaps], above[kMaps] = {};
    LoadColumns(u + at, area, block);
    if constexpr (!first) LoadColumns(x + at - width, area, above);
    for (std::size_t i = 0; i < kMaps; ++i) block[i] = maps.Next(block[i], above[i], first);
    StoreColumns(block, area, x + at);
  }
  for (; at < width; ++at) {
    const EightValues above = first ? EightValues{} : LoadColumn(x + at - width, area);
    StoreColumn(maps.Next(LoadColumn(u + at, area), above, first), area, x + at);
  }
}

inline void EightFromResiduals(const std::uint16_t* u, PlaneShape shape, std::int16_t* x) {
  const std::size_t width = shape.width, area = shape.area();
  EightRowsFromResiduals<true>(u, width, area, x);
  for (std::size_t y = 1; y < shape.height; ++y) {
    EightRowsFromResiduals<false>(u + y * width, width, area, x + y * width);
  }
}

}  // namespace
}  // namespace qonnx_tools
