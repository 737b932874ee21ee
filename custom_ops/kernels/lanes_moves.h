// Numbers of sixteen maps from where they lie one map behind the other to side by side, and back.
// Included by kernel sources only.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/lanes_lifting.h"

namespace qonnx_tools {
namespace {

// Of sixteen rows of sixteen.
template <typename Lanes>
inline void Transpose(Lanes* rows) {
  for (int round = 0; round < 4; ++round) {
    Lanes turned[kLanes];
    for (std::size_t i = 0; i < kLanes / 2; ++i) {
      const Lanes &a = rows[i], &b = rows[i + kLanes / 2];
      turned[2 * i] =
          __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      turned[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                                  29, 14, 30, 15, 31);
    }
    std::memcpy(rows, turned, sizeof turned);
  }
}

template <typename Element, typename Value>
void Load(const WaveletLanes& how, const SixteenMaps& maps, Value* __restrict x) {
  const std::size_t area = how.height * how.width;
  std::size_t at = 0;
  if constexpr (sizeof(Element) == 1) {
    for (; at + kLanes <= area; at += kLanes) {
      Vector<std::uint8_t> rows[kLanes];
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::memcpy(&rows[lane], static_cast<const Element*>(maps.codes[lane]) + at, kLanes);
      }
      Transpose(rows);
      Element codes[kLanes * kLanes];
      std::memcpy(codes, rows, sizeof rows);
      for (std::size_t i = 0; i < kLanes * kLanes; ++i) {
        x[at * kLanes + i] = static_cast<Value>(codes[i]);
      }
    }
  }
  for (; at < area; ++at) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const Element code = static_cast<const Element*>(maps.codes[lane])[at];
      x[at * kLanes + lane] = static_cast<Value>(code);
    }
  }
}

template <typename Element, typename Value>
void Store(const WaveletLanes& how, const SixteenMaps& maps, const Value* __restrict x) {
  const auto low = static_cast<Value>(how.low), high = static_cast<Value>(how.high);
  const std::size_t area = how.height * how.width;
  std::size_t at = 0;
  if constexpr (sizeof(Element) == 1) {
    for (; at + kLanes <= area; at += kLanes) {
      Element codes[kLanes * kLanes];
      for (std::size_t i = 0; i < kLanes * kLanes; ++i) {
        codes[i] = static_cast<Element>(std::clamp(x[at * kLanes + i], low, high));
      }
      Vector<std::uint8_t> rows[kLanes];
      std::memcpy(rows, codes, sizeof rows);
      Transpose(rows);
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::memcpy(static_cast<Element*>(maps.decoded[lane]) + at, &rows[lane], kLanes);
      }
    }
  }
  for (; at < area; ++at) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const Value value = std::clamp(x[at * kLanes + lane], low, high);
      static_cast<Element*>(maps.decoded[lane])[at] = static_cast<Element>(value);
    }
  }
}

// Rows of coefficients at `first`, moved to the planes of each map or back.
template <bool to_planes, typename Value>
void MoveBand(Value* first, const Grid& band, Value* planes, std::size_t maps) {
  const std::size_t area = band.height * band.width;
  std::size_t column = 0;
  Value* row = first;
  for (std::size_t at = 0; at < area; at += kLanes) {
    const std::size_t count = std::min(kLanes, area - at);
    Value* places[kLanes];
    for (std::size_t i = 0; i < count; ++i) {
      places[i] = row + column * band.right;
      if (++column < band.width) continue;
      column = 0;
      row += band.down;
    }
    Vector<Value> block[kLanes];
    if (to_planes) {
      for (std::size_t i = 0; i < kLanes; ++i) LoadLanes(places[i < count ? i : 0], block[i]);
      Transpose(block);
    }
    for (std::size_t map = 0; map < kLanes; ++map) {
      Value* const plane = planes + std::min(map, maps - 1) * area + at;
      if (to_planes && map >= maps) break;
      void* const to = to_planes ? static_cast<void*>(plane) : &block[map];
      const void* const from = to_planes ? static_cast<const void*>(&block[map]) : plane;
      if (count == kLanes) {
        std::memcpy(to, from, kLanes * sizeof(Value));
      } else {
        std::memcpy(to, from, count * sizeof(Value));
      }
    }
    if (!to_planes) {
      Transpose(block);
      for (std::size_t i = 0; i < count; ++i) StoreLanes(block[i], places[i]);
    }
  }
}

}  // namespace
}  // namespace qonnx_tools
