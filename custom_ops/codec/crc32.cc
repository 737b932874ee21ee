#include "codec/crc32.h"

#include <array>
#include <cstring>

namespace qonnx_tools {
namespace {

constexpr std::size_t kSlices = 16;  // bytes at a time

// tables[k][b]: the remainder of byte b with k bytes of zeros behind it.
constexpr auto kTables = [] {
  std::array<std::array<std::uint32_t, 256>, kSlices> tables = {};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = remainder >> 1 ^ (remainder & 1 ? 0xedb88320u : 0);
    }
    tables[0][byte] = remainder;
  }
  for (std::size_t k = 1; k < kSlices; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 255];
    }
  }
  return tables;
}();

}  // namespace

std::uint32_t Crc32(const std::uint8_t* data, std::size_t size) {
  std::uint32_t remainder = ~0u;
  for (; size >= kSlices; data += kSlices, size -= kSlices) {
    std::uint64_t words[kSlices / 8];
    std::memcpy(words, data, sizeof words);
    words[0] ^= remainder;
    remainder = 0;
    for (std::size_t k = 0; k < kSlices; ++k) {
      remainder ^= kTables[kSlices - 1 - k][words[k / 8] >> 8 * (k % 8) & 255];
    }
  }
  for (; size > 0; ++data, --size) {
    remainder = remainder >> 8 ^ kTables[0][(remainder ^ *data) & 255];
  }
  return ~remainder;
}

}  // namespace qonnx_tools
