// Panels of a convolution: the codes that some output pixels are computed from, packed.

#pragma once

#include <cstddef>
#include <cstdint>

#include "integer/convolution_geometry.h"
#include "integer/products.h"

namespace qonnx_tools {

class PanelFiller {
 public:
  PanelFiller(const ConvolutionGeometry& geometry, Carrier x, const PanelLayout& layout);

  // Pixels `first` .. `first + count` of the outputs of all images, one after the other, for one
  // group of channels, to panel columns 0 .. count; further columns are left as they are.
  void Fill(const ImageSize& size, const std::uint8_t* x, std::size_t group, std::size_t first,
            std::size_t count, std::int32_t* panel) const;

 private:
  // Output pixels of one image, and the column of the first.
  struct Run {
    const std::uint8_t* x;
    std::size_t first;
    std::size_t count;
    std::size_t column;
  };
  // The rows of an image that a run takes, packed with their padding: units [channel][row][column].
  struct Image;

  void FillDirectly(const ImageSize& size, const Run& run, std::int32_t* panel) const;
  void FillByTaps(const ImageSize& size, const Run& run, std::int32_t* panel) const;
  void PackImage(const ImageSize& size, const Run& run, std::size_t plane,
                 const Image& image) const;

  ConvolutionGeometry geometry_;
  Carrier x_carrier_;
  PanelLayout layout_;
  std::size_t channel_units_;
  bool direct_;  // 1x1, stride 1, no pads
};

}  // namespace qonnx_tools
