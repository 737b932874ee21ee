// Convolution of integer codes.
//
// Work is divided into chunks of output pixels. The codes of a chunk are packed into a panel
// (im2col), multiplied with the packed weights a few rows at a time, and written through the
// epilogue.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/workers.h"
#include "integer/convolution_geometry.h"
#include "integer/ending.h"
#include "integer/log_planes.h"
#include "integer/panel.h"
#include "integer/products.h"

namespace qonnx_tools {

// Tensors of codes. The residual has the shape of y; it is null where nothing is added.
struct ConvolutionTensors {
  const void* x;
  const void* residual;
  void* y;
};

// A convolution with its weights packed.
class ConvolutionPlan {
 public:
  virtual ~ConvolutionPlan() = default;
  virtual void Run(const ImageSize& size, const ConvolutionTensors& tensors,
                   const Workers& workers) const = 0;
};

class Convolution final : public ConvolutionPlan {
 public:
  // `weights` are [M, C/group * kernel] in the order of ONNX; or each row of them is two, of an
  // even and an odd accumulator.
  Convolution(const ConvolutionGeometry& geometry, const WeightMatrix& weights, Carrier x,
              const EndingTerms& terms);
  // `codes` are log weights, of log codes x in one byte; see LogWeights::Take.
  Convolution(const ConvolutionGeometry& geometry, const WeightMatrix& codes,
              const LogPlanes& planes, Carrier x, const EndingTerms& terms);

  void Run(const ImageSize& size, const ConvolutionTensors& tensors,
           const Workers& workers) const override;

 private:
  struct Task;
  struct Block;

  void RunTask(const ImageSize& size, const Task& task) const;
  template <typename Sum>
  void RunRows(const ImageSize& size, const Task& task, const std::int32_t* panel) const;
  template <typename Sum>
  void Finish(const ImageSize& size, const Task& task, const Block& block, const Sum* sums) const;

  ConvolutionGeometry geometry_;
  std::size_t y_size_;
  std::size_t residual_size_;
  std::optional<Ending> ending_;
  std::unique_ptr<Products> weights_;
  std::optional<PanelFiller> filler_;
};

}  // namespace qonnx_tools
