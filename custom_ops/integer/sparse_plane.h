// Weights of up to 15 bits as two planes of 8: w = dense * 2^shift + sparse, with a shift for each
// row. Log weights fit this well: few weights of a row lie octaves below its largest ones.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "integer/weights.h"
#include "kernels/multiply.h"

namespace qonnx_tools {

class SparsePlane {
 public:
  // Leaves the dense plane in `weights`, whose depth is a multiple of the unit width. None, and
  // `weights` as they are, if they do not fit, or if too many units of the sparse plane are not
  // zero for this to be faster than the product with another plane.
  static std::optional<SparsePlane> TakenFrom(WeightMatrix& weights);

  // sums[row][column] = sums[row][column] * 2^shift + products with the sparse plane, of rows
  // `first` .. `first + rows` and a tile of a panel.
  void Add(std::size_t first, std::size_t rows, const std::int32_t* tile, std::size_t column_groups,
           std::int32_t* sums, std::size_t pitch) const;

 private:
  std::vector<std::uint8_t> shifts_;   // one a row
  std::vector<std::uint32_t> begins_;  // of each row's units, and the end
  std::vector<SparseUnit> units_;
};

}  // namespace qonnx_tools
