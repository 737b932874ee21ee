#include "kernels/multiply.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace qonnx_tools {
namespace {

// A register of 32-bit units, and what the level can do with it.
#if defined(__AVX512VNNI__)

using Units = __m512i;
inline constexpr std::size_t kRegisters = 4;  // columns of one block, with kRows rows
inline Units Zero() { return _mm512_setzero_si512(); }
inline Units Load(const std::int32_t* from) { return _mm512_loadu_si512(from); }
inline void Store(std::int32_t* to, Units units) { _mm512_storeu_si512(to, units); }
inline Units Repeat(std::int32_t unit) { return _mm512_set1_epi32(unit); }

struct Words {
  static Units Add(Units sum, Units a, Units b) { return _mm512_dpwssd_epi32(sum, a, b); }
};
struct SignedByUnsigned {
  static Units Add(Units sum, Units a, Units b) { return _mm512_dpbusd_epi32(sum, b, a); }
};
struct UnsignedBySigned {
  static Units Add(Units sum, Units a, Units b) { return _mm512_dpbusd_epi32(sum, a, b); }
};

#elif defined(__AVX2__)

using Units = __m256i;
inline constexpr std::size_t kRegisters = 2;
inline Units Zero() { return _mm256_setzero_si256(); }
inline Units Load(const std::int32_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline void Store(std::int32_t* to, Units units) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), units);
}
inline Units Repeat(std::int32_t unit) { return _mm256_set1_epi32(unit); }

struct Words {
  static Units Add(Units sum, Units a, Units b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
  }
};

#elif defined(__SSE2__)

using Units = __m128i;
inline constexpr std::size_t kRegisters = 2;
inline Units Zero() { return _mm_setzero_si128(); }
inline Units Load(const std::int32_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
inline void Store(std::int32_t* to, Units units) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), units);
}
inline Units Repeat(std::int32_t unit) { return _mm_set1_epi32(unit); }

struct Words {
  static Units Add(Units sum, Units a, Units b) { return _mm_add_epi32(sum, _mm_madd_epi16(a, b)); }
};

#else

using Units = std::uint32_t;
inline constexpr std::size_t kRegisters = 2;
inline Units Zero() { return 0; }
inline Units Load(const std::int32_t* from) { return static_cast<Units>(*from); }
inline void Store(std::int32_t* to, Units units) { *to = static_cast<std::int32_t>(units); }
inline Units Repeat(std::int32_t unit) { return static_cast<Units>(unit); }

struct Words {
  static std::int32_t Low(Units units) { return static_cast<std::int16_t>(units); }
  static std::int32_t High(Units units) { return static_cast<std::int16_t>(units >> 16); }
  static Units Add(Units sum, Units a, Units b) {
    return sum + static_cast<Units>(Low(a) * Low(b)) + static_cast<Units>(High(a) * High(b));
  }
};

#endif

inline constexpr std::size_t kLanes = sizeof(Units) / sizeof(std::int32_t);

// `registers` columns of registers from column `first` on.
template <typename Dot, std::size_t rows, std::size_t registers>
void Block(const Factors& factors, std::size_t first) {
  Units sums[rows][registers];
  std::int32_t* const c = factors.c + first;
#pragma GCC unroll 6
  for (std::size_t row = 0; row < rows; ++row) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < registers; ++i) {
      sums[row][i] = factors.accumulate ? Load(c + row * factors.c_row + i * kLanes) : Zero();
    }
  }
  const std::int32_t* a = factors.a;
  const std::int32_t* b = factors.b + first;
  const std::size_t a_row = factors.a_row;
  for (std::size_t step = factors.steps; step != 0; --step) {
    Units columns[registers];

#pragma GCC unroll 4
    for (std::size_t i = 0; i < registers; ++i) columns[i] = Load(b + i * kLanes);
#pragma GCC unroll 6
    for (std::size_t row = 0; row < rows; ++row) {
      const Units unit = Repeat(a[row * a_row]);

#pragma GCC unroll 4
      for (std::size_t i = 0; i < registers; ++i) {
        sums[row][i] = Dot::Add(sums[row][i], unit, columns[i]);
      }
    }
    a += factors.a_step;
    b += factors.b_step;
  }
#pragma GCC unroll 6
  for (std::size_t row = 0; row < rows; ++row) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < registers; ++i) {
      Store(c + row * factors.c_row + i * kLanes, sums[row][i]);
    }
  }
}

template <typename Dot, std::size_t rows>
void Columns(const Factors& factors) {
  std::size_t first = 0;
  std::size_t left = factors.groups * kGroup / kLanes;
  for (; left >= kRegisters; left -= kRegisters) {
    Block<Dot, rows, kRegisters>(factors, first);
    first += kRegisters * kLanes;
  }
  if constexpr (kLanes == kGroup) {
    if (left == 3) Block<Dot, rows, 3>(factors, first);
    if (left == 2) Block<Dot, rows, 2>(factors, first);
    if (left == 1) Block<Dot, rows, 1>(factors, first);
  }
}

template <typename Dot>
void Multiply(const Factors& factors) {
  switch (factors.rows) {
    case 1:
      return Columns<Dot, 1>(factors);
    case 2:
      return Columns<Dot, 2>(factors);
    case 3:
      return Columns<Dot, 3>(factors);
    case 4:
      return Columns<Dot, 4>(factors);
    case 5:
      return Columns<Dot, 5>(factors);
    default:
      return Columns<Dot, 6>(factors);
  }
}

#if defined(__AVX512VNNI__)
template <std::size_t registers>
void SparseRow(const SparseFactors& factors, std::size_t row) {
  const __m128i shift = _mm_cvtsi32_si128(factors.shifts[row]);
  std::int32_t* const to = factors.sums + row * factors.sums_row;
  Units sums[registers];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < registers; ++i) {
    sums[i] = _mm512_sll_epi32(Load(to + i * kLanes), shift);
  }
  const SparseUnit* const end = factors.units + factors.begins[row + 1];
  for (const SparseUnit* at = factors.units + factors.begins[row]; at != end; ++at) {
    const Units unit = Repeat(at->unit);
    const std::int32_t* const b = factors.b + at->step * factors.b_step;
#pragma GCC unroll 4
    for (std::size_t i = 0; i < registers; ++i) {
      sums[i] = SignedByUnsigned::Add(sums[i], unit, Load(b + i * kLanes));
    }
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < registers; ++i) Store(to + i * kLanes, sums[i]);
}

void AddSparse(const SparseFactors& factors) {
  constexpr void (*kRowOf[])(const SparseFactors&, std::size_t) = {SparseRow<1>, SparseRow<2>,
                                                                   SparseRow<3>, SparseRow<4>};
  for (std::size_t row = 0; row < factors.rows; ++row) kRowOf[factors.groups - 1](factors, row);
}
#endif

void Add(const std::int32_t* __restrict c, int shift, std::int32_t* __restrict sums,
         std::size_t count) {
  if (shift >= 32) return;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t shifted = static_cast<std::uint32_t>(c[i]) << shift;
    sums[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(sums[i]) + shifted);
  }
}

void Widen(const std::int32_t* __restrict c, int shift, std::int64_t* __restrict sums,
           std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto shifted = static_cast<std::uint64_t>(static_cast<std::int64_t>(c[i])) << shift;
    sums[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(sums[i]) + shifted);
  }
}

}  // namespace

#if defined(__AVX512VNNI__)
constinit const MultiplyTable MultiplyTable::QONNX_TOOLS_LEVEL = {
    Multiply<Words>, Multiply<SignedByUnsigned>, Multiply<UnsignedBySigned>, AddSparse, Add, Widen};
#else
constinit const MultiplyTable MultiplyTable::QONNX_TOOLS_LEVEL = {Multiply<Words>, nullptr, nullptr,
                                                                  nullptr,         Add,     Widen};
#endif

}  // namespace qonnx_tools
