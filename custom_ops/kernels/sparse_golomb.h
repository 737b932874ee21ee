// Signed sparse-exponential-Golomb code of a plane; see arithmetic/sparse_golomb.py. Number is
// uint16, uint32 or uint64, of at most 48 bits.

#pragma once

#include "kernels/bits.h"

namespace qonnx_tools {

template <typename Number>
struct SparseGolombTable {
  void (*encode)(const Number* numbers, std::size_t count, BitSink& sink);
  // False if no encoder writes this.
  bool (*decode)(BitSource& source, std::size_t count, Number* numbers);

  static const SparseGolombTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
