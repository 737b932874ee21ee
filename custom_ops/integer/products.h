// The products of a convolution's weights with a panel of packed codes, as the kernel of the
// selected level takes them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/multiply.h"
#include "kernels/pack.h"

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

class Products {
 public:
  virtual ~Products() = default;

  // Of the codes. The panel has tiles of TileSize(); where those are not the codes' own, it is made
  // from the codes by Expand, which may fill columns of the codes beyond `columns`.
  const PanelLayout& Layout() const { return layout_; }
  virtual std::size_t TileSize() const { return layout_.TileSize(); }
  virtual bool Expands() const { return false; }
  virtual void Expand(std::int32_t*, std::size_t /*columns*/, std::int32_t*) const {}

  std::size_t BlockRows() const { return block_rows_; }
  // From row to row of sums: not a power of two, so that rows do not crowd in a few sets of the
  // cache.
  static constexpr std::size_t kPitch = kBlockTiles * kColumns + kGroup;
  // Of `sums` and `few`, in elements.
  std::size_t SumsSize() const { return block_rows_ * kPitch; }

  // sums[row][column]; may write more rows, up to BlockRows(), and leaves `few` undefined.
  virtual void Sums(const ProductRows& rows, std::int32_t* few, std::int32_t* sums) const = 0;
  virtual void Sums(const ProductRows& rows, std::int32_t* few, std::int64_t* sums) const = 0;

  // To be called before the sums of a task and after them.
  void Prepare() const;
  void Release() const;

 protected:
  // Of tile registers if the level has them.
  Products();
  static bool HasTiles();
  // Rows that the kernel computes for `count`.
  std::size_t Rows(std::size_t count) const;

  bool tiles_;
  std::size_t block_rows_;
  PanelLayout layout_;
};

}  // namespace qonnx_tools
