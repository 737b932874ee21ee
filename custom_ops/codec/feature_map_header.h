// The header of a compressed feature map; see docs/feature-map-bitstream.md.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/plane_shape.h"

namespace qonnx_tools {

enum class CodecStatus : int {
  kGood,
  kNoStream,        // it does not begin with the magic number
  kVersion,         // a later version
  kChecksum,        // the checksum does not fit
  kDamaged,         // no encoder writes this
  kTooLarge,        // more samples than the limit
  kArgument,        // no such coding
  kOutsideFormat,   // codes beyond the number format
  kBufferTooSmall,  // for what is to be written
  kOutOfMemory,
  kCpu,  // the environment asks for a SIMD level that the CPU lacks
};

enum class Transform { kNone, kPredictive, kHaar, kLeGall };
enum class Coder { kSparseGolomb, kRice, kContext };

// A map and how to compress it. Plain, as it is filled in by other languages.
struct FeatureMapCoding {
  std::int32_t element;  // 0..5: int8, uint8, int16, uint16, int32, uint32
  std::int32_t transform, levels, coder;
  std::int32_t bits, is_signed, narrow;
  std::int32_t step;  // in sixteenths
  std::int64_t channels, height, width;
  const std::uint8_t* dropped;  // for each channel 1 if its finest bands are left out; may be null
};

constexpr std::int32_t kStepUnit = 16;
constexpr std::int32_t kLargestStep = 1 << 20;
constexpr std::int64_t kLargestSide = 1 << 24;
constexpr std::int64_t kLargestCount = std::int64_t{1} << 40;
constexpr std::size_t kLongestHeader = 6 + 3 + 5 * 5;  // without the mask

inline bool HasWavelet(const FeatureMapCoding& coding) {
  return coding.transform >= static_cast<int>(Transform::kHaar);
}
inline std::size_t ElementBytes(std::int32_t element) { return std::size_t{1} << (element >> 1); }
inline PlaneShape ShapeOf(const FeatureMapCoding& coding) {
  return {static_cast<std::size_t>(coding.channels), static_cast<std::size_t>(coding.height),
          static_cast<std::size_t>(coding.width)};
}

// Least and largest code of the number format.
struct CodeRange {
  std::int64_t low, high;
};
CodeRange RangeOf(const FeatureMapCoding& coding);

// Whether there is such a coding.
bool IsValid(const FeatureMapCoding& coding);

// The channels that keep their finest bands.
std::vector<std::size_t> KeptChannels(const FeatureMapCoding& coding);

// Writes what comes before a payload of `payload` bytes, with room for the checksum, at `to`;
// returns its end. SealStream then fills in the checksum.
std::uint8_t* WriteHeader(const FeatureMapCoding& coding, std::size_t payload, std::uint8_t* to);
void SealStream(std::uint8_t* stream, std::size_t size);

// Finds where the stream at the front of `size` bytes ends, by what its header says; the rest of it
// is not checked.
CodecStatus FindEnd(const std::uint8_t* stream, std::size_t size, std::size_t& length);

struct ReadStream {
  FeatureMapCoding coding;  // dropped points into the vector below, or is null
  std::vector<std::uint8_t> dropped;
  const std::uint8_t* payload;
  std::size_t payload_size;
};

// Reads and checks all but the payload.
CodecStatus ReadHeader(const std::uint8_t* stream, std::size_t size, std::int64_t limit,
                       ReadStream& read);

}  // namespace qonnx_tools
