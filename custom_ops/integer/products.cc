#include "integer/products.h"

#include "core/level.h"
#include "kernels/tiles.h"

namespace qonnx_tools {

bool Products::HasTiles() {
  return SelectedLevel() == Level::kAmx && AtSelectedLevel<TileTable>().multiply != nullptr;
}

Products::Products() : tiles_(HasTiles()), block_rows_(tiles_ ? kTileBlock : kRows) {}

std::size_t Products::Rows(std::size_t count) const {
  return tiles_ ? (count + kTileRows - 1) / kTileRows * kTileRows : count;
}

void Products::Prepare() const {
  if (tiles_) AtSelectedLevel<TileTable>().prepare();
}

void Products::Release() const {
  if (tiles_) AtSelectedLevel<TileTable>().release();
}

}  // namespace qonnx_tools
