// FinishRow of finish.cc and finish_sum.cc: one row of accumulators. Included by them only.
//
// `wraps` says whether any bits are unused, `clips` whether the codes' range is not that of T.

#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/finish.h"
#include "kernels/store_row.h"

namespace qonnx_tools {
namespace {

#if defined(__AVX512BW__)

inline __m512i Wrapped(__m512i v, __m128i unused) {
  return _mm512_sra_epi32(_mm512_sll_epi32(v, unused), unused);
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
