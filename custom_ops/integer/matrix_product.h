// Product of integer codes with constant weights: x [N, K], weights [M, K], y [N, M].

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/workers.h"
#include "integer/ending.h"
#include "integer/weights.h"
#include "kernels/multiply.h"

namespace qonnx_tools {

class MatrixProduct {
 public:
  // `terms` without a sum.
  MatrixProduct(const WeightMatrix& weights, Carrier x, const EndingTerms& terms);

  void Run(std::size_t count, const void* x, void* y, const Workers& workers) const;

 private:
  struct Task;
  void RunTask(const Task& task) const;

  std::size_t rows_;   // M
  std::size_t depth_;  // K
  Carrier x_carrier_;
  std::size_t y_size_;
  Units units_;
  std::size_t steps_;
  Ending ending_;
  bool wide_;  // whether accumulators take 64 bits
  std::vector<Segment> segments_;
  // [tile of 64 rows][segment][step][row], the last tile rounded up to groups of 16
  std::vector<std::int32_t> weights_;
  std::size_t all_steps_ = 0;  // of all segments
  void (*multiply_)(const Factors&);
};

}  // namespace qonnx_tools
