// An even and an odd accumulator as one: y = wrap(even + e) + round_shift(wrap(odd + o) * 46341,
// 16), ties to even, modulo 2^64; as in arithmetic/log_products.py.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

template <typename Sum>
struct Accumulators {
  const Sum* even;
  const Sum* odd;
  std::int64_t even_addend;
  std::int64_t odd_addend;
  int unused_bits;  // bits of Sum less those that are kept
};

struct JoinTable {
  void (*narrow)(const Accumulators<std::int32_t>& from, std::int32_t* y, std::size_t count);
  void (*widening)(const Accumulators<std::int32_t>& from, std::int64_t* y, std::size_t count);
  void (*wide)(const Accumulators<std::int64_t>& from, std::int64_t* y, std::size_t count);

  static const JoinTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
