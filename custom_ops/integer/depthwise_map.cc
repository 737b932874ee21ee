#include "integer/depthwise_map.h"

#include <algorithm>

#include "core/scratch.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kSmall = 1024;  // bytes of a padded map; of larger ones rows are copied

std::uint64_t FirstBits(std::size_t count) {
  return count < 64 ? (std::uint64_t{1} << count) - 1 : ~std::uint64_t{0};
}

// Row by row, in pieces that lie in one part of the padded map each.
void FillPaddings(const DepthwiseMap& map, std::size_t number, DepthwisePadding* paddings) {
  const std::size_t row_bytes = map.in[1] * number;
  const std::size_t map_bytes = map.in[0] * row_bytes;
  for (std::size_t i = 0; i < map.padding_count; ++i) paddings[i] = {};
  std::size_t from = 0;
  for (std::size_t row = 0; row < map.in[0]; ++row) {
    std::size_t to = ((map.pad_begin[0] + row) * map.pitch + map.pad_begin[1]) * number;
    for (std::size_t left = row_bytes; left > 0;) {
      DepthwisePadding& padding = paddings[to / kBlockBytes];
      const std::size_t at = to % kBlockBytes;
      const std::size_t count = std::min(left, kBlockBytes - at);
      if (padding.inside == 0) padding.from = from;
      for (std::size_t i = 0; i < count; ++i) {
        padding.gather[at + i] = static_cast<std::uint8_t>(from - padding.from + i);
      }
      padding.inside |= FirstBits(count) << at;
      from += count;
      to += count;
      left -= count;
    }
  }
  for (std::size_t i = 0; i < map.padding_count; ++i) {
    paddings[i].readable = FirstBits(map_bytes - paddings[i].from);
  }
}

void FillGather(const DepthwiseMap& map, std::size_t number, std::size_t taps,
                std::size_t tap_bytes, std::uint8_t* gather) {
  std::fill_n(gather, kBlockBytes, std::uint8_t{0});
  for (std::size_t row = 0; row < map.block_rows; ++row) {
    for (std::size_t column = 0; column < map.block_columns; ++column) {
      const std::size_t from = row * map.row_bytes + column * map.column_bytes;
      for (std::size_t tap = 0; tap < taps; ++tap) {
        for (std::size_t byte = 0; byte < number; ++byte) {
          gather[tap * number + byte] = static_cast<std::uint8_t>(from + tap * tap_bytes + byte);
        }
      }
      gather += 4;
    }
  }
}

}  // namespace

DepthwiseTaps::DepthwiseTaps(const ConvolutionGeometry& geometry, bool bytes)
    : number(bytes ? 1 : 2) {
  // All of a group must lie in the bytes that are read for the first output.
  const std::size_t reach = (kBlockBytes - number) / (geometry.dilation[1] * number) + 1;
  group_taps = std::min({4 / number, geometry.kernel[1], reach});
  row_groups = (geometry.kernel[1] + group_taps - 1) / group_taps;
}

DepthwiseMap DepthwiseMapOf(const ConvolutionGeometry& geometry, const DepthwiseTaps& taps,
                            const ImageSize& size, bool small) {
  DepthwiseMap map = {};
  for (int axis = 0; axis < 2; ++axis) {
    map.in[axis] = size.in[axis];
    map.out[axis] = size.out[axis];
    map.pad_begin[axis] = geometry.pad_begin[axis];
  }
  map.rows = size.in[0] + geometry.pad_begin[0] + geometry.pad_end[0];
  map.pitch = size.in[1] + geometry.pad_begin[1] + geometry.pad_end[1];
  const std::size_t pitch_bytes = map.pitch * taps.number;
  map.row_bytes = geometry.stride[0] * pitch_bytes;
  map.column_bytes = geometry.stride[1] * taps.number;
  // As many outputs in a block as its bytes allow.
  const std::size_t tap_bytes = geometry.dilation[1] * taps.number;
  const std::size_t room = kBlockBytes - taps.number - (taps.group_taps - 1) * tap_bytes;
  map.block_columns = std::min({kBlockLanes, size.out[1], room / map.column_bytes + 1});
  map.block_rows = 1;
  if (map.block_columns == size.out[1]) {
    const std::size_t rest = room - (map.block_columns - 1) * map.column_bytes;
    map.block_rows = std::min(kBlockLanes / map.block_columns, rest / map.row_bytes + 1);
  }
  map.advance = map.block_rows * geometry.stride[0];
  map.kernel_rows = geometry.kernel[0];
  map.row_groups = taps.row_groups;
  map.rows_adjoin = geometry.dilation[0] == 1;
  const std::size_t padded_bytes = map.rows * pitch_bytes;
  if (small && padded_bytes <= kSmall) {
    map.padding_count = (padded_bytes + kBlockBytes - 1) / kBlockBytes;
  }

  const std::size_t groups = map.kernel_rows * map.row_groups;
  auto* const memory = ScratchOf<std::uint8_t>(
      ScratchUse::kPackedInput,
      map.padding_count * sizeof(DepthwisePadding) + kBlockBytes + groups * sizeof(std::size_t));
  auto* const paddings = reinterpret_cast<DepthwisePadding*>(memory);
  auto* const gather = memory + map.padding_count * sizeof(DepthwisePadding);
  auto* const group_bytes = reinterpret_cast<std::size_t*>(gather + kBlockBytes);
  if (map.padding_count > 0) FillPaddings(map, taps.number, paddings);
  FillGather(map, taps.number, taps.group_taps, tap_bytes, gather);
  for (std::size_t row = 0; row < map.kernel_rows; ++row) {
    for (std::size_t group = 0; group < map.row_groups; ++group) {
      group_bytes[row * map.row_groups + group] =
          row * geometry.dilation[0] * pitch_bytes + group * taps.group_taps * tap_bytes;
    }
  }
  map.paddings = paddings;
  map.gather = gather;
  map.group_bytes = group_bytes;
  return map;
}

}  // namespace qonnx_tools
