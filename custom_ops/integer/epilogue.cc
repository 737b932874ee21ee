#include "integer/epilogue.h"

#include <algorithm>

#include "core/level.h"
#include "core/scratch.h"

namespace qonnx_tools {
namespace {

using Wide = unsigned __int128;

constexpr std::uint64_t kTwo31 = std::uint64_t{1} << 31;
constexpr std::uint64_t kTwo63 = std::uint64_t{1} << 63;

std::uint64_t Magnitude(std::int64_t value) {
  return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

std::int64_t AddModular(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

// What finish.h adds before its shift.
struct RoundingTerms {
  std::int64_t constant;
  std::int64_t look;
  std::int64_t mask;
};

RoundingTerms TermsOf(int rounding, std::int64_t shift, int lane_bits) {
  const std::int64_t all = (std::int64_t{1} << shift) - 1;
  const std::int64_t half = (all + 1) >> 1;
  const std::int64_t some = shift > 0 ? 1 : 0;
  const std::int64_t sign = lane_bits - 1;
  switch (static_cast<Rounding>(rounding)) {
    case Rounding::kHalfEven:
      return {half - some, shift, some};
    case Rounding::kHalfUp:
      return {half, sign, 0};
    case Rounding::kHalfAway:
      return {half, sign, -some};
    case Rounding::kFloor:
      return {0, sign, 0};
    case Rounding::kCeil:
      return {all, sign, 0};
    case Rounding::kTowardZero:
      break;
  }
  return {0, sign, all};
}

}  // namespace

Epilogue::Epilogue(const OutputFormat& format, int accumulator_bits,
                   const ChannelParameters& parameters, const std::vector<std::uint64_t>& bound,
                   const std::vector<std::int64_t>& correction)
    : format_(format), parameters_(parameters) {
  const std::uint64_t limit = std::uint64_t{1} << (accumulator_bits - 1);
  std::uint64_t largest = 0;
  for (std::size_t m = 0; m < bound.size(); ++m) {
    largest = std::max(largest, std::min(kTwo63, bound[m] + Magnitude(parameters_.bias[m])));
  }
  const bool wraps = largest >= limit;
  takes32_ = accumulator_bits <= 32 || largest < kTwo31;
  unused32_ = wraps ? std::max(0, 32 - accumulator_bits) : 0;
  unused64_ = wraps ? 64 - accumulator_bits : 0;
  if (wraps) largest = limit;
  for (std::size_t m = 0; m < bound.size(); ++m) {
    fit_ = std::max(fit_, FitOf(m, largest));
    parameters_.bias[m] = AddModular(parameters_.bias[m], correction[m]);
  }
  for (std::size_t m = 0; m < bound.size() && fit_ != Fit::kAny; ++m) {
    const std::int64_t bias = parameters_.bias[m];
    const std::int64_t addend = parameters_.addend[m];
    const std::int64_t shift = parameters_.shift[m];
    const RoundingTerms terms = TermsOf(format_.rounding, shift, fit_ == Fit::kNarrow ? 32 : 64);
    if (fit_ == Fit::kNarrow) {
      // No addend where the sum wraps.
      narrow_.push_back({static_cast<std::int32_t>(AddModular(bias, addend)),
                         static_cast<std::int32_t>(terms.constant),
                         static_cast<std::int32_t>(terms.look),
                         static_cast<std::int32_t>(terms.mask), static_cast<std::int32_t>(shift)});
    } else {
      wide_.push_back(
          {bias, parameters_.multiplier[m], addend, terms.constant, terms.look, terms.mask, shift});
    }
  }
}

// `largest` is that of |v| in finish.h.
Epilogue::Fit Epilogue::FitOf(std::size_t channel, std::uint64_t largest) const {
  const std::int64_t shift = parameters_.shift[channel];
  const std::int64_t multiplier = parameters_.multiplier[channel];
  const std::uint64_t addend = Magnitude(parameters_.addend[channel]);
  if (shift < 0 || shift > 62) return Fit::kAny;
  const Wide t = static_cast<Wide>(largest) * Magnitude(multiplier) + addend;
  const Wide sum = t + (std::uint64_t{1} << shift);
  const bool plain = multiplier == 1 && (addend == 0 || (unused32_ == 0 && unused64_ == 0));
  if (takes32_ && plain && shift <= 30 && sum < kTwo31) return Fit::kNarrow;
  const bool clips32 = takes32_ && SizeOf(format_.carrier) < sizeof(std::int32_t);
  if (sum >= kTwo63 || (clips32 && (sum >> shift) + 1 >= kTwo31)) return Fit::kAny;
  return Fit::kWide;
}

Requantization Epilogue::Any(int unused_bits) const {
  return {parameters_.bias.data(),
          parameters_.multiplier.data(),
          parameters_.addend.data(),
          parameters_.shift.data(),
          unused_bits,
          format_.low,
          format_.high};
}

template <typename Sum>
SumRows<Sum> Epilogue::Fitting(const AccumulatorRows<Sum>& rows, int unused_bits) const {
  return {rows.sums,    rows.pitch,  rows.rows,   rows.count,  rows.y,
          rows.y_pitch, unused_bits, format_.low, format_.high};
}

void Epilogue::Rows(std::size_t channel, const AccumulatorRows<std::int32_t>& rows) const {
  const auto carrier = static_cast<std::size_t>(format_.carrier);
  const auto& finish = AtSelectedLevel<FinishTable>();
  if (fit_ == Fit::kNarrow) {
    return finish.narrow[carrier](&narrow_[channel], Fitting(rows, unused32_));
  }
  if (fit_ == Fit::kWide) {
    return finish.wide32[carrier](&wide_[channel], Fitting(rows, unused32_));
  }
  const auto& requantize = AtSelectedLevel<RequantizeTable>();
  auto* const codes = ScratchOf<std::int32_t>(ScratchUse::kRow, rows.count);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    requantize.uniform32[format_.rounding](Any(unused32_), channel + i, rows.sums + i * rows.pitch,
                                           codes, rows.count);
    requantize.store[carrier](
        codes, static_cast<std::uint8_t*>(rows.y) + i * rows.y_pitch * SizeOf(format_.carrier),
        rows.count);
  }
}

bool Epilogue::SummedRows(std::size_t channel, const AccumulatorRows<std::int32_t>& rows,
                          const ByteResidual& residual, bool is_signed) const {
  const auto& finish = AtSelectedLevel<FinishSumTable>();
  const int is_unsigned = IsSigned(format_.carrier) ? 0 : 1;
  const auto narrow = finish.narrow[is_unsigned][is_signed ? 1 : 0];
  const auto wide = finish.wide32[is_unsigned][is_signed ? 1 : 0];
  if (narrow == nullptr || SizeOf(format_.carrier) != 1 || fit_ == Fit::kAny) return false;
  if (fit_ == Fit::kNarrow) {
    narrow(&narrow_[channel], Fitting(rows, unused32_), residual);
  } else {
    wide(&wide_[channel], Fitting(rows, unused32_), residual);
  }
  return true;
}

void Epilogue::Rows(std::size_t channel, const AccumulatorRows<std::int64_t>& rows) const {
  const auto carrier = static_cast<std::size_t>(format_.carrier);
  if (fit_ == Fit::kWide) {
    return AtSelectedLevel<FinishTable>().wide64[carrier](&wide_[channel],
                                                          Fitting(rows, unused64_));
  }
  const auto& requantize = AtSelectedLevel<RequantizeTable>();
  auto* const codes = ScratchOf<std::int32_t>(ScratchUse::kRow, rows.count);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    requantize.uniform64[format_.rounding](Any(unused64_), channel + i, rows.sums + i * rows.pitch,
                                           codes, rows.count);
    requantize.store[carrier](
        codes, static_cast<std::uint8_t*>(rows.y) + i * rows.y_pitch * SizeOf(format_.carrier),
        rows.count);
  }
}

void Epilogue::Across(std::size_t channel, std::int32_t* accumulators, void* y,
                      std::size_t count) const {
  const auto& requantize = AtSelectedLevel<RequantizeTable>();
  requantize.varying32[format_.rounding](Any(unused32_), channel, accumulators, accumulators,
                                         count);
  requantize.store[static_cast<std::size_t>(format_.carrier)](accumulators, y, count);
}

void Epilogue::Across(std::size_t channel, std::int64_t* accumulators, void* y,
                      std::size_t count) const {
  const auto& requantize = AtSelectedLevel<RequantizeTable>();
  auto* const codes = ScratchOf<std::int32_t>(ScratchUse::kRow, count);
  requantize.varying64[format_.rounding](Any(unused64_), channel, accumulators, codes, count);
  requantize.store[static_cast<std::size_t>(format_.carrier)](codes, y, count);
}

}  // namespace qonnx_tools
