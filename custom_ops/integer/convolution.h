// Convolution of integer codes: x [N, C, H, W], weights [M, C/group, kernel], y [N, M, OH, OW].
//
// Tiles of 64 output pixels are gathered into a panel of units (im2col), multiplied with the packed
// weights a few rows at a time, and written through the epilogue.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/workers.h"
#include "integer/epilogue.h"
#include "integer/split_weights.h"
#include "integer/weights.h"
#include "kernels/multiply.h"

namespace qonnx_tools {

// Of two spatial axes, rows and columns; with one spatial axis the rows are all 1.
struct ConvolutionGeometry {
  std::size_t groups = 1;
  std::size_t in_channels = 0;   // of a group
  std::size_t out_channels = 0;  // of a group
  std::size_t kernel[2] = {1, 1};
  std::size_t stride[2] = {1, 1};
  std::size_t dilation[2] = {1, 1};
  std::size_t pad_begin[2] = {0, 0};
  std::size_t pad_end[2] = {0, 0};
};

struct ImageSize {
  std::size_t count;  // N
  std::size_t in[2];
  std::size_t out[2];
};

// A convolution with its weights packed.
class ConvolutionPlan {
 public:
  virtual ~ConvolutionPlan() = default;
  virtual void Run(const ImageSize& size, const void* x, void* y, const Workers& workers) const = 0;
};

class Convolution final : public ConvolutionPlan {
 public:
  // `weights` are [M, C/group * kernel] in the order of ONNX.
  Convolution(const ConvolutionGeometry& geometry, const WeightMatrix& weights, Carrier x,
              const OutputFormat& format, int accumulator_bits,
              const ChannelParameters& parameters);

  void Run(const ImageSize& size, const void* x, void* y, const Workers& workers) const override;

 private:
  struct Task;

  void PackWeights(const WeightMatrix& ordered);
  void PackSparse(const WeightMatrix& ordered);
  void PackImage(const ImageSize& size, const std::uint8_t* x, std::int32_t* units,
                 const Workers& workers) const;
  void RunImage(const ImageSize& size, const std::uint8_t* x, std::uint8_t* y,
                const Workers& workers) const;
  void RunTask(const ImageSize& size, const Task& task) const;
  void FillPanel(const ImageSize& size, const Task& task, const Segment& segment,
                 std::int32_t* panel) const;

  ConvolutionGeometry geometry_;
  Carrier x_carrier_;
  std::size_t y_size_;
  Units units_;
  std::size_t channel_units_;  // of a group
  bool direct_;                // 1x1, stride 1, no pads: no image needs to be packed
  std::int32_t zero_;          // the unit of padding
  Epilogue epilogue_;
  bool wide_;  // whether accumulators take 64 bits
  std::vector<Segment> segments_;
  // [group][segment][block of rows][step][row]
  std::vector<std::int32_t> weights_;
  std::vector<std::size_t> segment_offsets_;  // in one group's weights
  std::size_t group_size_ = 0;
  void (*multiply_)(const Factors&);
  // With weights in two planes: the sparse one, [group][segment][row].
  bool split_ = false;
  std::vector<std::uint8_t> shifts_;
  std::vector<SparseUnit> sparse_;
  std::vector<std::uint32_t> sparse_begins_;
};

}  // namespace qonnx_tools
