#include "integer/panel.h"

#include <algorithm>

#include "core/level.h"
#include "core/scratch.h"
#include "integer/weights.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

struct PanelFiller::Image {
  std::int32_t* units;
  std::size_t rows;
  std::ptrdiff_t first_row;  // in the input
  std::size_t row_step;      // in the input
  std::size_t row_length;

  std::size_t Channel() const { return rows * row_length; }
};

PanelFiller::PanelFiller(const ConvolutionGeometry& geometry, Carrier x, const PanelLayout& layout)
    : geometry_(geometry),
      x_carrier_(x),
      layout_(layout),
      channel_units_(Ceil(geometry.in_channels, WidthOf(layout.planes[0]))),
      direct_(geometry.kernel[0] * geometry.kernel[1] == 1 && geometry.stride[0] == 1 &&
              geometry.stride[1] == 1 && geometry.pad_begin[0] + geometry.pad_begin[1] == 0 &&
              geometry.pad_end[0] + geometry.pad_end[1] == 0) {}

void PanelFiller::Fill(const ImageSize& size, const std::uint8_t* x, std::size_t group,
                       std::size_t first, std::size_t count, std::int32_t* panel) const {
  const std::size_t out_pixels = size.out[0] * size.out[1];
  const std::size_t channels =
      geometry_.in_channels * size.in[0] * size.in[1] * SizeOf(x_carrier_);  // of a group
  for (std::size_t column = 0; column < count;) {
    const std::size_t image = (first + column) / out_pixels;
    Run run = {};
    run.x = x + (image * geometry_.groups + group) * channels;
    run.first = (first + column) % out_pixels;
    run.count = std::min(count - column, out_pixels - run.first);
    run.column = column;
    if (direct_) {
      FillDirectly(size, run, panel);
    } else {
      FillByTaps(size, run, panel);
    }
    column += run.count;
  }
}

void PanelFiller::FillDirectly(const ImageSize& size, const Run& run, std::int32_t* panel) const {
  const auto& kernels = AtSelectedLevel<PackTable>();
  for (std::size_t done = 0; done < run.count;) {
    const std::size_t column = run.column + done;
    Packing packing = {};
    packing.x = run.x + (run.first + done) * SizeOf(x_carrier_);
    packing.channel = size.in[0] * size.in[1];
    packing.channels = geometry_.in_channels;
    packing.pixels = std::min(run.count - done, kColumns - column % kColumns);
    packing.units = panel + column / kColumns * layout_.TileSize() + column % kColumns;
    packing.step = kColumns;
    for (const Units plane : layout_.planes) {
      kernels.pixels[static_cast<int>(plane)][static_cast<int>(x_carrier_)](packing);
      packing.units += layout_.steps * kColumns;
    }
    done += packing.pixels;
  }
}

void PanelFiller::PackImage(const ImageSize& size, const Run& run, std::size_t plane,
                            const Image& image) const {
  const auto& g = geometry_;
  const auto& kernels = AtSelectedLevel<PackTable>();
  const int units = static_cast<int>(layout_.planes[plane]);
  const int carrier = static_cast<int>(x_carrier_);
  std::int32_t zero = 0;  // the unit of padding
  const std::uint64_t code_zero = 0;
  kernels.pixels[units][carrier](
      {.x = &code_zero, .channel = 0, .channels = 1, .pixels = 1, .units = &zero, .step = 0});
  for (std::size_t row = 0; row < image.rows; ++row) {
    const std::ptrdiff_t from = image.first_row + static_cast<std::ptrdiff_t>(row * image.row_step);
    std::int32_t* const to = image.units + row * image.row_length;
    const bool inside = from >= 0 && from < static_cast<std::ptrdiff_t>(size.in[0]);
    if (inside) {
      kernels.pixels[units][carrier](
          {.x = run.x + static_cast<std::size_t>(from) * size.in[1] * SizeOf(x_carrier_),
           .channel = size.in[0] * size.in[1],
           .channels = g.in_channels,
           .pixels = size.in[1],
           .units = to + g.pad_begin[1],
           .step = image.Channel()});
    }
    for (std::size_t channel = 0; channel < channel_units_; ++channel) {
      std::int32_t* const begin = to + channel * image.Channel();
      std::fill_n(begin, inside ? g.pad_begin[1] : image.row_length, zero);
      if (inside) std::fill_n(begin + image.row_length - g.pad_end[1], g.pad_end[1], zero);
    }
  }
}

void PanelFiller::FillByTaps(const ImageSize& size, const Run& run, std::int32_t* panel) const {
  const auto& g = geometry_;
  const std::size_t first_row = run.first / size.out[1];
  const std::size_t rows = (run.first + run.count - 1) / size.out[1] + 1 - first_row;
  Image image = {};
  // With one row of taps, only the rows that they meet.
  image.row_step = g.kernel[0] == 1 ? g.stride[0] : 1;
  image.rows =
      g.kernel[0] == 1 ? rows : (rows - 1) * g.stride[0] + (g.kernel[0] - 1) * g.dilation[0] + 1;
  image.first_row = static_cast<std::ptrdiff_t>(first_row * g.stride[0]) -
                    static_cast<std::ptrdiff_t>(g.pad_begin[0]);
  image.row_length = size.in[1] + g.pad_begin[1] + g.pad_end[1];
  image.units = ScratchOf<std::int32_t>(ScratchUse::kImage, channel_units_ * image.Channel());
  const std::size_t down = g.stride[0] / image.row_step * image.row_length;
  for (std::size_t plane = 0; plane < layout_.planes.size(); ++plane) {
    PackImage(size, run, plane, image);
    for (std::size_t done = 0; done < run.count;) {
      const std::size_t tile = (run.column + done) / kColumns;
      const std::size_t end = std::min(run.count, (tile + 1) * kColumns - run.column);
      Piece pieces[kColumns];
      std::size_t count = 0;
      for (; done < end; done += pieces[count++].count) {
        const std::size_t row = (run.first + done) / size.out[1];
        const std::size_t column = (run.first + done) % size.out[1];
        const std::size_t some = std::min({size.out[1] - column, end - done, kGroup});
        pieces[count] = {static_cast<std::uint32_t>((run.column + done) % kColumns),
                         static_cast<std::uint32_t>(some),
                         (row - first_row) * down + column * g.stride[1]};
      }
      AtSelectedLevel<PackTable>().gather(
          {.image = image.units,
           .channel_units = channel_units_,
           .channel = image.Channel(),
           .taps = {g.kernel[0], g.kernel[1]},
           .tap = {g.dilation[0] * image.row_length, g.dilation[1]},
           .stride = g.stride[1],
           .pieces = pieces,
           .piece_count = count,
           .units = panel + tile * layout_.TileSize() + plane * layout_.steps * kColumns,
           .step = kColumns});
    }
  }
}

}  // namespace qonnx_tools
