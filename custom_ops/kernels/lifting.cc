#include "kernels/lifting.h"

#include <cstring>

#include "kernels/wrapping.h"

#if defined(__AVX512F__)
// Rows are short: wide vectors would leave most of them to scalar code.
#pragma GCC target("prefer-vector-width=256")
#endif

namespace qonnx_tools {
namespace {

// The lifting steps on n numbers each. a and b are the even samples before and after an odd one, or
// the high samples before and after an even one.
struct Haar {
  template <typename Value>
  static Value Predict(Value a, Value) {
    return a;
  }
  template <typename Value>
  static Value Update(Value, Value b) {
    return static_cast<Value>(b >> 1);
  }
  // What an even sample without an odd one behind it is updated by.
  template <typename Value>
  static Value UpdateLast(Value) {
    return 0;
  }
};

struct LeGall {
  template <typename Value>
  static Value Predict(Value a, Value b) {
    return static_cast<Value>(Add(a, b) >> 1);
  }
  template <typename Value>
  static Value Update(Value a, Value b) {
    return static_cast<Value>(Add<Sum<Value>>(Add(a, b), 2) >> 2);
  }
  template <typename Value>
  static Value UpdateLast(Value a) {
    return Update(a, a);
  }
};

// odd[i] -= prediction (or += with `inverse`).
template <typename Wavelet, bool inverse, typename Value>
inline void PredictInto(const Value* before, const Value* after, Value* __restrict odd,
                        std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Value predicted = Wavelet::Predict(before[i], after[i]);
    odd[i] = static_cast<Value>(inverse ? Add(odd[i], predicted) : Subtract(odd[i], predicted));
  }
}

template <typename Wavelet, bool inverse, typename Value>
inline void UpdateInto(const Value* before, const Value* after, Value* __restrict even,
                       std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Value update = Wavelet::Update(before[i], after[i]);
    even[i] = static_cast<Value>(inverse ? Subtract(even[i], update) : Add(even[i], update));
  }
}

template <typename Wavelet, bool inverse, typename Value>
inline void UpdateLastInto(const Value* before, Value* __restrict even, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Value update = Wavelet::UpdateLast(before[i]);
    even[i] = static_cast<Value>(inverse ? Subtract(even[i], update) : Add(even[i], update));
  }
}

// Both steps along a row whose even samples are `low` and whose odd ones are `high`.
template <typename Wavelet, bool inverse, typename Value>
inline void PredictRow(Value* low, Value* high, std::size_t width) {
  const std::size_t pairs = width / 2;
  const std::size_t inner = width % 2 == 0 ? pairs - 1 : pairs;
  PredictInto<Wavelet, inverse>(low, low + 1, high, inner);
  if (inner < pairs) PredictInto<Wavelet, inverse>(low + inner, low + inner, high + inner, 1);
}

template <typename Wavelet, bool inverse, typename Value>
inline void UpdateRow(Value* low, Value* high, std::size_t width) {
  const std::size_t pairs = width / 2;
  UpdateInto<Wavelet, inverse>(high, high, low, 1);
  UpdateInto<Wavelet, inverse>(high, high + 1, low + 1, pairs - 1);
  if (width % 2 != 0) UpdateLastInto<Wavelet, inverse>(high + pairs - 1, low + pairs, 1);
}

template <typename Wavelet, bool inverse, typename Value>
inline void PredictRows(Value* rows, std::size_t height, std::size_t width) {
  for (std::size_t odd = 1; odd < height; odd += 2) {
    const Value* const before = rows + (odd - 1) * width;
    const Value* const after = odd + 1 < height ? rows + (odd + 1) * width : before;
    PredictInto<Wavelet, inverse>(before, after, rows + odd * width, width);
  }
}

template <typename Wavelet, bool inverse, typename Value>
inline void UpdateRows(Value* rows, std::size_t height, std::size_t width) {
  for (std::size_t even = 0; even < height; even += 2) {
    Value* const row = rows + even * width;
    if (even + 1 == height) {
      UpdateLastInto<Wavelet, inverse>(row - width, row, width);
    } else {
      const Value* const after = row + width;
      UpdateInto<Wavelet, inverse>(even == 0 ? after : row - width, after, row, width);
    }
  }
}

template <typename Value>
void Copy(const Value* from, Value* to, std::size_t count) {
  if (count != 0) std::memcpy(to, from, count * sizeof(Value));
}

// Calls body(row of the split map, row of the low band, row of the high band) for each row.
template <typename Value, typename Body>
inline void ForRows(const Bands<Value>& bands, std::size_t height, std::size_t width, Value* rows,
                    Body body) {
  const std::size_t low = (width + 1) / 2, high = width / 2;
  for (std::size_t y = 0; y < height; ++y) {
    Value* const row = rows + y * width;
    body(row, (y % 2 == 0 ? bands.ll : bands.lh) + y / 2 * low,
         (y % 2 == 0 ? bands.hl : bands.hh) + y / 2 * high);
  }
}

template <typename Wavelet, typename Value>
void Split(const Value* x, std::size_t height, std::size_t width, const Bands<Value>& bands,
           Value* rows) {
  const std::size_t low = (width + 1) / 2, high = width / 2;
  for (std::size_t y = 0; y < height; ++y) {
    const Value* const from = x + y * width;
    Value* const row = rows + y * width;
    for (std::size_t i = 0; i < high; ++i) {
      row[i] = from[2 * i];
      row[low + i] = from[2 * i + 1];
    }
    if (low > high) row[high] = from[width - 1];
    if (high == 0) continue;
    PredictRow<Wavelet, false>(row, row + low, width);
    UpdateRow<Wavelet, false>(row, row + low, width);
  }
  if (height > 1) {
    PredictRows<Wavelet, false>(rows, height, width);
    UpdateRows<Wavelet, false>(rows, height, width);
  }
  ForRows(bands, height, width, rows, [&](Value* row, Value* left, Value* right) {
    Copy(row, left, low);
    Copy(row + low, right, high);
  });
}

template <typename Wavelet, typename Value>
void Join(const Bands<Value>& bands, std::size_t height, std::size_t width, Value* x, Value* rows) {
  const std::size_t low = (width + 1) / 2, high = width / 2;
  ForRows(bands, height, width, rows, [&](Value* row, const Value* left, const Value* right) {
    Copy(left, row, low);
    Copy(right, row + low, high);
  });
  if (height > 1) {
    UpdateRows<Wavelet, true>(rows, height, width);
    PredictRows<Wavelet, true>(rows, height, width);
  }
  for (std::size_t y = 0; y < height; ++y) {
    Value* const row = rows + y * width;
    Value* const to = x + y * width;
    if (high != 0) {
      UpdateRow<Wavelet, true>(row, row + low, width);
      PredictRow<Wavelet, true>(row, row + low, width);
    }
    for (std::size_t i = 0; i < high; ++i) {
      to[2 * i] = row[i];
      to[2 * i + 1] = row[low + i];
    }
    if (low > high) to[width - 1] = row[high];
  }
}

template <typename Value>
constexpr LiftingTable<Value> kTable = {{Split<Haar, Value>, Split<LeGall, Value>},
                                        {Join<Haar, Value>, Join<LeGall, Value>}};

}  // namespace

template <>
constinit const LiftingTable<std::int16_t> LiftingTable<std::int16_t>::QONNX_TOOLS_LEVEL =
    kTable<std::int16_t>;
template <>
constinit const LiftingTable<std::int32_t> LiftingTable<std::int32_t>::QONNX_TOOLS_LEVEL =
    kTable<std::int32_t>;
template <>
constinit const LiftingTable<std::int64_t> LiftingTable<std::int64_t>::QONNX_TOOLS_LEVEL =
    kTable<std::int64_t>;

}  // namespace qonnx_tools
