// Integer weights of a convolution, multiplied with codes as they are.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/aligned.h"
#include "integer/products.h"
#include "integer/sparse_digit.h"
#include "integer/sparse_plane.h"
#include "integer/weights.h"
#include "kernels/multiply.h"
#include "kernels/tiles.h"

namespace qonnx_tools {

class PackedWeights final : public Products {
 public:
  // `weights` are [group, row, channel, tap]. With wide = false, sums are modulo 2^32.
  PackedWeights(const WeightMatrix& weights, std::size_t groups, std::size_t taps, Carrier x,
                bool wide);

  bool AreBytes() const { return layout_.planes[0] != Units::kWords; }

  void Sums(const ProductRows& rows, std::int32_t* few, std::int32_t* sums) const override;
  void Sums(const ProductRows& rows, std::int32_t* few, std::int64_t* sums) const override;

 private:
  // A product of some steps of a plane of codes with a plane of weights.
  struct Term {
    std::size_t panel_step;  // first step in a tile of the panel
    std::size_t plane;       // of the weights
    std::size_t first_step;
    std::size_t steps;
    int shift;
  };

  void ChooseKernel(const WeightMatrix& weights, Carrier x, bool wide);
  void Pack(const WeightMatrix& ordered, const std::vector<Segment>& segments);
  void PackBlock(const WeightMatrix& ordered, int plane, std::size_t first_row, std::size_t rows);
  void Multiply(const ProductRows& rows, const Term& term, bool accumulate, std::int32_t* c) const;

  std::size_t groups_;
  std::size_t rows_;  // of a group
  void (*multiply_)(const Factors&) = nullptr;
  std::vector<Term> terms_;
  // [group][plane][block of rows][step][row]; in tiles, see kernels/tiles.h.
  AlignedVector<std::int32_t> units_;
  std::size_t plane_size_ = 0;  // of one group
  std::size_t plane_count_ = 0;
  // Of the two one at most; then there is one term.
  std::optional<SparsePlane> sparse_;
  std::optional<SparseDigit> digit_;
};

}  // namespace qonnx_tools
