// Rows of two tensors of codes and where what becomes of them goes.

#pragma once

#include <cstddef>

namespace qonnx_tools {

struct CodePairs {
  const void* a;
  const void* b;
  void* y;
  std::size_t rows;
  std::size_t count;  // of a row
  // From row to row, in codes.
  std::size_t a_pitch;
  std::size_t b_pitch;
  std::size_t y_pitch;
};

}  // namespace qonnx_tools
