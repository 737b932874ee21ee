// Up to 8 numbers in Rice code: quotients in unary, then remainders, then large quotients; see
// arithmetic/rice.py. Eight numbers of 16 bits are written and read together where the CPU has
// BMI2. Included by kernel sources only.

#pragma once

#include "kernels/bits.h"
#include "kernels/intrinsics.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kGroup = 8;
constexpr int kEscape = 24;

// Sinks and sources go by value here: what has no address stays in registers in the loops over
// groups, of which few are written or read one by one.
template <typename Number>
[[gnu::noinline]] BitSink WriteOneByOne(const Number* numbers, std::size_t count, int parameter,
                                        int escape_bits, BitSink sink) {
  const auto quotient = [&](std::size_t i) {
    return static_cast<std::uint64_t>(numbers[i]) >> parameter;
  };
  for (std::size_t i = 0; i < count; ++i) {
    PutUnary(sink, quotient(i) < kEscape ? static_cast<unsigned>(quotient(i)) : kEscape);
  }
  for (std::size_t i = 0; i < count; ++i) Put(sink, LowBits(numbers[i], parameter), parameter);
  for (std::size_t i = 0; i < count; ++i) {
    if (quotient(i) >= kEscape) Put(sink, quotient(i), escape_bits);
  }
  return sink;
}

// Where the bits behind a group are, and the sum of its numbers.
struct ReadGroup {
  std::uint64_t position, sum;
  bool good;  // false if no encoder writes this
};

template <typename Number>
[[gnu::noinline]] ReadGroup ReadOneByOne(BitSource source, std::size_t count, int parameter,
                                         int escape_bits, Number* numbers) {
  int quotients[kGroup];
  std::uint64_t low[kGroup];
  for (std::size_t i = 0; i < count; ++i) {
    quotients[i] = GetUnary(source, kEscape);
    if (quotients[i] < 0) return {0, 0, false};
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) low[i] = Get(source, parameter);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t whole = quotients[i] == kEscape ? Get(source, escape_bits)
                                                        : static_cast<std::uint64_t>(quotients[i]);
    numbers[i] = static_cast<Number>((whole << parameter) + low[i]);
    sum += numbers[i];
  }
  return {source.position, sum, true};
}

#if defined(__BMI2__)

constexpr int kTogetherParameter = 13;  // four remainders fit one Put, and eight one lane
constexpr std::uint64_t kLanes = 0x0001000100010001u;

inline std::uint64_t RemainderMask(int parameter) {
  return kLanes * ((std::uint64_t{1} << parameter) - 1);
}

// Whether the group was written: no quotient is large, and together they fit one Put.
[[gnu::always_inline]] inline bool WriteTogether(const std::uint16_t* numbers, int parameter,
                                                 BitSink& sink) {
  std::uint64_t unary = 0;
  unsigned at = ~0u, most = 0;
  for (std::size_t i = 0; i < kGroup; ++i) {
    const unsigned quotient = static_cast<unsigned>(numbers[i]) >> parameter;
    most = quotient > most ? quotient : most;
    at += quotient + 1;
    unary |= std::uint64_t{1} << (at & 63);
  }
  if (most >= kEscape || at >= 56) return false;
  std::uint64_t halves[2];
  std::memcpy(halves, numbers, sizeof halves);
  const std::uint64_t mask = RemainderMask(parameter);
  Put(sink, unary, static_cast<int>(at) + 1);
  Put(sink, _pext_u64(halves[0], mask), 4 * parameter);
  Put(sink, _pext_u64(halves[1], mask), 4 * parameter);
  return true;
}

// Whether the group was read: its quotients are in the 57 bits at hand, and none is large.
[[gnu::always_inline]] inline bool ReadTogether(BitSource& source, int parameter,
                                                std::uint16_t* numbers, std::uint64_t& sum) {
  std::uint64_t unary = LowBits(Peek(source), 57);
  const std::uint64_t eighth = _pdep_u64(std::uint64_t{1} << (kGroup - 1), unary);
  if (eighth == 0) return false;
  const auto length = static_cast<unsigned>(std::countr_zero(eighth)) + 1;
  // In two registers: a vector cannot be loaded right after its parts were stored.
  std::uint64_t ends[2] = {0, 0};
  unary <<= 1;
  for (std::size_t i = 0; i < kGroup; ++i) {
    ends[i / 4] |= static_cast<std::uint64_t>(std::countr_zero(unary)) << 16 * (i % 4);
    unary &= unary - 1;
  }
  const __m128i end =
      _mm_set_epi64x(static_cast<long long>(ends[1]), static_cast<long long>(ends[0]));
  const __m128i step = _mm_sub_epi16(end, _mm_slli_si128(end, 2));  // quotient + 1
  if (_mm_movemask_epi8(_mm_cmpgt_epi16(step, _mm_set1_epi16(kEscape))) != 0) return false;
  source.position += length;
  const std::uint64_t mask = RemainderMask(parameter);
  const std::uint64_t first = Peek(source);
  source.position += 4 * static_cast<unsigned>(parameter);
  const std::uint64_t second = Peek(source);
  source.position += 4 * static_cast<unsigned>(parameter);
  const std::uint64_t low[2] = {_pdep_u64(first, mask), _pdep_u64(second, mask)};
  const __m128i quotients = _mm_sub_epi16(step, _mm_set1_epi16(1));
  const __m128i whole = _mm_sll_epi16(quotients, _mm_cvtsi32_si128(parameter));
  const __m128i rest =
      _mm_set_epi64x(static_cast<long long>(low[1]), static_cast<long long>(low[0]));
  const __m128i found = _mm_or_si128(whole, rest);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(numbers), found);
  // The quotients add up to the ones and zeros but the ones. Four sums of remainders, below 2^14
  // each as kTogetherParameter is at most 13, meet in the highest lane.
  sum += (std::uint64_t{length - kGroup} << parameter) + ((low[0] + low[1]) * kLanes >> 48);
  return true;
}

#endif

template <typename Number>
[[gnu::always_inline]] inline void WriteGroup(const Number* numbers, std::size_t count,
                                              int parameter, int escape_bits, BitSink& sink) {
#if defined(__BMI2__)
  if constexpr (sizeof(Number) == 2) {
    if (count == kGroup && parameter <= kTogetherParameter &&
        WriteTogether(numbers, parameter, sink)) {
      return;
    }
  }
#endif
  sink = WriteOneByOne(numbers, count, parameter, escape_bits, sink);
}

// False if no encoder writes this. Adds the numbers to `sum`.
template <typename Number>
[[gnu::always_inline]] inline bool ReadInto(BitSource& source, std::size_t count, int parameter,
                                            int escape_bits, Number* numbers, std::uint64_t& sum) {
#if defined(__BMI2__)
  if constexpr (sizeof(Number) == 2) {
    if (count == kGroup && parameter <= kTogetherParameter &&
        ReadTogether(source, parameter, numbers, sum)) {
      return true;
    }
  }
#endif
  const ReadGroup read = ReadOneByOne(source, count, parameter, escape_bits, numbers);
  source.position = read.position;
  sum += read.sum;
  return read.good;
}

}  // namespace
}  // namespace qonnx_tools
