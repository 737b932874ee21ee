#include "core/shape.h"

#include <algorithm>

#include "core/error.h"

namespace qonnx_tools {

std::size_t Shape::Count() const {
  std::size_t count = 1;
  for (const std::int64_t dim : Dims()) count *= static_cast<std::size_t>(dim);
  return count;
}

std::string Shape::Text() const {
  std::string text = "[";
  for (const std::int64_t dim : Dims()) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dim);
  }
  return text + "]";
}

Shape BroadcastTogether(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank >= b.rank ? a : b;
  const Shape& shorter = a.rank >= b.rank ? b : a;
  Shape common = longer;
  const std::size_t lead = longer.rank - shorter.rank;
  for (std::size_t axis = 0; axis < shorter.rank; ++axis) {
    const std::int64_t dim = shorter.dims[axis];
    std::int64_t& out = common.dims[lead + axis];
    if (out != dim && out != 1 && dim != 1) {
      throw Error("shapes " + a.Text() + " and " + b.Text() + " do not broadcast together");
    }
    if (out == 1) out = dim;
  }
  return common;
}

BroadcastIndex::BroadcastIndex(const Shape& from, const Shape& to) {
  bool fits = from.rank <= to.rank;
  const std::size_t lead = fits ? to.rank - from.rank : 0;
  for (std::size_t axis = 0; fits && axis < from.rank; ++axis) {
    fits = from.dims[axis] == 1 || from.dims[axis] == to.dims[lead + axis];
  }
  if (!fits) {
    throw Error("parameters of shape " + from.Text() + " do not broadcast to the shape " +
                to.Text() + " of x; give one value, or one a channel as in [C, 1, 1]");
  }
  std::size_t stride = 1;
  for (std::size_t axis = to.rank; axis-- > 0;) {  // filled from the inner axis outward
    const auto size = static_cast<std::size_t>(to.dims[axis]);
    const bool repeated = axis < lead || from.dims[axis - lead] == 1;
    const std::size_t step = repeated ? 0 : stride;
    if (!repeated) stride *= size;
    if (size == 1) continue;
    if (rank_ > 0) {
      Axis& inner = axes_[rank_ - 1];
      const bool both_repeated = step == 0 && inner.step == 0;
      if (both_repeated || (inner.step > 0 && step == inner.step * inner.size)) {
        inner.size *= size;
        continue;
      }
    }
    axes_[rank_++] = {size, step};
  }
  if (rank_ == 0) axes_[rank_++] = {1, 0};
  std::reverse(axes_.begin(), axes_.begin() + static_cast<std::ptrdiff_t>(rank_));
}

}  // namespace qonnx_tools
