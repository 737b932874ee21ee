// How depthwise_pad.h and depthwise_blocks.h divide a map of codes.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

inline constexpr std::size_t kBlockLanes = 16;  // outputs of a block
inline constexpr std::size_t kBlockBytes = 64;  // read of the padded map at once

// 64 bytes of a padded map: those in `inside` are the bytes gather[i] of what is read from byte
// `from` of the map on, of which the bytes in `readable` belong to it; the others are padding.
struct alignas(kBlockBytes) DepthwisePadding {
  std::uint8_t gather[kBlockBytes];
  std::uint64_t readable;
  std::uint64_t inside;
  std::size_t from;
};

// The geometry of all maps of a node. A padded map is `rows` rows of `pitch` numbers, which are
// unsigned bytes or signed words of 16 bits; what is called bytes below counts bytes of it.
struct DepthwiseMap {
  std::size_t in[2];
  std::size_t out[2];
  std::size_t pad_begin[2];
  std::size_t rows;
  std::size_t pitch;
  // All of the padded map in parts of 64 bytes, or null.
  const DepthwisePadding* paddings;
  std::size_t padding_count;
  // A block is some columns of one row, or all columns of some rows.
  std::size_t block_rows;
  std::size_t block_columns;
  std::size_t row_bytes;     // from output to output
  std::size_t column_bytes;  // from output to output
  std::size_t advance;       // rows of the padded map from a block to the one below it
  // The taps of a row of the kernel are divided into groups of at most 4 bytes or 2 words.
  std::size_t kernel_rows;
  std::size_t row_groups;
  const std::size_t* group_bytes;  // from the first tap of all to that of each group
  const std::uint8_t* gather;      // [64], aligned: which byte from there each byte of a block is
  bool rows_adjoin;                // whether the rows of the kernel have no others between them

  std::size_t PaddedSize() const { return rows * pitch + kSlack; }
  // Numbers read and written beyond the last.
  static constexpr std::size_t kSlack = 3 * kBlockBytes;
};

}  // namespace qonnx_tools
