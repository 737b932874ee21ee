#include "integer/matrix_product.h"

#include <algorithm>

#include "core/level.h"
#include "core/scratch.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kItems = 96;            // items of x that one task takes
constexpr std::size_t kLongestSegment = 128;  // so that a tile of weights stays in the L1 cache

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

Units UnitsFor(const WeightMatrix& weights, Carrier x) {
  const bool can = AtSelectedLevel<MultiplyTable>().signed_by_unsigned != nullptr;
  return can && SizeOf(x) == 1 && FitUnits(weights, Units::kBytes) ? Units::kBytes : Units::kWords;
}

// The weights with the depth rounded up to whole units.
WeightMatrix Padded(const WeightMatrix& weights, std::size_t width) {
  WeightMatrix padded;
  padded.rows = weights.rows;
  padded.depth = Ceil(weights.depth, width) * width;
  padded.values.assign(padded.rows * padded.depth, 0);
  for (std::size_t row = 0; row < weights.rows; ++row) {
    std::copy_n(weights.values.begin() + static_cast<std::ptrdiff_t>(row * weights.depth),
                weights.depth,
                padded.values.begin() + static_cast<std::ptrdiff_t>(row * padded.depth));
  }
  return padded;
}

}  // namespace

// Some items of x with a tile of the weights' rows.
struct MatrixProduct::Task {
  const std::int32_t* x;  // packed
  std::uint8_t* y;
  std::size_t items;
  std::size_t first_row;
  std::size_t rows;
};

MatrixProduct::MatrixProduct(const WeightMatrix& weights, Carrier x, const EndingTerms& terms)
    : rows_(weights.rows),
      depth_(weights.depth),
      x_carrier_(x),
      y_size_(terms.YSize()),
      units_(UnitsFor(weights, x)),
      steps_(Ceil(weights.depth, WidthOf(units_))),
      ending_(terms, AccumulatorBounds(weights, x),
              PackingCorrections(weights, x, AreBytes(units_))),
      wide_(!ending_.Takes32() || !FitUnits(weights, units_)) {
  const auto& multiply = AtSelectedLevel<MultiplyTable>();
  multiply_ = units_ == Units::kBytes ? multiply.unsigned_by_signed : multiply.words;
  const WeightMatrix padded = Padded(weights, WidthOf(units_));
  segments_ = SegmentsOf(padded, x, units_, wide_, kLongestSegment);
  for (const Segment& segment : segments_) all_steps_ += segment.steps;
  weights_.reserve(all_steps_ * Ceil(rows_, kGroup) * kGroup);
  for (std::size_t first = 0; first < rows_; first += kColumns) {
    const std::size_t columns = Ceil(std::min(kColumns, rows_ - first), kGroup) * kGroup;
    for (const Segment& segment : segments_) {
      for (std::size_t step = 0; step < segment.steps; ++step) {
        for (std::size_t row = first; row < first + columns; ++row) {
          weights_.push_back(
              row < rows_ ? UnitAt(padded, units_, segment.plane, row, segment.first_step + step)
                          : 0);
        }
      }
    }
  }
}

void MatrixProduct::RunTask(const Task& task) const {
  const std::size_t groups = Ceil(task.rows, kGroup);
  const std::size_t columns = groups * kGroup;
  const std::size_t kept = task.items * columns;
  auto* const few =
      ScratchOf<std::int32_t>(ScratchUse::kAccumulators, kRows * columns + kept * (wide_ ? 2 : 1));
  std::int32_t* const sums32 = few + kRows * columns;
  auto* const sums64 = reinterpret_cast<std::int64_t*>(sums32);
  if (wide_) std::fill_n(sums64, kept, 0);
  const std::int32_t* weights = weights_.data() + task.first_row * all_steps_;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    for (std::size_t item = 0; item < task.items; item += kRows) {
      const std::size_t count = std::min(kRows, task.items - item);
      multiply_({.a = task.x + item * steps_ + segment.first_step,
                 .a_step = 1,
                 .a_row = steps_,
                 .rows = count,
                 .b = weights,
                 .b_step = columns,
                 .groups = groups,
                 .steps = segment.steps,
                 .c = wide_ ? few : sums32 + item * columns,
                 .c_row = columns,
                 .accumulate = !wide_ && i > 0});
      if (wide_) {
        AtSelectedLevel<MultiplyTable>().widen(few, segment.shift, sums64 + item * columns,
                                               count * columns);
      }
    }
    weights += segment.steps * columns;
  }
  for (std::size_t item = 0; item < task.items; ++item) {
    std::uint8_t* const y =
        task.y + (item * rows_ + task.first_row) / ending_.RowsAChannel() * y_size_;
    if (wide_) {
      ending_.Across(task.first_row, sums64 + item * columns, y, task.rows);
    } else {
      if (segments_.empty()) std::fill_n(sums32 + item * columns, columns, 0);
      ending_.Across(task.first_row, sums32 + item * columns, y, task.rows);
    }
  }
}

void MatrixProduct::Run(std::size_t count, const void* x, void* y, const Workers& workers) const {
  auto* const units = ScratchOf<std::int32_t>(ScratchUse::kPackedInput, count * steps_);
  const auto pack =
      AtSelectedLevel<PackTable>().row[static_cast<int>(units_)][static_cast<int>(x_carrier_)];
  const std::size_t size = SizeOf(x_carrier_);
  for (std::size_t item = 0; item < count; ++item) {
    pack(static_cast<const std::uint8_t*>(x) + item * depth_ * size, depth_, units + item * steps_);
  }
  const std::size_t tiles = Ceil(rows_, kColumns);
  workers.For(tiles * Ceil(count, kItems), [&](std::size_t index) {
    const std::size_t item = index / tiles * kItems;
    Task task = {};
    task.x = units + item * steps_;
    task.y = static_cast<std::uint8_t*>(y) + item * rows_ / ending_.RowsAChannel() * y_size_;
    task.items = std::min(kItems, count - item);
    task.first_row = index % tiles * kColumns;
    task.rows = std::min(kColumns, rows_ - task.first_row);
    RunTask(task);
  });
}

}  // namespace qonnx_tools
