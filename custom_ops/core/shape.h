// Tensor shapes and how parameters broadcast against a tensor.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace qonnx_tools {

inline constexpr std::size_t kMaxRank = 32;

struct Shape {
  std::size_t rank = 0;
  std::array<std::int64_t, kMaxRank> dims = {};

  std::size_t Count() const;
  std::string Text() const;  // such as "[1, 64, 1, 1]"
  std::span<const std::int64_t> Dims() const { return {dims.data(), rank}; }
};

// The common shape of two shapes that broadcast against each other. Raises Error if they do not.
Shape BroadcastTogether(const Shape& a, const Shape& b);

// For each element of `to`, in order, the index of the element of `from` that broadcasts to it.
// `from` must broadcast to `to`.
class BroadcastIndex {
 public:
  // Raises Error, naming both shapes, if a tensor of shape `from` does not broadcast to `to`.
  BroadcastIndex(const Shape& from, const Shape& to);

  // Calls uniform(begin, count, index) or varying(begin, count, first_index) for consecutive runs
  // that cover elements begin .. end-1: all elements of a uniform run have the same index, those
  // of a varying run have consecutive ones.
  template <typename Uniform, typename Varying>
  void ForEachRun(std::size_t begin, std::size_t end, Uniform uniform, Varying varying) const;

 private:
  struct Axis {
    std::size_t size;
    std::size_t step;  // of the index, 0 where `from` is repeated
  };
  // Neighbouring axes are merged, axes of size 1 left out; at least one axis, the last the inner.
  std::size_t rank_ = 0;
  std::array<Axis, kMaxRank> axes_;
};

template <typename Uniform, typename Varying>
void BroadcastIndex::ForEachRun(std::size_t begin, std::size_t end, Uniform uniform,
                                Varying varying) const {
  if (begin >= end) return;
  const Axis inner = axes_[rank_ - 1];
  std::array<std::size_t, kMaxRank> position;  // of the run, in the outer axes
  std::size_t offset = begin % inner.size;
  std::size_t index = 0;
  std::size_t rest = begin / inner.size;
  for (std::size_t axis = rank_ - 1; axis-- > 0;) {
    position[axis] = rest % axes_[axis].size;
    rest /= axes_[axis].size;
    index += position[axis] * axes_[axis].step;
  }
  while (begin < end) {
    const std::size_t left = inner.size - offset;
    const std::size_t count = left < end - begin ? left : end - begin;
    if (inner.step == 0) {
      uniform(begin, count, index);
    } else {
      varying(begin, count, index + offset);
    }
    begin += count;
    offset = 0;
    for (std::size_t axis = rank_ - 1; axis-- > 0;) {
      index += axes_[axis].step;
      if (++position[axis] < axes_[axis].size) break;
      index -= axes_[axis].step * axes_[axis].size;
      position[axis] = 0;
    }
  }
}

}  // namespace qonnx_tools
