// Products of log codes as sums of products of integers.
//
// The product of two magnitudes, 2^(guard_bits - e) and 0 where that falls below 1, is no product
// of a number for x and one for w; but over few sizes of x and those of w that drop nothing, it is.
// So each code x becomes one byte in each of a few planes: a power of two where its size is among
// those of the plane, else 0. A convolution of the planes with a weight for each gives the sums.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/workers.h"
#include "integer/weights.h"

namespace qonnx_tools {

// As LogUnit in arithmetic/log_products.py.
struct LogUnit {
  int x_bits;
  bool x_signed;
  int weight_bits;
  int steps;
  int guard_bits;

  int LargestX() const { return (1 << (x_bits - (x_signed ? 1 : 0))) - 1; }
  int LargestWeight() const { return (1 << (weight_bits - 1)) - 1; }
};

class LogPlanes {
 public:
  // Of log codes `weights` and codes x in the carrier `x`.
  LogPlanes(const LogUnit& unit, const WeightMatrix& weights, Carrier x);

  // The codes as weights of the planes: rows of [plane, what was in a row]. With two steps each row
  // becomes two, for the even and the odd accumulator.
  WeightMatrix Expanded(const WeightMatrix& weights) const;

  std::size_t Count() const { return planes_.size(); }
  Carrier Bytes() const { return unit_.x_signed ? Carrier::kInt8 : Carrier::kUint8; }
  const LogUnit& Unit() const { return unit_; }
  // Of a code x in one byte, which is packed as kernels/pack.h says: the byte of the plane, packed.
  std::vector<std::uint8_t> PackedTable(std::size_t plane) const;
  // The packed byte of the code 0 of x.
  std::uint8_t PackedZero() const { return IsSigned(x_carrier_) ? 0x80 : 0; }
  // The largest |x| that is not 0 in the plane.
  int LargestCode(std::size_t plane) const;
  // Whether two planes are one, or of the same octaves of x.
  bool AreAlike(std::size_t a, std::size_t b) const {
    const Sizes& x = planes_[a].x;
    const Sizes& y = planes_[b].x;
    return a == b || (x.first == y.first && x.step != y.step);
  }
  // The weight of a code w, of the odd accumulator or the even one.
  std::int64_t Weight(std::size_t plane, std::int64_t code, bool odd) const {
    return Weight(planes_[plane], code, odd);
  }
  // Whether few codes of layers are as small as those of a plane.
  bool IsRare(std::size_t plane) const;
  // For each row of Expanded, what must be added to its sum because planes of signed codes are
  // packed with an offset.
  std::vector<std::int64_t> Corrections(const WeightMatrix& weights) const;
  // For each row of Expanded, the largest |sum| that codes x can give.
  std::vector<std::uint64_t> Bounds(const WeightMatrix& weights) const;
  // From x [rows, count] to y [rows, plane, count].
  void Fill(const void* x, std::size_t rows, std::size_t count, std::uint8_t* y,
            const Workers& workers) const;

 private:
  // Some sizes of w: those `step` steps past a whole octave, from `first` octaves below the
  // largest, up to but without `end`.
  struct Sizes {
    int step;
    int first;
    int end;
  };
  struct Plane {
    Sizes x;
    std::vector<Sizes> weights;
    int one;                          // octaves below the largest of the size that has the byte 1
    std::vector<std::uint8_t> bytes;  // by the byte of x, or from the lowest code of x
  };

  int Octaves() const { return unit_.x_signed ? 7 : 8; }  // that a byte holds
  int OctavesDown(int x_step, const Sizes& weights) const {
    return (x_step + weights.step) / unit_.steps;
  }
  void Divide(const Sizes& x, const std::vector<Sizes>& weights);
  void Add(const Sizes& x, std::vector<Sizes> weights);
  void Tabulate(Plane& plane) const;
  // The weight for `plane` of a code, and whether it is of the odd accumulator.
  std::int64_t Weight(const Plane& plane, std::int64_t code, bool odd) const;

  LogUnit unit_;
  Carrier x_carrier_;
  std::vector<Plane> planes_;
};

}  // namespace qonnx_tools
