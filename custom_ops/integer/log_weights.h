// Log weights of a convolution, multiplied with the byte planes of log codes.
//
// Sums are made of the terms of log_terms.h from the digits that count most downward, shifted in
// between; sparse terms are multiplied unit by unit and added at the end.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/aligned.h"
#include "integer/log_panel.h"
#include "integer/log_planes.h"
#include "integer/log_terms.h"
#include "integer/products.h"
#include "kernels/log_panel.h"

namespace qonnx_tools {

class LogWeights final : public Products {
 public:
  // Whether the level, the carrier of x and the depth are those of this class.
  static bool Take(const LogPlanes& planes, const WeightMatrix& codes, Carrier x);

  // `codes` are [group, channel of y, channel of x, tap]. Each channel has a row, or two: of the
  // even accumulator and of the odd one.
  LogWeights(const LogPlanes& planes, const WeightMatrix& codes, std::size_t groups,
             std::size_t taps);

  std::size_t TileSize() const override { return panel_.TileSize(); }
  bool Expands() const override { return true; }
  void Expand(std::int32_t* codes, std::size_t columns, std::int32_t* panel) const override {
    panel_.Expand(codes, columns, panel);
  }

  void Sums(const ProductRows& rows, std::int32_t* few, std::int32_t* sums) const override;
  void Sums(const ProductRows& rows, std::int32_t* few, std::int64_t* sums) const override;

 private:
  struct DenseTerm {
    std::size_t begin;  // in units_
    std::size_t panel_step;
    std::size_t steps;  // with those that are read beyond
    int shift;
    int largest_code;  // where the codes of a tile or chunk are larger, there is nothing to add
    bool by_chunk;
  };
  struct SparseTerm {
    std::size_t begin;  // in begins_
    int shift;
    int largest_code;
  };

  LogWeights(const LogPlanes& planes, const WeightMatrix& ordered, std::size_t groups);
  LogWeights(const LogPlanes& planes, const LogTerms& terms, std::size_t groups);
  void AddDense(const LogTerms& terms, std::size_t index);
  void Pack(const LogTerms& terms, const LogTerm& term, std::size_t steps);
  void AddSparse(const LogTerms& terms, const LogTerm& term);

  // Adds to the sums, or begins them.
  void Multiply(const ProductRows& rows, const DenseTerm& term, bool begun,
                std::int32_t* sums) const;
  template <typename Sum>
  void MultiplySparse(const ProductRows& rows, Sum* sums,
                      void (*add)(const SparseProducts<Sum>& products)) const;

  std::size_t rows_;  // of a group
  LogPanel panel_;
  std::vector<DenseTerm> dense_;       // by falling shift
  AlignedVector<std::int32_t> units_;  // [term][group][block of rows][step][row]; in tiles, see
                                       // kernels/tiles.h
  std::vector<SparseTerm> sparse_;
  std::vector<std::uint32_t> begins_;  // of the units of each row of a term, and the end
  std::vector<SparseUnit> sparse_units_;
};

}  // namespace qonnx_tools
