#include "kernels/depthwise_blocks.h"

#include "kernels/intrinsics.h"

namespace qonnx_tools {
namespace {

#if defined(__AVX512VNNI__)

// To gather bytes of a register is not in all CPUs of the level.
#define QONNX_TOOLS_VBMI __attribute__((target("avx512vbmi")))

bool Available() { return __builtin_cpu_supports("avx512vbmi") != 0; }

inline std::uint64_t FirstOf(std::size_t count) {
  return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

struct DotBytes {
  static constexpr int kWidth = 4;
  static __m512i Add(__m512i sums, __m512i codes, __m512i weights) {
    return _mm512_dpbusd_epi32(sums, codes, weights);
  }
};
struct DotWords {
  static constexpr int kWidth = 2;
  static __m512i Add(__m512i sums, __m512i codes, __m512i weights) {
    return _mm512_dpwssd_epi32(sums, codes, weights);
  }
};

// What the sums begin with, and how they are rounded.
struct AnyRounding {
  __m512i start, constant, mask, low, high;
  __m128i up, down, look, shift;

  explicit AnyRounding(const DepthwiseFilter& filter)
      : start(_mm512_set1_epi32(filter.numbers[0])),
        constant(_mm512_set1_epi32(filter.finish->rounding.constant)),
        mask(_mm512_set1_epi32(filter.finish->rounding.mask)),
        low(_mm512_set1_epi32(filter.finish->rounding.low)),
        high(_mm512_set1_epi32(filter.finish->rounding.high)),
        up(_mm_cvtsi32_si128(filter.finish->up)),
        down(_mm_cvtsi32_si128(filter.finish->down)),
        look(_mm_cvtsi32_si128(filter.finish->rounding.look)),
        shift(_mm_cvtsi32_si128(filter.finish->rounding.shift)) {}

  __m512i Rounded(__m512i sums) const {
    const __m512i t = _mm512_sra_epi32(_mm512_sll_epi32(sums, up), down);
    const __m512i more = _mm512_and_si512(_mm512_sra_epi32(t, look), mask);
    return _mm512_sra_epi32(_mm512_add_epi32(_mm512_add_epi32(t, constant), more), shift);
  }
};

// Half a step is added at the start; a sum without a rest then was a tie, and becomes even.
struct ToEven {
  __m512i start, rest, even, low, high;
  __m128i shift;

  explicit ToEven(const DepthwiseFilter& filter)
      : ToEven(filter.numbers[0], filter.finish->rounding) {}
  ToEven(std::int32_t bias, const NarrowFinish& by)
      : start(_mm512_add_epi32(_mm512_set1_epi32(bias), _mm512_set1_epi32((1 << by.shift) >> 1))),
        rest(_mm512_set1_epi32((1 << by.shift) - 1)),
        even(_mm512_set1_epi32(by.shift > 0 ? -2 : -1)),
        low(_mm512_set1_epi32(by.low)),
        high(_mm512_set1_epi32(by.high)),
        shift(_mm_cvtsi32_si128(by.shift)) {}

  __m512i Rounded(__m512i sums) const {
    const __m512i up = _mm512_sra_epi32(sums, shift);
    return _mm512_mask_and_epi32(up, _mm512_testn_epi32_mask(sums, rest), up, even);
  }
};

struct NoRounding {
  __m512i start;

  explicit NoRounding(const DepthwiseFilter& filter)
      : start(_mm512_set1_epi32(filter.numbers[0])) {}
};

// How a block is stored.
template <typename Rounding>
inline __m512i Clipped(__m512i block, const Rounding& by) {
  return _mm512_min_epi32(_mm512_max_epi32(by.Rounded(block), by.low), by.high);
}

struct Bytes {
  static constexpr std::size_t kSize = 1;
  template <typename Rounding>
  static void Store(std::uint8_t* y, __mmask16 some, __m512i block, const Rounding& by) {
    _mm_mask_storeu_epi8(y, some, _mm512_cvtepi32_epi8(Clipped(block, by)));
  }
};
struct AllInt8 {  // -128 .. 127
  static constexpr std::size_t kSize = 1;
  template <typename Rounding>
  static void Store(std::uint8_t* y, __mmask16 some, __m512i block, const Rounding& by) {
    _mm_mask_storeu_epi8(y, some, _mm512_cvtsepi32_epi8(by.Rounded(block)));
  }
};
struct AllInt16 {
  static constexpr std::size_t kSize = 2;
  template <typename Rounding>
  static void Store(std::uint8_t* y, __mmask16 some, __m512i block, const Rounding& by) {
    _mm256_mask_storeu_epi16(y, some, _mm512_cvtsepi32_epi16(by.Rounded(block)));
  }
};
struct Shorts {
  static constexpr std::size_t kSize = 2;
  template <typename Rounding>
  static void Store(std::uint8_t* y, __mmask16 some, __m512i block, const Rounding& by) {
    _mm256_mask_storeu_epi16(y, some, _mm512_cvtepi32_epi16(Clipped(block, by)));
  }
};
struct Sums {
  static constexpr std::size_t kSize = 4;
  template <typename Rounding>
  static void Store(std::uint8_t* y, __mmask16 some, __m512i block, const Rounding&) {
    _mm512_mask_storeu_epi32(y, some, block);
  }
};

// Blocks below each other.
struct Column {
  const DepthwiseMap& map;
  const DepthwiseFilter& filter;
  const std::uint8_t* from;
  std::uint8_t* to;
  __mmask16 some;  // the lanes in use
  __mmask16 last;  // in the last block
};

QONNX_TOOLS_VBMI inline __m512i Gathered(const std::uint8_t* from, __m512i gather) {
  return _mm512_permutexvar_epi8(gather, _mm512_loadu_si512(from));
}

template <typename Dot, typename Stored, typename Rounding>
QONNX_TOOLS_VBMI inline void AnyColumn(const Column& column, const Rounding& rounding) {
  const DepthwiseMap& map = column.map;
  const __m512i gather = _mm512_load_si512(map.gather);
  const std::int32_t* const weights = column.filter.numbers + 1;
  const std::size_t groups = map.kernel_rows * map.row_groups;
  const std::uint8_t* from = column.from;
  std::uint8_t* to = column.to;
  for (std::size_t row = 0; row < map.out[0]; row += map.block_rows) {
    __m512i sums = rounding.start;
    for (std::size_t group = 0; group < groups; ++group) {
      sums = Dot::Add(sums, Gathered(from + map.group_bytes[group], gather),
                      _mm512_set1_epi32(weights[group]));
    }
    const bool is_last = row + map.block_rows >= map.out[0];
    Stored::Store(to, is_last ? column.last : column.some, sums, rounding);
    from += map.block_rows * map.row_bytes;
    to += map.block_rows * map.out[1] * Stored::kSize;
  }
}

// The rows of the kernel adjoin: of a block, those after the first `advance` are the first rows of
// the block below.
template <typename Dot, typename Stored, typename Rounding, int rows, int row_groups, int advance>
QONNX_TOOLS_VBMI inline void RollingColumn(const Column& column, const Rounding& rounding) {
  const DepthwiseMap& map = column.map;
  const __m512i gather = _mm512_load_si512(map.gather);
  const std::size_t pitch = rows > 1 ? map.group_bytes[row_groups] : 0;
  std::size_t group_bytes[row_groups];
  __m512i weights[rows][row_groups];
  __m512i codes[rows][row_groups];
  const std::uint8_t* from = column.from;  // of the first row that is still to be gathered
  for (int group = 0; group < row_groups; ++group) group_bytes[group] = map.group_bytes[group];
  for (int row = 0; row < rows; ++row) {
    for (int group = 0; group < row_groups; ++group) {
      weights[row][group] = _mm512_set1_epi32(column.filter.numbers[1 + row * row_groups + group]);
      if (row >= advance) codes[row][group] = Gathered(from + group_bytes[group], gather);
    }
    if (row >= advance) from += pitch;
  }
  std::uint8_t* to = column.to;
  for (std::size_t out = 0; out < map.out[0]; out += map.block_rows) {
#pragma GCC unroll 8
    for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 8
      for (int group = 0; group < row_groups; ++group) {
        codes[row][group] = row + advance < rows ? codes[row + advance][group]
                                                 : Gathered(from + group_bytes[group], gather);
      }
      if (row + advance >= rows) from += pitch;
    }
    __m512i sums = rounding.start;
#pragma GCC unroll 8
    for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 8
      for (int group = 0; group < row_groups; ++group) {
        sums = Dot::Add(sums, codes[row][group], weights[row][group]);
      }
    }
    const bool is_last = out + map.block_rows >= map.out[0];
    Stored::Store(to, is_last ? column.last : column.some, sums, rounding);
    to += map.block_rows * map.out[1] * Stored::kSize;
  }
}

template <typename Dot, typename Stored, typename Rounding, int rows, int row_groups>
QONNX_TOOLS_VBMI inline bool Rolls(const Column& column, const Rounding& rounding) {
  const DepthwiseMap& map = column.map;
  if (!map.rows_adjoin || map.kernel_rows != rows || map.row_groups != row_groups) return false;
  if (map.advance == 1) {
    RollingColumn<Dot, Stored, Rounding, rows, row_groups, 1>(column, rounding);
  } else if (map.advance == 2) {
    RollingColumn<Dot, Stored, Rounding, rows, row_groups, 2>(column, rounding);
  } else {
    return false;
  }
  return true;
}

template <typename Dot, typename Stored, typename Rounding>
QONNX_TOOLS_VBMI void Filter(const DepthwiseMap& map, const DepthwiseFilter& filter,
                             const void* padded, void* y) {
  const Rounding rounding(filter);
  const std::size_t columns = map.out[1];
  // Of the last rows there may be fewer than in the other blocks.
  const std::size_t last_rows = (map.out[0] - 1) % map.block_rows + 1;
  for (std::size_t column = 0; column < columns; column += map.block_columns) {
    const std::size_t left = columns - column;
    const std::size_t count = left < map.block_columns ? left : map.block_columns;
    const auto some = static_cast<__mmask16>(FirstOf(map.block_rows * count));
    const auto last = static_cast<__mmask16>(FirstOf(last_rows * count));
    const Column blocks = {map,
                           filter,
                           static_cast<const std::uint8_t*>(padded) + column * map.column_bytes,
                           static_cast<std::uint8_t*>(y) + column * Stored::kSize,
                           some,
                           last};
    const bool done = Dot::kWidth == 4 ? Rolls<Dot, Stored, Rounding, 3, 1>(blocks, rounding) ||
                                             Rolls<Dot, Stored, Rounding, 5, 2>(blocks, rounding)
                                       : Rolls<Dot, Stored, Rounding, 3, 2>(blocks, rounding);
    if (!done) AnyColumn<Dot, Stored>(blocks, rounding);
  }
}

template <typename Dot>
constexpr DepthwiseFilters kFilters = {
    {Filter<Dot, Bytes, ToEven>, Filter<Dot, Bytes, AnyRounding>},
    {Filter<Dot, AllInt8, ToEven>, Filter<Dot, AllInt8, AnyRounding>},
    {Filter<Dot, Shorts, ToEven>, Filter<Dot, Shorts, AnyRounding>},
    {Filter<Dot, AllInt16, ToEven>, Filter<Dot, AllInt16, AnyRounding>},
    Filter<Dot, Sums, NoRounding>};

constexpr DepthwiseBlocksTable kTable = {Available, kFilters<DotBytes>, kFilters<DotWords>};

#else

bool Available() { return false; }
constexpr DepthwiseBlocksTable kTable = {Available, {}, {}};

#endif

}  // namespace

constinit const DepthwiseBlocksTable DepthwiseBlocksTable::QONNX_TOOLS_LEVEL = kTable;

}  // namespace qonnx_tools
