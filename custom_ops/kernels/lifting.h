// One level of an integer wavelet in two dimensions, by lifting; see arithmetic/wavelet.py.
// Value is int16, int32 or int64; sums are taken modulo 2^bits.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

// The bands of one map, each [rows, columns] without gaps. Low halves have (n + 1) / 2 rows or
// columns, high halves n / 2.
template <typename Value>
struct Bands {
  Value *ll, *hl, *lh, *hh;
};

template <typename Value>
struct LiftingTable {
  // `scratch` has height * width numbers, and is not x.
  void (*split[2])(const Value* x, std::size_t height, std::size_t width, const Bands<Value>& bands,
                   Value* scratch);  // Haar, 5/3
  void (*join[2])(const Bands<Value>& bands, std::size_t height, std::size_t width, Value* x,
                  Value* scratch);

  static const LiftingTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
