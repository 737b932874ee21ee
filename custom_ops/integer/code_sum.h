// Sums of two tensors of codes at a common LSB.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "integer/epilogue.h"
#include "integer/narrow_elements.h"
#include "integer/output_format.h"

namespace qonnx_tools {

// a * 2^left_a + b * 2^left_b; lefts 0 .. 62.
struct AlignedSum {
  using Narrow = NarrowSum;

  int left_a = 0;
  int left_b = 0;

  // The largest sum of codes of these carriers, saturated to 2^63.
  std::uint64_t Bound(Carrier a, Carrier b) const;
  std::optional<Narrow> NarrowOf(Carrier a, Carrier b, std::int64_t shift,
                                 const OutputFormat& format) const;
  // y[i] of a[i] and b[i], modulo 2^32 or 2^64.
  void operator()(const std::int32_t* a, const std::int32_t* b, std::int32_t* y,
                  std::size_t count) const;
  void operator()(const std::int64_t* a, const std::int64_t* b, std::int64_t* y,
                  std::size_t count) const;
};

// y = clip(round_shift(a * 2^left_a + b * 2^left_b, shift)) of equally many codes a and b.
class CodeSum {
 public:
  CodeSum(const AlignedSum& sum, Carrier a, Carrier b, std::int64_t shift,
          const OutputFormat& format);

  void Run(const CodePairs& pairs) const;
  // As NarrowSum::OfBytes.
  const NarrowSumParameters* OfBytes() const { return narrow_ ? narrow_->OfBytes() : nullptr; }
  bool YIsSigned() const { return IsSigned(y_); }
  std::size_t BSize() const { return SizeOf(b_); }
  std::size_t YSize() const { return SizeOf(y_); }

 private:
  template <typename T>
  void RunRow(const void* a, const void* b, void* y, std::size_t count) const;

  AlignedSum sum_;
  Carrier a_;
  Carrier b_;
  Carrier y_;
  Epilogue epilogue_;
  std::optional<NarrowSum> narrow_;  // where its lanes hold everything
};

}  // namespace qonnx_tools
