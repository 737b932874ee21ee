#include "integer/narrow_elements.h"

#include <algorithm>
#include <span>

#include "core/level.h"
#include "integer/narrow_finish.h"
#include "kernels/byte_sum.h"

namespace qonnx_tools {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 32;  // beyond it 32 bits hold nothing

Range RangeOf(Carrier carrier) { return {LowestOf(carrier), HighestOf(carrier)}; }

Range operator+(Range a, Range b) { return {a.low + b.low, a.high + b.high}; }

Range operator*(Range a, Range b) {
  const auto [low, high] =
      std::minmax({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  return {low, high};
}

bool IsSmall(std::int64_t value) { return value > -kLargest && value < kLargest; }

std::int32_t FlipOf(Carrier carrier) {
  return IsSigned(carrier) ? std::int32_t{1} << (8 * SizeOf(carrier) - 1) : 0;
}

std::size_t SizeIndex(Carrier carrier) { return SizeOf(carrier) / 2; }

const NarrowElementsTable& Kernels() { return AtSelectedLevel<NarrowElementsTable>(); }

// The low 32 bits.
std::int32_t Low(std::int64_t value) { return static_cast<std::int32_t>(value); }

// t = factor * x + term.
NarrowAffineParameters AffineOf(Carrier x, std::int64_t factor, std::int64_t term,
                                const NarrowFinish& finish) {
  const std::int64_t flip = FlipOf(x);
  return {Low(flip), Low(factor), Low(term - factor * flip), finish};
}

std::int64_t CodeAt(const void* codes, Carrier carrier) {
  std::int32_t code = 0;
  AtSelectedLevel<RequantizeTable>().load32[static_cast<int>(carrier)](codes, &code, 1);
  return code;
}

// The lanes to try: 16 bits only for 8-bit inputs.
std::span<const int> LanesFor(Carrier a, Carrier b, Carrier y) {
  static constexpr int kLanes[] = {16, 32};
  const bool bytes = SizeOf(a) == 1 && SizeOf(b) == 1 && SizeOf(y) <= 2;
  return std::span<const int>(kLanes).subspan(bytes ? 0 : 1);
}

}  // namespace

std::optional<NarrowAffine> NarrowAffine::Of(Carrier x, const OutputFormat& format,
                                             const ChannelParameters& parameters) {
  if (SizeOf(x) > 2) return {};
  for (const int bits : LanesFor(x, x, format.carrier)) {
    NarrowAffine affine;
    for (std::size_t channel = 0; channel < parameters.shift.size(); ++channel) {
      const std::int64_t right = std::max<std::int64_t>(0, parameters.shift[channel]);
      const std::int64_t left = right - parameters.shift[channel];
      const std::int64_t multiplier = parameters.multiplier[channel];
      const std::int64_t addend = parameters.addend[channel];
      if (left > 31 || !IsSmall(addend)) return {};
      const std::int64_t factor = multiplier << left;
      const std::int64_t term = addend << left;
      if (!IsSmall(factor)) return {};
      const auto finish =
          FinishOf(RangeOf(x) * Range{factor, factor} + Range{term, term}, right, format, bits);
      if (!finish) break;
      affine.by_.push_back(AffineOf(x, factor, term, *finish));
    }
    if (affine.by_.size() < parameters.shift.size()) continue;
    const std::size_t y = SizeIndex(format.carrier);
    affine.run_ = bits == 16 ? Kernels().affine16[y] : Kernels().affine32[SizeIndex(x)][y];
    return affine;
  }
  return {};
}

std::optional<NarrowSum> NarrowSum::Of(Carrier a, int left_a, Carrier b, int left_b,
                                       std::int64_t shift, const OutputFormat& format) {
  const std::int64_t right = std::max<std::int64_t>(0, shift);
  const std::int64_t left = right - shift;
  if (SizeOf(a) > 2 || SizeOf(b) > 2 || left_a + left > 31 || left_b + left > 31) return {};
  const std::int64_t factor_a = std::int64_t{1} << (left_a + left);
  const std::int64_t factor_b = std::int64_t{1} << (left_b + left);
  const Range sum = RangeOf(a) * Range{factor_a, factor_a} + RangeOf(b) * Range{factor_b, factor_b};
  for (const int bits : LanesFor(a, b, format.carrier)) {
    const auto finish = FinishOf(sum, right, format, bits);
    if (!finish) continue;
    const std::size_t y = SizeIndex(format.carrier);
    NarrowSum narrow;
    narrow.a_ = a;
    narrow.b_ = b;
    narrow.by_ = {FlipOf(a),
                  FlipOf(b),
                  static_cast<std::int32_t>(left_a + left),
                  static_cast<std::int32_t>(left_b + left),
                  Low(-factor_a * FlipOf(a) - factor_b * FlipOf(b)),
                  *finish};
    const auto& kernels = Kernels();
    narrow.run_ = bits == 16 ? kernels.sum16[y] : kernels.sum32[SizeIndex(a)][SizeIndex(b)][y];
    if (bits == 16 && y == 0 && std::max(left_a, left_b) + left <= kMostByteLeft) {
      const auto bytes = AtSelectedLevel<ByteSumTable>().run[IsSigned(format.carrier) ? 1 : 0];
      narrow.of_bytes_ = bytes != nullptr;
      if (narrow.of_bytes_) narrow.run_ = bytes;
    }
    narrow.run_on_a_ = bits == 16 ? kernels.affine16[y] : kernels.affine32[SizeIndex(a)][y];
    narrow.run_on_b_ = bits == 16 ? kernels.affine16[y] : kernels.affine32[SizeIndex(b)][y];
    return narrow;
  }
  return {};
}

void NarrowSum::RunWithOneB(const void* a, const void* b, void* y, std::size_t count) const {
  const std::int64_t term = CodeAt(b, b_) << by_.left_b;
  run_on_a_(AffineOf(a_, std::int64_t{1} << by_.left_a, term, by_.finish), a, y, count);
}

void NarrowSum::RunWithOneA(const void* a, const void* b, void* y, std::size_t count) const {
  const std::int64_t term = CodeAt(a, a_) << by_.left_a;
  run_on_b_(AffineOf(b_, std::int64_t{1} << by_.left_b, term, by_.finish), b, y, count);
}

std::optional<NarrowProduct> NarrowProduct::Of(Carrier a, Carrier b, std::int64_t shift,
                                               const OutputFormat& format) {
  if (SizeOf(a) > 2 || SizeOf(b) > 2) return {};
  for (const int bits : LanesFor(a, b, format.carrier)) {
    const auto finish = FinishOf(RangeOf(a) * RangeOf(b), shift, format, bits);
    if (!finish) continue;
    const std::size_t y = SizeIndex(format.carrier);
    NarrowProduct narrow;
    narrow.a_ = a;
    narrow.b_ = b;
    narrow.by_ = {FlipOf(a), FlipOf(b), *finish};
    const auto& kernels = Kernels();
    narrow.run_ =
        bits == 16 ? kernels.product16[y] : kernels.product32[SizeIndex(a)][SizeIndex(b)][y];
    narrow.run_on_a_ = bits == 16 ? kernels.affine16[y] : kernels.affine32[SizeIndex(a)][y];
    narrow.run_on_b_ = bits == 16 ? kernels.affine16[y] : kernels.affine32[SizeIndex(b)][y];
    return narrow;
  }
  return {};
}

void NarrowProduct::RunWithOneB(const void* a, const void* b, void* y, std::size_t count) const {
  run_on_a_(AffineOf(a_, CodeAt(b, b_), 0, by_.finish), a, y, count);
}

void NarrowProduct::RunWithOneA(const void* a, const void* b, void* y, std::size_t count) const {
  run_on_b_(AffineOf(b_, CodeAt(a, a_), 0, by_.finish), b, y, count);
}

}  // namespace qonnx_tools
