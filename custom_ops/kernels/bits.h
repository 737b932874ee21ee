// Strings of bits, the first bit of a byte being its lowest. The functions are for kernel sources
// only.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace qonnx_tools {

// Where bits are written: whole bytes before `end` are final, the `count` bits behind it are in
// `pending`. 8 bytes behind `end` must be writable.
struct BitSink {
  std::uint8_t* end;
  std::uint64_t pending;
  int count;  // 0..7
};

// Where bits are read. kPadding bytes behind `size` must be readable; further bits are theirs.
struct BitSource {
  static constexpr std::size_t kPadding = 16;
  const std::uint8_t* data;
  std::size_t size;
  std::uint64_t position;  // in bits; behind the end when a stream is too short

  bool Exhausted() const { return position > 8 * std::uint64_t{size}; }
};

namespace {

static_assert(std::endian::native == std::endian::little, "streams are little-endian");

// Appends the `count` bits of `value`, at most 56; all others of `value` are 0.
inline void Put(BitSink& sink, std::uint64_t value, int count) {
  sink.pending |= value << sink.count;
  std::memcpy(sink.end, &sink.pending, sizeof sink.pending);
  sink.count += count;
  sink.end += sink.count >> 3;
  sink.pending >>= sink.count & ~7;
  sink.count &= 7;
}

inline void PutUnary(BitSink& sink, unsigned zeros) {
  for (; zeros >= 48; zeros -= 48) Put(sink, 0, 48);
  Put(sink, std::uint64_t{1} << zeros, static_cast<int>(zeros) + 1);
}

inline std::uint64_t LowBits(std::uint64_t value, int count) {
  return value & ((std::uint64_t{1} << count) - 1);
}

// At least the next 57 bits.
inline std::uint64_t Peek(const BitSource& source) {
  const std::uint64_t at = source.position >> 3;
  std::uint64_t bits;
  std::memcpy(&bits, source.data + (at < source.size ? at : source.size), sizeof bits);
  return bits >> (source.position & 7);
}

// The next `count` bits, at most 57.
inline std::uint64_t Get(BitSource& source, int count) {
  const std::uint64_t bits = LowBits(Peek(source), count);
  source.position += static_cast<unsigned>(count);
  return bits;
}

// How many zeros there are before the next one, at most `most` (below 57), else -1.
inline int GetUnary(BitSource& source, int most) {
  const int zeros = std::countr_zero(Peek(source) | std::uint64_t{1} << 57);
  source.position += static_cast<unsigned>(zeros) + 1;
  return zeros <= most ? zeros : -1;
}

}  // namespace
}  // namespace qonnx_tools
