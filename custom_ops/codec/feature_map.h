// Compressed feature maps: codes to bytes and back; see arithmetic/coding.py.

#pragma once

#include "codec/feature_map_header.h"

namespace qonnx_tools {

// Bytes that always suffice for the stream of a map, with what is written behind it on the way.
std::size_t LargestStream(const FeatureMapCoding& coding);

// Writes the stream of `codes` at `stream`, which has room for LargestStream, and its size.
// Both raise std::bad_alloc.
CodecStatus EncodeFeatureMap(const FeatureMapCoding& coding, const void* codes,
                             std::uint8_t* stream, std::size_t& size);

// Writes the codes of a stream, which `read` describes. What is written of a damaged one is
// unspecified.
CodecStatus DecodeFeatureMap(const ReadStream& read, void* codes);

// Writes the codes that decoding the stream of `codes` would give.
CodecStatus RoundTripFeatureMap(const FeatureMapCoding& coding, const void* codes, void* decoded);

}  // namespace qonnx_tools
