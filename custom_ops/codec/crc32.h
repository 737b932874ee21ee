// The CRC-32 of zlib, gzip and PNG.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

std::uint32_t Crc32(const std::uint8_t* data, std::size_t size);

}  // namespace qonnx_tools
