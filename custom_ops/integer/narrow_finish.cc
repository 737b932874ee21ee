#include "integer/narrow_finish.h"

#include <algorithm>

namespace qonnx_tools {

std::optional<NarrowFinish> FinishOf(Range range, std::int64_t shift, const OutputFormat& format,
                                     int bits) {
  if (shift < 0 || shift > bits - 2) return {};
  const std::int64_t half = shift > 0 ? std::int64_t{1} << (shift - 1) : 0;
  const std::int64_t all = (std::int64_t{1} << shift) - 1;
  const std::int32_t some = shift > 0 ? 1 : 0;
  std::int64_t constant = 0;
  NarrowFinish finish = {};
  finish.look = bits - 1;  // the sign
  switch (static_cast<Rounding>(format.rounding)) {
    case Rounding::kHalfEven:
      constant = half - some;
      finish.look = static_cast<std::int32_t>(shift);
      finish.mask = some;
      break;
    case Rounding::kHalfUp:
      constant = half;
      break;
    case Rounding::kHalfAway:
      constant = half;
      finish.mask = -some;
      break;
    case Rounding::kFloor:
      break;
    case Rounding::kCeil:
      constant = all;
      break;
    case Rounding::kTowardZero:
      finish.mask = static_cast<std::int32_t>(all);
      break;
  }
  const std::int64_t limit = std::int64_t{1} << (bits - 1);
  if (range.low - 1 < -limit || range.high + constant + 1 >= limit) return {};
  finish.constant = static_cast<std::int32_t>(constant);
  finish.shift = static_cast<std::int32_t>(shift);
  finish.low = static_cast<std::int32_t>(std::max<std::int64_t>(format.low, -limit));
  finish.high = static_cast<std::int32_t>(std::min<std::int64_t>(format.high, limit - 1));
  return finish;
}

}  // namespace qonnx_tools
