#include "kernels/log_panel.h"

#if defined(__AVX512VNNI__)
#include <immintrin.h>
#endif

namespace qonnx_tools {
namespace {

void Expand(const LogExpansion& expansion) {
  for (std::size_t plane = 0; plane < expansion.plane_count; ++plane) {
    const std::uint8_t* const table = expansion.tables[plane];
    std::uint8_t* const to = expansion.planes[plane];
    for (std::size_t i = 0; i < expansion.count; ++i) {
      const std::uint8_t code = expansion.codes[i];
      const std::uint8_t above = code < expansion.low ? expansion.low : code;
      to[i] = table[(above > expansion.high ? expansion.high : above) - expansion.low];
    }
  }
}

std::uint8_t Smallest(const std::uint8_t* bytes, std::size_t count, std::uint8_t zero) {
  const auto below = static_cast<std::uint8_t>(zero + 1);
  std::uint8_t least = 255;
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = static_cast<std::uint8_t>(bytes[i] - below);
    least = code < least ? code : least;
  }
  return least;
}

void ShiftLeft(std::int32_t* sums, int shift, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t sum = shift < 32 ? static_cast<std::uint32_t>(sums[i]) << shift : 0;
    sums[i] = static_cast<std::int32_t>(sum);
  }
}

#if defined(__AVX512VNNI__)

// Not all CPUs of the level have these instructions.
#define QONNX_TOOLS_VBMI __attribute__((target("avx512vbmi")))

// Of `planes` planes from `first` on.
template <std::size_t planes>
QONNX_TOOLS_VBMI void ExpandSome(const LogExpansion& expansion, std::size_t first) {
  const __m512i low = _mm512_set1_epi8(static_cast<char>(expansion.low));
  const __m512i high = _mm512_set1_epi8(static_cast<char>(expansion.high));
  __m512i tables[planes];
  std::uint8_t* to[planes];
  for (std::size_t i = 0; i < planes; ++i) {
    tables[i] = _mm512_loadu_si512(expansion.tables[first + i]);
    to[i] = expansion.planes[first + i];
  }
  for (std::size_t at = 0; at < expansion.count; at += 64) {
    const __m512i codes = _mm512_loadu_si512(expansion.codes + at);
    const __m512i within = _mm512_min_epu8(_mm512_max_epu8(codes, low), high);
    const __m512i entries = _mm512_sub_epi8(within, low);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < planes; ++i) {
      _mm512_storeu_si512(to[i] + at, _mm512_permutexvar_epi8(entries, tables[i]));
    }
  }
}

void FastExpand(const LogExpansion& expansion) {
  if (__builtin_cpu_supports("avx512vbmi") == 0) return Expand(expansion);
  std::size_t plane = 0;
  for (; plane + 4 <= expansion.plane_count; plane += 4) ExpandSome<4>(expansion, plane);
  if (plane + 2 <= expansion.plane_count) {
    ExpandSome<2>(expansion, plane);
    plane += 2;
  }
  if (plane < expansion.plane_count) ExpandSome<1>(expansion, plane);
}

inline void AddTo(std::int32_t* sums, __m512i products, __m128i shift) {
  const __m512i shifted = _mm512_sll_epi32(products, shift);
  _mm512_storeu_si512(sums, _mm512_add_epi32(_mm512_loadu_si512(sums), shifted));
}

inline void AddTo(std::int64_t* sums, __m512i products, __m128i shift) {
  const __m256i halves[] = {_mm512_castsi512_si256(products),
                            _mm512_extracti64x4_epi64(products, 1)};
  for (int half = 0; half < 2; ++half) {
    const __m512i shifted = _mm512_sll_epi64(_mm512_cvtepi32_epi64(halves[half]), shift);
    std::int64_t* const to = sums + 8 * half;
    _mm512_storeu_si512(to, _mm512_add_epi64(_mm512_loadu_si512(to), shifted));
  }
}

template <std::size_t groups, typename Sum>
void SparseRows(const SparseProducts<Sum>& products) {
  const __m128i shift = _mm_cvtsi32_si128(products.shift);
  for (std::size_t row = 0; row < products.rows; ++row) {
    const SparseUnit* at = products.units + products.begins[row];
    const SparseUnit* const end = products.units + products.begins[row + 1];
    if (at == end) continue;
    __m512i sums[groups];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < groups; ++i) sums[i] = _mm512_setzero_si512();
    for (; at != end; ++at) {
      const __m512i unit = _mm512_set1_epi32(at->unit);
      const std::int32_t* const b = products.b + at->step * products.b_step;
#pragma GCC unroll 4
      for (std::size_t i = 0; i < groups; ++i) {
        sums[i] = _mm512_dpbusd_epi32(sums[i], _mm512_loadu_si512(b + i * kGroup), unit);
      }
    }
    Sum* const to = products.sums + row * products.sums_row;
#pragma GCC unroll 4
    for (std::size_t i = 0; i < groups; ++i) AddTo(to + i * kGroup, sums[i], shift);
  }
}

template <typename Sum>
void AddSparse(const SparseProducts<Sum>& products) {
  constexpr void (*kOfGroups[])(const SparseProducts<Sum>&) = {
      SparseRows<1, Sum>, SparseRows<2, Sum>, SparseRows<3, Sum>, SparseRows<4, Sum>};
  kOfGroups[products.groups - 1](products);
}

#endif

}  // namespace

#if defined(__AVX512VNNI__)
constinit const LogPanelTable LogPanelTable::QONNX_TOOLS_LEVEL = {
    FastExpand, Smallest, AddSparse<std::int32_t>, AddSparse<std::int64_t>, ShiftLeft};
#else
constinit const LogPanelTable LogPanelTable::QONNX_TOOLS_LEVEL = {Expand, Smallest, nullptr,
                                                                  nullptr, ShiftLeft};
#endif

}  // namespace qonnx_tools
