// Tables of codes, read at codes.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

struct CodeTable {
  const void* entries;
  std::int32_t low;   // the code of the first entry
  std::int32_t high;  // of the last; codes beyond it read it, those below `low` the first
};

// By the size of the entries in bytes: [0] 1, [1] 2, [2] 4.
struct LookupTable {
  // y[i] = entries[x[i]]: 256 entries, in the order of unsigned bytes.
  void (*bytes[3])(const void* entries, const void* x, void* y, std::size_t count);
  // By the carrier of x: int16, uint16, int32.
  void (*codes[3][3])(const CodeTable& table, const void* x, void* y, std::size_t count);

  static const LookupTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
