#include "integer/convolution.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/scratch.h"
#include "integer/log_weights.h"
#include "integer/packed_weights.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kPanelUnits = 1 << 17;  // of a chunk, about: 512 KB
constexpr std::size_t kMostGroups = 16;       // of 16 columns, of a chunk
constexpr std::size_t kFewestGroups = 6;      // but not fewer than this for the sake of balance
// Below this many products of units, threads take longer to meet than to compute; finishing an
// output is as much as some products.
constexpr std::size_t kSmall = 1 << 19;
constexpr std::size_t kFinish = 16;
constexpr std::size_t kFewTasks = 4;     // below this many, output channels are divided, too
constexpr std::size_t kFewestRows = 64;  // but not into fewer than this

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// What lies in this thread's scratch memory for panels.
struct PanelName {
  std::uint64_t run = 0;
  std::size_t group = 0;
  std::size_t chunk = 0;
  bool operator==(const PanelName&) const = default;
};
thread_local PanelName filled;
std::atomic<std::uint64_t> runs = 0;

}  // namespace

// Some output channels of some pixels of one group.
struct Convolution::Task {
  const std::uint8_t* x;
  const std::uint8_t* residual;
  std::uint8_t* y;
  PanelName panel;
  std::size_t first_pixel;  // of all images, one after the other
  std::size_t pixels;
  std::size_t first_row;
  std::size_t end_row;
};

// What is finished at once: some rows of some pixels.
struct Convolution::Block {
  std::size_t first_row;
  std::size_t rows;
  std::size_t first_pixel;
  std::size_t pixels;
};

Convolution::Convolution(const ConvolutionGeometry& geometry, const WeightMatrix& weights,
                         Carrier x, const EndingTerms& terms)
    : geometry_(geometry),
      y_size_(terms.YSize()),
      residual_size_(terms.ResidualSize()),
      ending_(std::in_place, terms, AccumulatorBounds(weights, x),
              std::vector<std::int64_t>(weights.rows)) {
  auto packed = std::make_unique<PackedWeights>(
      weights, geometry.groups, geometry.kernel[0] * geometry.kernel[1], x, !ending_->Takes32());
  ending_.emplace(terms, AccumulatorBounds(weights, x),
                  PackingCorrections(weights, x, packed->AreBytes()));
  weights_ = std::move(packed);
  filler_.emplace(geometry, x, weights_->Layout());
}

Convolution::Convolution(const ConvolutionGeometry& geometry, const WeightMatrix& codes,
                         const LogPlanes& planes, Carrier x, const EndingTerms& terms)
    : geometry_(geometry), y_size_(terms.YSize()), residual_size_(terms.ResidualSize()) {
  ending_.emplace(terms, planes.Bounds(codes), planes.Corrections(codes));
  weights_ = std::make_unique<LogWeights>(planes, codes, geometry.groups,
                                          geometry.kernel[0] * geometry.kernel[1]);
  filler_.emplace(geometry, x, weights_->Layout());
}

template <typename Sum>
void Convolution::RunRows(const ImageSize& size, const Task& task,
                          const std::int32_t* panel) const {
  auto* const sums = ScratchOf<Sum>(ScratchUse::kAccumulators, 2 * weights_->SumsSize());
  auto* const few = reinterpret_cast<std::int32_t*>(sums + weights_->SumsSize());
  const std::size_t block = weights_->BlockRows();
  for (std::size_t first = task.first_row; first < task.end_row; first += block) {
    const std::size_t rows = std::min(block, task.end_row - first);
    for (std::size_t done = 0; done < task.pixels; done += kBlockTiles * kColumns) {
      const std::size_t pixels = std::min(kBlockTiles * kColumns, task.pixels - done);
      weights_->Sums({.group = task.panel.group,
                      .first = first,
                      .count = rows,
                      .panel = panel + done / kColumns * weights_->TileSize(),
                      .column_groups = Ceil(pixels, kGroup)},
                     few, sums);
      Finish(size, task, {first, rows, task.first_pixel + done, pixels}, sums);
    }
  }
}

template <typename Sum>
void Convolution::Finish(const ImageSize& size, const Task& task, const Block& block,
                         const Sum* sums) const {
  const std::size_t out_pixels = size.out[0] * size.out[1];
  const std::size_t channel =
      task.panel.group * geometry_.out_channels + block.first_row / ending_->RowsAChannel();
  for (std::size_t done = 0; done < block.pixels;) {
    const std::size_t image = (block.first_pixel + done) / out_pixels;
    const std::size_t pixel = (block.first_pixel + done) % out_pixels;
    const std::size_t plane = image * geometry_.groups * geometry_.out_channels + channel;
    const std::size_t count = std::min(out_pixels - pixel, block.pixels - done);
    const std::size_t at = plane * out_pixels + pixel;
    ending_->Rows(channel * ending_->RowsAChannel(),
                  AccumulatorRows<Sum>{.sums = sums + done,
                                       .pitch = Products::kPitch,
                                       .rows = block.rows,
                                       .count = count,
                                       .y = task.y + at * y_size_,
                                       .y_pitch = out_pixels},
                  task.residual + at * residual_size_);
    done += count;
  }
}

void Convolution::RunTask(const ImageSize& size, const Task& task) const {
  const std::size_t tiles = Ceil(task.pixels, kColumns);
  auto* const panel =
      ScratchOf<std::int32_t>(ScratchUse::kConvolutionPanel, tiles * weights_->TileSize());
  if (filled != task.panel) {
    filled = {};
    std::int32_t* codes = panel;
    if (weights_->Expands()) {
      codes = ScratchOf<std::int32_t>(ScratchUse::kPanel, tiles * weights_->Layout().TileSize());
    }
    filler_->Fill(size, task.x, task.panel.group, task.first_pixel, task.pixels, codes);
    weights_->Expand(codes, task.pixels, panel);
    filled = task.panel;
  }
  weights_->Prepare();
  if (ending_->Takes32()) {
    RunRows<std::int32_t>(size, task, panel);
  } else {
    RunRows<std::int64_t>(size, task, panel);
  }
  weights_->Release();
}

void Convolution::Run(const ImageSize& size, const ConvolutionTensors& tensors,
                      const Workers& workers) const {
  const std::size_t pixels = size.count * size.out[0] * size.out[1];
  const std::size_t column_groups = Ceil(pixels, kGroup);
  const std::size_t column = weights_->TileSize() / kColumns;
  const std::size_t most_groups =
      std::clamp(kPanelUnits / (column * kGroup) / kGroups * kGroups, kGroups, kMostGroups);
  // Of nearly the same size, and an even number of them, so that two threads share them well.
  std::size_t chunks = Ceil(column_groups, most_groups);
  if (column_groups >= kFewestGroups * 2) chunks = Ceil(chunks, 2) * 2;
  // Of whole tiles if there are some for each: rows of whole registers finish faster.
  const bool of_tiles = chunks >= kFewTasks && column_groups >= 2 * chunks * kGroups;
  const std::size_t step = of_tiles ? kColumns : kGroup;
  const std::size_t steps = Ceil(pixels, step);
  const std::size_t tasks = chunks * geometry_.groups;
  const std::size_t rows = geometry_.out_channels * ending_->RowsAChannel();
  std::size_t parts = 1;
  if (tasks < kFewTasks) {
    parts = std::min(Ceil(kFewTasks, tasks), std::max<std::size_t>(rows / kFewestRows, 1));
  }
  const std::size_t block = weights_->BlockRows();
  const std::size_t part_rows = Ceil(Ceil(rows, parts), block) * block;
  const std::uint64_t run = ++runs;
  const bool small = pixels * geometry_.groups * rows * (column + kFinish) < kSmall;
  const OneThread here;
  (small ? static_cast<const Workers&>(here) : workers).For(tasks * parts, [&](std::size_t index) {
    Task task = {};
    task.x = static_cast<const std::uint8_t*>(tensors.x);
    task.residual = static_cast<const std::uint8_t*>(tensors.residual);
    task.y = static_cast<std::uint8_t*>(tensors.y);
    task.panel = {run, index / parts / chunks, index / parts % chunks};
    task.first_pixel = steps * task.panel.chunk / chunks * step;
    const std::size_t end = steps * (task.panel.chunk + 1) / chunks * step;
    task.pixels = std::min(pixels, end) - task.first_pixel;
    task.first_row = index % parts * part_rows;
    task.end_row = std::min(task.first_row + part_rows, rows);
    if (task.first_row < rows) RunTask(size, task);
  });
}

}  // namespace qonnx_tools
