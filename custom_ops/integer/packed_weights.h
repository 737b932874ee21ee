// The weights of a convolution as the kernel of the selected level takes them, and their products
// with a panel of packed codes.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/aligned.h"
#include "integer/sparse_plane.h"
#include "integer/weights.h"
#include "kernels/multiply.h"
#include "kernels/tiles.h"

namespace qonnx_tools {

// Codes packed for a product: [tile of 64 columns][plane][step][column].
struct PanelLayout {
  std::vector<Units> planes;   // what each holds of a code
  std::size_t used_steps = 0;  // of a plane
  std::size_t steps = 0;       // of a plane, with what the kernel reads beyond

  std::size_t TileSize() const { return planes.size() * steps * kColumns; }
};

inline constexpr std::size_t kBlockTiles = 4;  // that are multiplied before their sums are read

// Rows of one group and what they are multiplied with.
struct ProductRows {
  std::size_t group;
  std::size_t first;  // a multiple of BlockRows()
  std::size_t count;  // at most BlockRows()
  const std::int32_t* panel;
  std::size_t column_groups;  // 16 columns each, of at most kBlockTiles tiles
};

class PackedWeights {
 public:
  // `weights` are [group, row, channel, tap]. With wide = false, sums are modulo 2^32.
  PackedWeights(const WeightMatrix& weights, std::size_t groups, std::size_t taps, Carrier x,
                bool wide);

  const PanelLayout& Layout() const { return layout_; }
  bool AreBytes() const { return layout_.planes[0] != Units::kWords; }
  std::size_t BlockRows() const { return block_rows_; }
  // From row to row of sums: not a power of two, so that rows do not crowd in a few sets of the
  // cache.
  static constexpr std::size_t kPitch = kBlockTiles * kColumns + kGroup;
  // Of `sums` and `few`, in elements.
  std::size_t SumsSize() const { return block_rows_ * kPitch; }

  // sums[row][column]; may write more rows, up to BlockRows(), and leaves `few` undefined.
  void Sums(const ProductRows& rows, std::int32_t* few, std::int32_t* sums) const;
  void Sums(const ProductRows& rows, std::int32_t* few, std::int64_t* sums) const;

  // To be called before the sums of a task and after them.
  void Prepare() const;
  void Release() const;

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
  std::size_t Rows(std::size_t count) const;  // that the kernel computes
  void Multiply(const ProductRows& rows, const Term& term, bool accumulate, std::int32_t* c) const;

  std::size_t groups_;
  std::size_t rows_;  // of a group
  bool tiles_ = false;
  std::size_t block_rows_ = kRows;
  void (*multiply_)(const Factors&) = nullptr;
  PanelLayout layout_;
  std::vector<Term> terms_;
  // [group][plane][block of rows][step][row]; in tiles, see kernels/tiles.h.
  AlignedVector<std::int32_t> units_;
  std::size_t plane_size_ = 0;  // of one group
  std::size_t plane_count_ = 0;
  std::optional<SparsePlane> sparse_;  // then there is one term
};

}  // namespace qonnx_tools
