#include "integer/code_sum.h"

#include <algorithm>
#include <type_traits>

#include "core/level.h"
#include "kernels/code_elements.h"
#include "kernels/requantize.h"

namespace qonnx_tools {
namespace {

constexpr std::uint64_t kTwo63 = std::uint64_t{1} << 63;
constexpr std::size_t kPiece = 512;  // codes at a time

// a * 2^left, saturated to 2^63.
std::uint64_t Shifted(std::uint64_t a, int left) { return a > kTwo63 >> left ? kTwo63 : a << left; }

template <typename T>
void Load(Carrier carrier, const void* codes, T* to, std::size_t count) {
  const auto& requantize = AtSelectedLevel<RequantizeTable>();
  const auto index = static_cast<std::size_t>(carrier);
  if constexpr (std::is_same_v<T, std::int32_t>) {
    requantize.load32[index](codes, to, count);
  } else {
    requantize.load64[index](codes, to, count);
  }
}

}  // namespace

std::uint64_t AlignedSum::Bound(Carrier a, Carrier b) const {
  const std::uint64_t term_a = Shifted(LargestOf(a), left_a);
  const std::uint64_t term_b = Shifted(LargestOf(b), left_b);
  return term_a > kTwo63 - term_b ? kTwo63 : term_a + term_b;
}

std::optional<NarrowSum> AlignedSum::NarrowOf(Carrier a, Carrier b, std::int64_t shift,
                                              const OutputFormat& format) const {
  return NarrowSum::Of(a, left_a, b, left_b, shift, format);
}

void AlignedSum::operator()(const std::int32_t* a, const std::int32_t* b, std::int32_t* y,
                            std::size_t count) const {
  AtSelectedLevel<CodeElementsTable>().add32(a, left_a, b, left_b, y, count);
}

void AlignedSum::operator()(const std::int64_t* a, const std::int64_t* b, std::int64_t* y,
                            std::size_t count) const {
  AtSelectedLevel<CodeElementsTable>().add64(a, left_a, b, left_b, y, count);
}

CodeSum::CodeSum(const AlignedSum& sum, Carrier a, Carrier b, std::int64_t shift,
                 const OutputFormat& format)
    : sum_(sum),
      a_(a),
      b_(b),
      y_(format.carrier),
      epilogue_(format, 64, {{0}, {1}, {0}, {shift}}, {sum.Bound(a, b)}, {0}),
      narrow_(sum.NarrowOf(a, b, shift, format)) {}

void CodeSum::Run(const CodePairs& pairs) const {
  if (narrow_) return narrow_->Run(pairs);
  for (std::size_t row = 0; row < pairs.rows; ++row) {
    const void* const a =
        static_cast<const std::uint8_t*>(pairs.a) + row * pairs.a_pitch * SizeOf(a_);
    const void* const b = static_cast<const std::uint8_t*>(pairs.b) + row * pairs.b_pitch * BSize();
    void* const y = static_cast<std::uint8_t*>(pairs.y) + row * pairs.y_pitch * YSize();
    if (epilogue_.Takes32()) {
      RunRow<std::int32_t>(a, b, y, pairs.count);
    } else {
      RunRow<std::int64_t>(a, b, y, pairs.count);
    }
  }
}

template <typename T>
void CodeSum::RunRow(const void* a, const void* b, void* y, std::size_t count) const {
  alignas(64) T codes_a[kPiece];
  alignas(64) T codes_b[kPiece];
  alignas(64) T sums[kPiece];
  for (std::size_t at = 0; at < count; at += kPiece) {
    const std::size_t some = std::min(kPiece, count - at);
    Load(a_, static_cast<const std::uint8_t*>(a) + at * SizeOf(a_), codes_a, some);
    Load(b_, static_cast<const std::uint8_t*>(b) + at * BSize(), codes_b, some);
    sum_(codes_a, codes_b, sums, some);
    epilogue_.Row(0, sums, static_cast<std::uint8_t*>(y) + at * YSize(), some);
  }
}

}  // namespace qonnx_tools
