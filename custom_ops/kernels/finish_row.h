// FinishRow of finish.cc and finish_sum.cc: one row of accumulators. Included by them only.
//
// `wraps` says whether any bits are unused, `clips` whether the codes' range is not that of T.

#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/byte_lanes.h"
#include "kernels/finish.h"

#if defined(__AVX512BW__)
#include <immintrin.h>
#endif

namespace qonnx_tools {
namespace {

#if defined(__AVX512BW__)

inline constexpr std::size_t kLanes = 16;

inline __m512i Wrapped(__m512i v, __m128i unused) {
  return _mm512_sra_epi32(_mm512_sll_epi32(v, unused), unused);
}

// Stores 16 codes that T holds, or saturates them.
template <typename T>
[[gnu::always_inline]] inline void Store(T* y, __m512i codes, __mmask16 mask) {
  if constexpr (std::is_same_v<T, std::int8_t>) {
    _mm_mask_storeu_epi8(y, mask, _mm512_cvtsepi32_epi8(codes));
  } else if constexpr (std::is_same_v<T, std::uint8_t>) {
    const __m512i positive = _mm512_max_epi32(codes, _mm512_setzero_si512());
    _mm_mask_storeu_epi8(y, mask, _mm512_cvtusepi32_epi8(positive));
  } else if constexpr (std::is_same_v<T, std::int16_t>) {
    _mm256_mask_storeu_epi16(y, mask, _mm512_cvtsepi32_epi16(codes));
  } else if constexpr (std::is_same_v<T, std::uint16_t>) {
    const __m512i positive = _mm512_max_epi32(codes, _mm512_setzero_si512());
    _mm256_mask_storeu_epi16(y, mask, _mm512_cvtusepi32_epi16(positive));
  } else {
    _mm512_mask_storeu_epi32(y, mask, codes);
  }
}

// 4 times 16 codes that T, of one byte, holds, or saturates them.
template <typename T, typename Codes>
[[gnu::always_inline]] inline __m512i FourAsBytes(const Codes& codes) {
  const __m512i low = _mm512_packs_epi32(codes(0), codes(1));
  const __m512i high = _mm512_packs_epi32(codes(2), codes(3));
  const __m512i mixed = std::is_same_v<T, std::int8_t> ? _mm512_packs_epi16(low, high)
                                                       : _mm512_packus_epi16(low, high);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, mixed);
}

// Stores 4 times 16 codes, with fewer instructions.
template <typename T, typename Codes>
[[gnu::always_inline]] inline void StoreFour(T* y, const Codes& codes) {
  if constexpr (sizeof(T) == 1) {
    _mm512_storeu_si512(y, FourAsBytes<T>(codes));
  } else if constexpr (sizeof(T) == 2) {
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    for (int half = 0; half < 2; ++half) {
      const __m512i low = codes(2 * half);
      const __m512i high = codes(2 * half + 1);
      const __m512i mixed = std::is_same_v<T, std::int16_t> ? _mm512_packs_epi32(low, high)
                                                            : _mm512_packus_epi32(low, high);
      _mm512_storeu_si512(y + half * 2 * kLanes, _mm512_permutexvar_epi64(order, mixed));
    }
  } else {
    for (int i = 0; i < 4; ++i) _mm512_storeu_si512(y + i * kLanes, codes(i));
  }
}

// Where bytes of y go, after others are added to the codes.
template <bool is_signed>
struct SumTo {
  const ByteSum<is_signed>* sum;
  const std::uint8_t* residual;
  std::uint8_t* y;
};

// to[i ..] = code(i, mask): 16 codes, not clipped, for all i below count that are not done.
template <typename T, typename Code>
[[gnu::always_inline]] inline void StoreRest(T* to, std::size_t i, std::size_t count,
                                             const Code& code) {
  for (; i + kLanes <= count; i += kLanes) Store(to + i, code(i, 0xffff), 0xffff);
  const auto rest = static_cast<__mmask16>((1u << (count - i)) - 1);
  if (rest != 0) Store(to + i, code(i, rest), rest);
}

template <typename T, bool is_signed, typename Code>
[[gnu::always_inline]] inline void StoreRest(const SumTo<is_signed>& to, std::size_t i,
                                             std::size_t count, const Code& code) {
  if (i == count) return;
  const __mmask64 some = (std::uint64_t{1} << (count - i)) - 1;
  const __m512i codes = FourAsBytes<T>([&](int part) __attribute__((always_inline)) {
    const std::size_t first = i + static_cast<std::size_t>(part) * kLanes;
    if (first >= count) return _mm512_setzero_si512();
    return code(first, static_cast<__mmask16>(some >> (16 * part)));
  });
  const __m512i residual = _mm512_maskz_loadu_epi8(some, to.residual + i);
  _mm512_mask_storeu_epi8(to.y + i, some, (*to.sum)(codes, residual));
}

template <typename T, typename Codes>
[[gnu::always_inline]] inline void StoreFourAt(T* to, std::size_t i, const Codes& codes) {
  StoreFour(to + i, codes);
}

template <typename T, bool is_signed, typename Codes>
[[gnu::always_inline]] inline void StoreFourAt(const SumTo<is_signed>& to, std::size_t i,
                                               const Codes& codes) {
  StoreBytes((*to.sum)(FourAsBytes<T>(codes), LoadBytes(to.residual + i)), to.y + i);
}

// to[i ..] = code(i, mask): 16 codes of T, not clipped.
template <typename T, bool clips, typename To, typename Code>
[[gnu::always_inline]] inline void StoreRow(std::size_t count, std::int32_t lowest,
                                            std::int32_t highest, const To& to, const Code& code) {
  const __m512i low = _mm512_set1_epi32(lowest);
  const __m512i high = _mm512_set1_epi32(highest);
  const auto clipped = [&](std::size_t i, __mmask16 mask) __attribute__((always_inline)) {
    const __m512i codes = code(i, mask);
    if constexpr (!clips) return codes;
    return _mm512_min_epi32(_mm512_max_epi32(codes, low), high);
  };
  std::size_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    StoreFourAt<T>(to, i, [&](int part) __attribute__((always_inline)) {
      return clipped(i + static_cast<std::size_t>(part) * kLanes, 0xffff);
    });
  }
  StoreRest<T>(to, i, count, clipped);
}

template <typename T, bool wraps, bool clips, typename To>
void FinishRow(const NarrowRow& row, const SumRows<std::int32_t>& by, const std::int32_t* sums,
               const To& y) {
  const __m512i bias = _mm512_set1_epi32(row.bias);
  const __m512i constant = _mm512_set1_epi32(row.constant);
  const __m512i look = _mm512_set1_epi32(row.look);
  const __m512i mask = _mm512_set1_epi32(row.mask);
  const __m512i shift = _mm512_set1_epi32(row.shift);
  const __m128i unused = _mm_cvtsi32_si128(by.unused_bits);
  StoreRow<T, clips>(by.count, by.low, by.high, y,
                     [&](std::size_t i, __mmask16 some) __attribute__((always_inline)) {
                       __m512i v = _mm512_add_epi32(_mm512_maskz_loadu_epi32(some, sums + i), bias);
                       if constexpr (wraps) v = Wrapped(v, unused);
                       const __m512i tie = _mm512_and_si512(_mm512_srav_epi32(v, look), mask);
                       return _mm512_srav_epi32(
                           _mm512_add_epi32(_mm512_add_epi32(v, constant), tie), shift);
                     });
}

// What 8 lanes of 64 bits make of v * multiplier.
class WideLanes {
 public:
  explicit WideLanes(const WideRow& row)
      : addend_(_mm512_set1_epi64(row.addend)),
        constant_(_mm512_set1_epi64(row.constant)),
        look_(_mm512_set1_epi64(row.look)),
        mask_(_mm512_set1_epi64(row.mask)),
        shift_(_mm512_set1_epi64(row.shift)) {}

  [[gnu::always_inline]] __m512i operator()(__m512i product) const {
    const __m512i t = _mm512_add_epi64(product, addend_);
    const __m512i tie = _mm512_and_si512(_mm512_srav_epi64(t, look_), mask_);
    return _mm512_srav_epi64(_mm512_add_epi64(_mm512_add_epi64(t, constant_), tie), shift_);
  }

 private:
  __m512i addend_, constant_, look_, mask_, shift_;
};

template <typename T, bool wraps, bool clips, typename To>
void FinishRow(const WideRow& row, const SumRows<std::int32_t>& by, const std::int32_t* sums,
               const To& y) {
  const __m512i bias = _mm512_set1_epi32(static_cast<std::int32_t>(row.bias));
  const __m512i multiplier = _mm512_set1_epi64(row.multiplier);
  const __m128i unused = _mm_cvtsi32_si128(by.unused_bits);
  const WideLanes lanes(row);
  const __m512i low = _mm512_set1_epi64(by.low);
  const __m512i high = _mm512_set1_epi64(by.high);
  const auto eight = [&](__m512i v) __attribute__((always_inline)) {
    const __m512i codes = lanes(_mm512_mul_epi32(v, multiplier));
    if constexpr (sizeof(T) < sizeof(std::int32_t)) return codes;
    return _mm512_min_epi64(_mm512_max_epi64(codes, low), high);
  };
  StoreRow<T, clips>(by.count, by.low, by.high, y,
                     [&](std::size_t i, __mmask16 some) __attribute__((always_inline)) {
                       __m512i v = _mm512_add_epi32(_mm512_maskz_loadu_epi32(some, sums + i), bias);
                       if constexpr (wraps) v = Wrapped(v, unused);
                       const __m512i even = eight(v);
                       const __m512i odd = eight(_mm512_shuffle_epi32(v, _MM_PERM_DDBB));
                       return _mm512_mask_shuffle_epi32(even, 0xaaaa, odd, _MM_PERM_CCAA);
                     });
}

template <typename T, bool wraps, bool clips>
void FinishRow(const WideRow& row, const SumRows<std::int64_t>& by, const std::int64_t* sums,
               T* y) {
  const __m512i bias = _mm512_set1_epi64(row.bias);
  const __m512i multiplier = _mm512_set1_epi64(row.multiplier);
  const __m128i unused = _mm_cvtsi32_si128(by.unused_bits);
  const WideLanes lanes(row);
  const auto finish = [&](auto multiply) {
    const auto eight = [&](std::size_t i, __mmask8 some) __attribute__((always_inline)) {
      __m512i v = _mm512_add_epi64(_mm512_maskz_loadu_epi64(some, sums + i), bias);
      if constexpr (wraps) v = _mm512_sra_epi64(_mm512_sll_epi64(v, unused), unused);
      return _mm512_cvtsepi64_epi32(lanes(multiply(v)));
    };
    StoreRow<T, clips>(by.count, by.low, by.high, y,
                       [&](std::size_t i, __mmask16 some) __attribute__((always_inline)) {
                         const __m256i low = eight(i, static_cast<__mmask8>(some));
                         const __m256i high =
                             eight(i + kLanes / 2, static_cast<__mmask8>(some >> 8));
                         return _mm512_inserti64x4(_mm512_zextsi256_si512(low), high, 1);
                       });
  };
  if (row.multiplier == 1)
    return finish([](__m512i v) __attribute__((always_inline)) { return v; });
  finish([&](__m512i v)
             __attribute__((always_inline)) { return _mm512_mullo_epi64(v, multiplier); });
}

#else

template <typename T, bool wraps, bool, typename Lane, typename Sum, typename Row>
inline void FinishLanes(const Row& row, Lane multiplier, Lane addend, const SumRows<Sum>& by,
                        const Sum* __restrict sums, T* __restrict y) {
  using Modular = std::make_unsigned_t<Sum>;
  const auto bias = static_cast<Modular>(row.bias);
  const int unused = by.unused_bits;
  const Lane low = by.low;
  const Lane high = by.high;
  const Lane constant = row.constant;
  const Lane mask = row.mask;
  const auto look = static_cast<int>(row.look);
  const auto shift = static_cast<int>(row.shift);
  for (std::size_t i = 0; i < by.count; ++i) {
    auto sum = static_cast<Modular>(static_cast<Modular>(sums[i]) + bias);
    auto v = static_cast<Sum>(sum);
    if constexpr (wraps) v = static_cast<Sum>(static_cast<Sum>(sum << unused) >> unused);
    const Lane t = static_cast<Lane>(v) * multiplier + addend;
    const Lane code = (t + constant + ((t >> look) & mask)) >> shift;
    const Lane above = code < low ? low : code;
    y[i] = static_cast<T>(above > high ? high : above);
  }
}

template <typename T, bool wraps, bool clips>
void FinishRow(const NarrowRow& row, const SumRows<std::int32_t>& by, const std::int32_t* sums,
               T* y) {
  FinishLanes<T, wraps, clips, std::int32_t>(row, 1, 0, by, sums, y);
}

template <typename T, bool wraps, bool clips, typename Sum>
void FinishRow(const WideRow& row, const SumRows<Sum>& by, const Sum* sums, T* y) {
  FinishLanes<T, wraps, clips, std::int64_t>(row, row.multiplier, row.addend, by, sums, y);
}

#endif

}  // namespace
}  // namespace qonnx_tools
