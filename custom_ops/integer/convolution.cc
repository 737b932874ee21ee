#include "integer/convolution.h"

#include <algorithm>

#include "core/level.h"
#include "core/scratch.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kManyImages = 8;   // from this many on, each is the work of one thread
constexpr std::size_t kFewTiles = 4;     // below this many, output channels are divided, too
constexpr std::size_t kFewestRows = 96;  // but not into fewer than this

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

// Some output channels of one tile of one group of one image.
struct Convolution::Task {
  const std::int32_t* units;  // the packed image, or
  const std::uint8_t* x;      // the image
  std::uint8_t* y;            // the image of the group
  std::size_t group;
  std::size_t first_pixel;
  std::size_t pixels;
  std::size_t first_row;
  std::size_t rows;
  const Piece* pieces;
  std::size_t piece_count;

  std::size_t Groups() const { return Ceil(pixels, kGroup); }
  std::size_t Columns() const { return Groups() * kGroup; }
};

void Convolution::PackImage(const ImageSize& size, const std::uint8_t* x, std::int32_t* units,
                            const Workers& workers) const {
  const auto& g = geometry_;
  const std::size_t width = WidthOf(units_);
  const std::size_t pixels = size.in[0] * size.in[1];
  const std::size_t row_length = size.in[1] + g.pad_begin[1] + g.pad_end[1];
  const std::size_t column_length = size.in[0] + g.pad_begin[0] + g.pad_end[0];
  const std::size_t code = SizeOf(x_carrier_);
  const auto pack =
      AtSelectedLevel<PackTable>().channels[static_cast<int>(units_)][static_cast<int>(x_carrier_)];
  workers.For(g.groups * channel_units_, [&](std::size_t index) {
    const std::size_t first = index % channel_units_ * width;
    const std::size_t channels = std::min(width, g.in_channels - first);
    const std::uint8_t* from = x + (index / channel_units_ * g.in_channels + first) * pixels * code;
    std::int32_t* to = units + index * row_length * column_length;
    if (row_length == size.in[1]) {
      std::fill_n(to, g.pad_begin[0] * row_length, zero_);
      to += g.pad_begin[0] * row_length;
      pack(from, pixels, channels, to, pixels);
      std::fill_n(to + pixels, g.pad_end[0] * row_length, zero_);
      return;
    }
    to = std::fill_n(to, g.pad_begin[0] * row_length, zero_);
    for (std::size_t row = 0; row < size.in[0]; ++row) {
      to = std::fill_n(to, g.pad_begin[1], zero_);
      pack(from, pixels, channels, to, size.in[1]);
      from += size.in[1] * code;
      to = std::fill_n(to + size.in[1], g.pad_end[1], zero_);
    }
    std::fill_n(to, g.pad_end[0] * row_length, zero_);
  });
}

void Convolution::FillPanel(const ImageSize& size, const Task& task, const Segment& segment,
                            std::int32_t* panel) const {
  const auto& g = geometry_;
  const auto& kernels = AtSelectedLevel<PackTable>();
  const std::size_t columns = task.Columns();
  if (direct_) {
    const std::size_t width = WidthOf(units_);
    const std::size_t pixels = size.in[0] * size.in[1];
    const std::size_t code = SizeOf(x_carrier_);
    const auto pack = kernels.channels[static_cast<int>(units_)][static_cast<int>(x_carrier_)];
    for (std::size_t step = 0; step < segment.steps; ++step) {
      const std::size_t first = (segment.first_step + step) * width;
      const std::size_t channel = task.group * g.in_channels + first;
      pack(task.x + (channel * pixels + task.first_pixel) * code, pixels,
           std::min(width, g.in_channels - first), panel + step * columns, task.pixels);
    }
    return;
  }
  const std::size_t row_length = size.in[1] + g.pad_begin[1] + g.pad_end[1];
  const std::size_t column_length = size.in[0] + g.pad_begin[0] + g.pad_end[0];
  const std::size_t taps = g.kernel[0] * g.kernel[1];
  for (std::size_t step = 0; step < segment.steps; ++step) {
    const std::size_t unit = (segment.first_step + step) / taps;
    const std::size_t tap = (segment.first_step + step) % taps;
    const std::size_t row = tap / g.kernel[1] * g.dilation[0];
    const std::size_t column = tap % g.kernel[1] * g.dilation[1];
    const std::int32_t* const from =
        task.units + ((task.group * channel_units_ + unit) * column_length + row) * row_length +
        column;
    kernels.gather(from, g.stride[1], task.pieces, task.piece_count, panel + step * columns);
  }
}

void Convolution::RunTask(const ImageSize& size, const Task& task) const {
  const std::size_t columns = task.Columns();
  const std::size_t out_pixels = size.out[0] * size.out[1];
  const bool whole = segments_.size() == 1 && !wide_;
  const std::size_t rows = geometry_.out_channels;
  std::size_t longest = 0;
  for (const Segment& segment : segments_) longest = std::max(longest, segment.steps);
  auto* const panel = ScratchOf<std::int32_t>(ScratchUse::kPanel, longest * columns + kSlack);
  // Sums of all rows, and below them a few rows that one call computes.
  const std::size_t kept = whole ? 0 : task.rows * columns;
  auto* const few =
      ScratchOf<std::int32_t>(ScratchUse::kAccumulators, kRows * columns + kept * (wide_ ? 2 : 1));
  std::int32_t* const sums32 = few + kRows * columns;
  auto* const sums64 = reinterpret_cast<std::int64_t*>(sums32);
  if (wide_) std::fill_n(sums64, kept, 0);
  const auto output = [&](std::size_t row) {
    return task.y + ((task.first_row + row) * out_pixels + task.first_pixel) * y_size_;
  };
  const std::size_t first_channel = task.group * rows + task.first_row;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    FillPanel(size, task, segment, panel);
    const std::int32_t* const weights =
        weights_.data() + task.group * group_size_ + segment_offsets_[i];
    for (std::size_t row = 0; row < task.rows; row += kRows) {
      const std::size_t count = std::min(kRows, task.rows - row);
      const bool keeps = !whole && !wide_ && !split_;
      multiply_({.a = weights + (task.first_row + row) * segment.steps,
                 .a_step = count,
                 .a_row = 1,
                 .rows = count,
                 .b = panel,
                 .b_step = columns,
                 .groups = task.Groups(),
                 .steps = segment.steps,
                 .c = keeps ? sums32 + row * columns : few,
                 .c_row = columns,
                 .accumulate = keeps && i > 0});
      if (split_) {
        const std::size_t channel = first_channel + row;
        const std::size_t index = (task.group * segments_.size() + i) * rows + task.first_row + row;
        AtSelectedLevel<MultiplyTable>().add_sparse({.units = sparse_.data(),
                                                     .begins = sparse_begins_.data() + index,
                                                     .shifts = shifts_.data() + channel,
                                                     .rows = count,
                                                     .b = panel,
                                                     .b_step = columns,
                                                     .groups = task.Groups(),
                                                     .c = few,
                                                     .c_row = columns,
                                                     .sums = whole ? few : sums32 + row * columns,
                                                     .sums_row = columns,
                                                     .accumulate = !whole && i > 0});
      }
      if (wide_) {
        AtSelectedLevel<MultiplyTable>().widen(few, segment.shift, sums64 + row * columns,
                                               count * columns);
      }
      if (whole) {
        for (std::size_t j = 0; j < count; ++j) {
          epilogue_.Row(first_channel + row + j, few + j * columns, output(row + j), task.pixels);
        }
      }
    }
  }
  if (whole) return;
  for (std::size_t row = 0; row < task.rows; ++row) {
    if (wide_) {
      epilogue_.Row(first_channel + row, sums64 + row * columns, output(row), task.pixels);
    } else {
      epilogue_.Row(first_channel + row, sums32 + row * columns, output(row), task.pixels);
    }
  }
}

void Convolution::RunImage(const ImageSize& size, const std::uint8_t* x, std::uint8_t* y,
                           const Workers& workers) const {
  const auto& g = geometry_;
  const std::size_t row_length = size.in[1] + g.pad_begin[1] + g.pad_end[1];
  const std::size_t column_length = size.in[0] + g.pad_begin[0] + g.pad_end[0];
  const std::size_t out_pixels = size.out[0] * size.out[1];
  const std::size_t pixel_groups = Ceil(out_pixels, kGroup);
  const std::size_t tiles = Ceil(pixel_groups, kGroups);
  const std::size_t tasks = tiles * g.groups;
  std::size_t parts = 1;
  if (tasks < kFewTiles) {
    parts =
        std::min(Ceil(kFewTiles, tasks), std::max<std::size_t>(g.out_channels / kFewestRows, 1));
  }
  const std::size_t part_rows = Ceil(Ceil(g.out_channels, parts), kRows) * kRows;
  std::int32_t* units = nullptr;
  if (!direct_) {
    units = ScratchOf<std::int32_t>(
        ScratchUse::kPackedInput,
        g.groups * channel_units_ * row_length * column_length + 2 * kSlack);
    PackImage(size, x, units, workers);
  }
  workers.For(tasks * parts, [&](std::size_t index) {
    const std::size_t part = index % parts;
    const std::size_t tile = index / parts % tiles;
    Task task = {};
    task.units = units;
    task.x = x;
    task.group = index / parts / tiles;
    task.y = y + task.group * g.out_channels * out_pixels * y_size_;
    task.first_row = part * part_rows;
    if (task.first_row >= g.out_channels) return;
    task.rows = std::min(part_rows, g.out_channels - task.first_row);
    // Tiles of nearly the same number of groups.
    task.first_pixel = pixel_groups * tile / tiles * kGroup;
    const std::size_t end = std::min(pixel_groups * (tile + 1) / tiles * kGroup, out_pixels);
    task.pixels = end - task.first_pixel;
    Piece pieces[kColumns];
    for (std::size_t pixel = task.first_pixel; !direct_ && pixel < end;) {
      const std::size_t row = pixel / size.out[1];
      const std::size_t column = pixel % size.out[1];
      const std::size_t count = std::min(size.out[1] - column, end - pixel);
      pieces[task.piece_count++] = {pixel - task.first_pixel,
                                    row * g.stride[0] * row_length + column * g.stride[1], count};
      pixel += count;
    }
    task.pieces = pieces;
    RunTask(size, task);
  });
}

void Convolution::Run(const ImageSize& size, const void* x, void* y, const Workers& workers) const {
  const auto& g = geometry_;
  const std::size_t in_image =
      g.groups * g.in_channels * size.in[0] * size.in[1] * SizeOf(x_carrier_);
  const std::size_t out_image = g.groups * g.out_channels * size.out[0] * size.out[1] * y_size_;
  const auto run = [&](std::size_t image, const Workers& within) {
    RunImage(size, static_cast<const std::uint8_t*>(x) + image * in_image,
             static_cast<std::uint8_t*>(y) + image * out_image, within);
  };
  if (size.count >= kManyImages) {
    workers.For(size.count, [&](std::size_t image) { run(image, OneThread()); });
    return;
  }
  for (std::size_t image = 0; image < size.count; ++image) run(image, workers);
}

}  // namespace qonnx_tools
