// Elementwise ops on 8-bit and 16-bit codes in lanes as narrow as the carriers and the parameters
// of a node allow. Each is made by Of, which gives nothing where 32 bits do not hold every number
// that codes of these carriers lead to.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "integer/epilogue.h"
#include "integer/output_format.h"
#include "kernels/narrow_elements.h"

namespace qonnx_tools {

// y = clip(round_shift(multiplier * x + addend, shift)), one of each a channel; there is no bias.
class NarrowAffine {
 public:
  static std::optional<NarrowAffine> Of(Carrier x, const OutputFormat& format,
                                        const ChannelParameters& parameters);

  void Run(std::size_t channel, const void* x, void* y, std::size_t count) const {
    run_(by_[channel], x, y, count);
  }

 private:
  std::vector<NarrowAffineParameters> by_;
  NarrowAffineKernel run_ = nullptr;
};

// y = clip(round_shift(a * 2^left_a + b * 2^left_b, shift)).
class NarrowSum {
 public:
  static std::optional<NarrowSum> Of(Carrier a, int left_a, Carrier b, int left_b,
                                     std::int64_t shift, const OutputFormat& format);

  void Run(const CodePairs& pairs) const { run_(by_, pairs); }
  // Where codes are bytes and the multiplication of byte_sum.h serves: its parameters.
  const NarrowSumParameters* OfBytes() const { return of_bytes_ ? &by_ : nullptr; }
  void Run(const void* a, const void* b, void* y, std::size_t count) const {
    Run({a, b, y, 1, count, 0, 0, 0});
  }
  // With one code of b for all of a, or one of a for all of b.
  void RunWithOneB(const void* a, const void* b, void* y, std::size_t count) const;
  void RunWithOneA(const void* a, const void* b, void* y, std::size_t count) const;

 private:
  Carrier a_ = {};
  Carrier b_ = {};
  NarrowSumParameters by_ = {};
  NarrowSumKernel run_ = nullptr;
  bool of_bytes_ = false;
  NarrowAffineKernel run_on_a_ = nullptr;
  NarrowAffineKernel run_on_b_ = nullptr;
};

// y = clip(round_shift(a * b, shift)).
class NarrowProduct {
 public:
  static std::optional<NarrowProduct> Of(Carrier a, Carrier b, std::int64_t shift,
                                         const OutputFormat& format);

  void Run(const void* a, const void* b, void* y, std::size_t count) const {
    run_(by_, a, b, y, count);
  }
  void RunWithOneB(const void* a, const void* b, void* y, std::size_t count) const;
  void RunWithOneA(const void* a, const void* b, void* y, std::size_t count) const;

 private:
  Carrier a_ = {};
  Carrier b_ = {};
  NarrowProductParameters by_ = {};
  NarrowProductKernel run_ = nullptr;
  NarrowAffineKernel run_on_a_ = nullptr;
  NarrowAffineKernel run_on_b_ = nullptr;
};

}  // namespace qonnx_tools
