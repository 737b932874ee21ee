// Log weights of a convolution, multiplied with the byte planes of log codes (log_planes.h).
//
// The panel of codes is expanded to one of planes, a table at a time. What a plane is multiplied
// with are the digits of its weights, 8 bits each; digits that are nearly all 0 are multiplied unit
// by unit. Sums are made from the digits that count most downward, shifted in between.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/aligned.h"
#include "integer/log_planes.h"
#include "integer/products.h"
#include "kernels/log_panel.h"

namespace qonnx_tools {

class LogWeights final : public Products {
 public:
  // Whether the level, the carrier of x and the depth are those of this class.
  static bool Take(const LogPlanes& planes, const WeightMatrix& codes, Carrier x);

  // `codes` are [group, channel of y, channel of x, tap]. Each channel has a row, or two: of the
  // even accumulator and of the odd one. With wide = false, sums are modulo 2^32.
  LogWeights(std::unique_ptr<LogPlanes> planes, const WeightMatrix& codes, std::size_t groups,
             std::size_t taps);

  // What must be added to each row's accumulator because planes of signed codes have an offset.
  std::vector<std::int64_t> Corrections(const WeightMatrix& codes) const;

  std::size_t TileSize() const override;
  bool Expands() const override { return true; }
  void Expand(std::int32_t* codes, std::size_t columns, std::int32_t* panel) const override;

  void Sums(const ProductRows& rows, std::int32_t* few, std::int32_t* sums) const override;
  void Sums(const ProductRows& rows, std::int32_t* few, std::int64_t* sums) const override;

 private:
  // Digits by the row of a channel and the code; those of neighbouring planes one after the other.
  using Digits = std::vector<std::int8_t>;

  // Products of neighbouring planes with digits that count for 2^shift.
  struct Term {
    std::size_t plane;
    std::vector<Digits> digits;  // of this plane and the next ones
    int shift;
    int largest_code;   // |x| that is not 0 in any of the planes
    std::size_t begin;  // in units_, or in begins_
    std::size_t steps;  // with those that are read beyond
  };

  // What makes a plane.
  struct Table {
    std::vector<std::uint8_t> bytes;  // by the packed code
    int largest_code;                 // of the terms that read the plane
    bool by_chunk;  // whether chunks of steps with larger codes alone are left out
  };
  struct Steps {
    std::size_t first;
    std::size_t count;
  };

  std::size_t ChannelRows() const { return static_cast<std::size_t>(planes_->Unit().steps); }
  std::int8_t DigitAt(const Digits& digits, std::size_t row, std::int64_t code) const;
  std::int32_t UnitAt(const Term& term, const WeightMatrix& ordered, std::size_t row,
                      std::size_t step) const;
  // The weights of a plane by the row of a channel and the code, of codes that are there.
  std::vector<std::int64_t> WeightsOf(std::size_t plane, const std::vector<bool>& there) const;
  void AddTerms(const WeightMatrix& ordered);
  void AddDigits(std::size_t plane, std::vector<std::int64_t> weights, int shift,
                 const WeightMatrix& ordered);
  bool IsSparse(const Term& term, const WeightMatrix& ordered) const;
  void Merge();
  void MergeSparse();
  void Pack(Term& term, const WeightMatrix& ordered);
  void PackSparse(Term& term, const WeightMatrix& ordered);
  bool IsRare(std::size_t plane) const;
  const std::uint8_t* Smallest(const std::int32_t* tile) const;
  void ExpandTile(const std::int32_t* codes, std::int32_t* tile) const;
  void ExpandSteps(const std::uint8_t* codes, const Steps& steps, int smallest, bool by_chunk,
                   std::int32_t* tile) const;
  // Adds to the sums, or begins them.
  void Multiply(const ProductRows& rows, const Term& term, bool begun, std::int32_t* sums) const;
  template <typename Sum>
  void AddSparse(const ProductRows& rows, Sum* sums,
                 void (*add)(const SparseProducts<Sum>& products)) const;

  std::unique_ptr<LogPlanes> planes_;
  std::vector<Table> tables_;  // of each plane
  std::size_t chunk_steps_;
  bool leaves_out_ = false;  // whether any plane is rare
  std::size_t rows_;         // of a group
  std::size_t all_rows_;
  std::size_t plane_steps_;
  std::vector<Term> terms_;  // by falling shift
  std::vector<Term> sparse_terms_;
  AlignedVector<std::int32_t> units_;
  std::vector<std::uint32_t> begins_;  // of the sparse units of each row of a term, and the end
  std::vector<SparseUnit> sparse_units_;
};

}  // namespace qonnx_tools
