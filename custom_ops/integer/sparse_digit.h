// Weights nearly all of which fit 8 bits: w = dense + sparse * 2^8. Those of base sqrt(2) are such:
// 2^7 is one more than 8 bits hold.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "integer/products.h"
#include "integer/weights.h"

namespace qonnx_tools {

class SparseDigit {
 public:
  // Leaves the dense weights, of 8 bits, in `weights`, whose depth is a multiple of the unit width.
  // None, and `weights` as they are, if they do not fit, or if too many units of the sparse weights
  // are not zero for this to be faster than the product of tiles with another plane.
  static std::optional<SparseDigit> TakenFrom(WeightMatrix& weights);

  // Adds the products of the sparse weights, of rows `first` .. `first + rows.count` and a panel
  // with tiles of `tile_size`.
  void Add(const ProductRows& rows, std::size_t first, std::size_t tile_size,
           std::int32_t* sums) const;

 private:
  std::vector<std::uint32_t> begins_;  // of each row's units, and the end
  std::vector<SparseUnit> units_;
};

}  // namespace qonnx_tools
