// The panel of a convolution of log codes: the byte planes of packed codes, made a table each.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "integer/log_planes.h"
#include "integer/log_terms.h"
#include "kernels/multiply.h"

namespace qonnx_tools {

class LogPanel {
 public:
  // Of what `terms` read; `slack` steps are readable beyond the last plane.
  LogPanel(const LogPlanes& planes, const LogTerms& terms, std::size_t slack);

  // [plane][step][column], the slack, and a row of columns that holds bytes: the smallest code that
  // is not 0, of all and of each chunk of steps.
  std::size_t TileSize() const { return (planes_.size() * plane_steps_ + slack_ + 1) * kColumns; }
  // From packed codes of [tile][step][column]. Fills columns beyond `columns`.
  void Expand(std::int32_t* codes, std::size_t columns, std::int32_t* panel) const;

  // A plane has all its steps in a tile where its largest code is at least the smallest of the
  // tile; or, if it is made by chunk, those of the chunks of which this is true.
  bool IsByChunk(std::size_t plane) const { return planes_[plane].by_chunk; }
  std::size_t ChunkSteps() const { return chunk_steps_; }
  // The smallest code of a tile, then those of its chunks.
  const std::uint8_t* Smallest(const std::int32_t* tile) const {
    return reinterpret_cast<const std::uint8_t*>(tile + TileSize() - kColumns);
  }

 private:
  struct Plane {
    std::vector<std::uint8_t> table;  // by the packed code
    int largest_code;                 // of the terms that read the plane, -1 if none does
    bool by_chunk;
  };
  struct Steps {
    std::size_t first;
    std::size_t count;
  };

  void ExpandTile(const std::int32_t* codes, std::int32_t* tile) const;
  void ExpandSteps(const std::uint8_t* codes, const Steps& steps, int smallest, bool by_chunk,
                   std::int32_t* tile) const;

  std::vector<Plane> planes_;
  LogUnit unit_;
  std::uint8_t zero_;  // the packed byte of the code 0
  std::size_t plane_steps_;
  std::size_t slack_;
  std::size_t chunk_steps_;
  bool leaves_out_ = false;  // whether any plane is made by chunk
};

}  // namespace qonnx_tools
