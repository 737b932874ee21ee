#include "kernels/pool.h"

#include <limits>
#include <type_traits>

#include "kernels/registers.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kPart = 16384;  // codes whose sum 32 bits hold

// What is made of the numbers of a window.
template <typename T>
struct Largest {
  using Number = T;
  using Partial = Largest<T>;  // of at most kPart codes
  static constexpr T kPadding = std::numeric_limits<T>::min();

  static Vector<T> Of(Vector<T> a, Vector<T> b) { return b > a ? b : a; }
  static T Of(T a, T b) { return b > a ? b : a; }
};

template <typename T>
struct Sum {
  using Number = T;
  using Partial = Sum<std::int32_t>;
  static constexpr T kPadding = 0;

  // Unsigned, as the lanes of a register beyond the end of a map hold anything.
  static Vector<T> Of(Vector<T> a, Vector<T> b) {
    using Lanes = Vector<std::make_unsigned_t<T>>;
    return reinterpret_cast<Vector<T>>(reinterpret_cast<Lanes>(a) + reinterpret_cast<Lanes>(b));
  }
  static T Of(T a, T b) { return a + b; }
};

// Columns of the map with its padding.
inline std::size_t PitchOf(const MapWindows& windows) {
  return windows.pad_begin[1] + windows.in[1] + windows.pad_end[1];
}

// Whether the one window is the map as it is.
inline bool IsWhole(const MapWindows& windows) {
  bool whole = true;
  for (int axis = 0; axis < 2; ++axis) {
    whole &= windows.in[axis] == windows.kernel[axis] && windows.out[axis] == 1 &&
             windows.dilation[axis] == 1 && windows.pad_begin[axis] == 0;
  }
  return whole;
}

template <typename Number>
inline Vector<Number> Load(const Number* from) {
  Vector<Number> numbers;
  __builtin_memcpy(&numbers, from, sizeof numbers);
  return numbers;
}

// to[i] is made of from[i], from[i + step], .. from[i + (taps - 1) * step]. Reads and writes up to
// a register more.
template <typename Operation, typename Number = typename Operation::Number>
inline void ReduceTaps(const Number* from, std::size_t step, std::size_t taps, Number* to,
                       std::size_t count) {
  static_assert(kLanesOf<Number> <= MapWindows::kSlack);
  for (std::size_t i = 0; i < count; i += kLanesOf<Number>) {
    Vector<Number> result = Load(from + i);
    for (std::size_t tap = 1; tap < taps; ++tap) {
      result = Operation::Of(result, Load(from + i + tap * step));
    }
    __builtin_memcpy(to + i, &result, sizeof result);
  }
}

template <typename Number>
inline Number* Fill(Number* to, std::size_t count, Number number) {
  for (std::size_t i = 0; i < count; ++i) to[i] = number;
  return to + count;
}

template <typename T, typename Number>
inline Number* Copy(const T* __restrict from, std::size_t count, Number* __restrict to) {
  if constexpr (std::is_same_v<T, Number>) {
    __builtin_memcpy(to, from, count * sizeof(T));
  } else {
    for (std::size_t i = 0; i < count; ++i) to[i] = from[i];
  }
  return to + count;
}

template <typename T, typename Number>
inline void CopyPadded(const MapWindows& windows, const T* x, Number padding, Number* to) {
  const std::size_t columns = windows.in[1];
  to = Fill(to, windows.pad_begin[0] * PitchOf(windows), padding);
  if (PitchOf(windows) == columns) {
    to = Copy(x, windows.in[0] * columns, to);
  } else {
    for (std::size_t row = 0; row < windows.in[0]; ++row) {
      to = Fill(to, windows.pad_begin[1], padding);
      to = Copy(x + row * columns, columns, to);
      to = Fill(to, windows.pad_end[1], padding);
    }
  }
  Fill(to, windows.pad_end[0] * PitchOf(windows), padding);
}

template <typename Number>
inline void Pick(const Number* __restrict from, std::size_t stride, Number* __restrict to,
                 std::size_t count) {
  if (stride == 1) {
    Copy(from, count, to);
  } else if (stride == 2) {
    for (std::size_t i = 0; i < count; ++i) to[i] = from[2 * i];
  } else {
    for (std::size_t i = 0; i < count; ++i) to[i] = from[i * stride];
  }
}

template <typename Operation, typename T>
inline typename Operation::Number OfAll(const T* x, std::size_t count) {
  using Partial = typename Operation::Partial;
  typename Operation::Number result = Operation::kPadding;
  for (std::size_t begin = 0; begin < count; begin += kPart) {
    const std::size_t end = count - begin < kPart ? count : begin + kPart;
    typename Partial::Number part = Partial::kPadding;
    for (std::size_t i = begin; i < end; ++i) part = Partial::Of(part, x[i]);
    result = Operation::Of(result, part);
  }
  return result;
}

// Along columns first, then along rows, for every place of the padded map; those at which a window
// begins are picked at the end.
template <template <typename> typename Operation, typename T, typename Number>
void PoolMap(const MapWindows& windows, const void* x, void* padded, void* columns, void* y) {
  const T* const codes = static_cast<const T*>(x);
  Number* const map = static_cast<Number*>(padded);
  Number* const of_columns = static_cast<Number*>(columns);
  Number* const out = static_cast<Number*>(y);
  if (IsWhole(windows)) {
    *out = OfAll<Operation<Number>>(codes, windows.in[0] * windows.in[1]);
    return;
  }
  CopyPadded(windows, codes, Operation<Number>::kPadding, map);
  const std::size_t pitch = PitchOf(windows);
  const std::size_t down = windows.dilation[0] * pitch;
  const std::size_t places = windows.out[0] * pitch;
  if (windows.stride[0] == 1) {
    ReduceTaps<Operation<Number>>(map, down, windows.kernel[0], of_columns, places);
  } else {
    for (std::size_t row = 0; row < windows.out[0]; ++row) {
      ReduceTaps<Operation<Number>>(map + row * windows.stride[0] * pitch, down, windows.kernel[0],
                                    of_columns + row * pitch, pitch);
    }
  }
  Number* const of_windows = map;
  ReduceTaps<Operation<Number>>(of_columns, windows.dilation[1], windows.kernel[1], of_windows,
                                places);
  for (std::size_t row = 0; row < windows.out[0]; ++row) {
    Pick(of_windows + row * pitch, windows.stride[1], out + row * windows.out[1], windows.out[1]);
  }
}

template <typename T>
constexpr Pool kMaxima = PoolMap<Largest, T, T>;
template <typename T>
constexpr Pool kSums32 = PoolMap<Sum, T, std::int32_t>;
template <typename T>
constexpr Pool kSums64 = PoolMap<Sum, T, std::int64_t>;

}  // namespace

constinit const PoolTable PoolTable::QONNX_TOOLS_LEVEL = {
    {kMaxima<std::int8_t>, kMaxima<std::uint8_t>, kMaxima<std::int16_t>, kMaxima<std::uint16_t>,
     kMaxima<std::int32_t>},
    {kSums32<std::int8_t>, kSums32<std::uint8_t>, kSums32<std::int16_t>, kSums32<std::uint16_t>},
    {kSums64<std::int8_t>, kSums64<std::uint8_t>, kSums64<std::int16_t>, kSums64<std::uint16_t>}};

}  // namespace qonnx_tools
