// What the byte planes of log codes (log_planes.h) are multiplied with: the digits of their
// weights, 8 bits each.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "integer/log_planes.h"
#include "integer/weights.h"

namespace qonnx_tools {

// Neighbouring planes, each with a digit of its weights that counts for 2^shift.
struct LogTerm {
  using Digits = std::vector<std::int8_t>;  // by the row of a channel and the code of a weight

  std::size_t plane;           // the first
  std::vector<Digits> digits;  // of this plane and the next ones
  int shift;
  int largest_code;  // |x| that is not 0 in any of the planes
};

class LogTerms {
 public:
  // Of log weights `ordered`, see InUnits; both arguments must outlive this object. A digit of
  // which less than `most_filled` of the units are not 0 is a sparse term.
  LogTerms(const LogPlanes& planes, const WeightMatrix& ordered, double most_filled);

  // By falling shift.
  const std::vector<LogTerm>& Dense() const { return dense_; }
  // One a shift, and one of rare planes.
  const std::vector<LogTerm>& Sparse() const { return sparse_; }

  std::size_t Rows() const { return ordered_.rows * channel_rows_; }
  std::size_t PlaneSteps() const { return ordered_.depth / WidthOf(Units::kBytes); }
  std::size_t Steps(const LogTerm& term) const { return term.digits.size() * PlaneSteps(); }
  // The unit of a row at a step of a term; 0 beyond its steps.
  std::int32_t UnitAt(const LogTerm& term, std::size_t row, std::size_t step) const;

 private:
  std::vector<std::int64_t> WeightsOf(std::size_t plane, const std::vector<bool>& there) const;
  void AddDigits(std::size_t plane, std::vector<std::int64_t> weights, int shift,
                 double most_filled);
  bool IsSparse(const LogTerm& term, double most_filled) const;
  void MergeDense();
  void MergeSparse();

  const LogPlanes& planes_;
  const WeightMatrix& ordered_;
  std::size_t channel_rows_;  // accumulators a channel
  std::vector<LogTerm> dense_;
  std::vector<LogTerm> sparse_;
};

}  // namespace qonnx_tools
