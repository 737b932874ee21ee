#include "integer/log_panel.h"

#include <algorithm>
#include <cstring>

#include "core/level.h"
#include "kernels/log_panel.h"
#include "kernels/lookup.h"
#include "kernels/tiles.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kStepBytes = kColumns * WidthOf(Units::kBytes);
constexpr std::size_t kMostChunks = kStepBytes - 1;  // of a plane

constexpr std::size_t Ceil(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

bool IsZero(const LogTerm::Digits& digits) {
  return std::all_of(digits.begin(), digits.end(), [](std::int8_t digit) { return digit == 0; });
}

}  // namespace

LogPanel::LogPanel(const LogPlanes& planes, const LogTerms& terms, std::size_t slack)
    : unit_(planes.Unit()),
      zero_(planes.PackedZero()),
      plane_steps_(terms.PlaneSteps()),
      slack_(slack),
      chunk_steps_(Ceil(Ceil(plane_steps_, kTileSteps), kMostChunks) * kTileSteps) {
  for (std::size_t plane = 0; plane < planes.Count(); ++plane) {
    planes_.push_back({planes.PackedTable(plane), -1, planes.IsRare(plane)});
    leaves_out_ |= planes.IsRare(plane);
  }
  for (const auto* const some : {&terms.Dense(), &terms.Sparse()}) {
    for (const LogTerm& term : *some) {
      for (std::size_t i = 0; i < term.digits.size(); ++i) {
        if (IsZero(term.digits[i])) continue;
        Plane& plane = planes_[term.plane + i];
        plane.largest_code = std::max(plane.largest_code, term.largest_code);
        plane.by_chunk &= some == &terms.Dense();
      }
    }
  }
}

void LogPanel::Expand(std::int32_t* codes, std::size_t columns, std::int32_t* panel) const {
  const std::size_t size = plane_steps_ * kColumns;
  const std::size_t tiles = Ceil(columns, kColumns);
  if (columns % kColumns != 0) {  // so that no chunk looks filled that is not
    std::int32_t zero;
    std::memset(&zero, zero_, sizeof(zero));
    std::int32_t* const last = codes + (tiles - 1) * size;
    for (std::size_t step = 0; step < plane_steps_; ++step) {
      std::fill(last + step * kColumns + columns % kColumns, last + (step + 1) * kColumns, zero);
    }
  }
  for (std::size_t tile = 0; tile < tiles; ++tile) {
    ExpandTile(codes + tile * size, panel + tile * TileSize());
  }
}

void LogPanel::ExpandTile(const std::int32_t* codes, std::int32_t* tile) const {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(codes);
  auto* const smallest = reinterpret_cast<std::uint8_t*>(tile + TileSize() - kColumns);
  smallest[0] = 0;
  if (!leaves_out_) return ExpandSteps(bytes, {0, plane_steps_}, 0, false, tile);
  std::size_t chunks = 0;
  for (std::size_t step = 0; step < plane_steps_; step += chunk_steps_) {
    const std::size_t steps = std::min(chunk_steps_, plane_steps_ - step);
    std::uint8_t& least = smallest[++chunks];
    least = AtSelectedLevel<LogPanelTable>().smallest(bytes + step * kStepBytes, steps * kStepBytes,
                                                      zero_);
    // Codes beyond the format count as its largest.
    if (least < 255) least = static_cast<std::uint8_t>(std::min(least + 1, unit_.LargestX()));
    ExpandSteps(bytes, {step, steps}, least, true, tile);
  }
  smallest[0] = *std::min_element(smallest + 1, smallest + 1 + chunks);
  ExpandSteps(bytes, {0, plane_steps_}, smallest[0], false, tile);
}

// Of the planes that are made by chunk, or of the others, unless all their codes are below
// `smallest`.
void LogPanel::ExpandSteps(const std::uint8_t* codes, const Steps& steps, int smallest,
                           bool by_chunk, std::int32_t* tile) const {
  constexpr std::size_t kTogether = 16;
  const std::uint8_t* tables[kTogether];
  std::uint8_t* made[kTogether];
  LogExpansion expansion = {};
  expansion.codes = codes + steps.first * kStepBytes;
  expansion.count = steps.count * kStepBytes;
  const int zero = zero_;
  const int largest = unit_.LargestX();
  expansion.low = static_cast<std::uint8_t>(std::max(0, unit_.x_signed ? zero - largest : zero));
  expansion.high = static_cast<std::uint8_t>(std::min(255, zero + largest));
  expansion.tables = tables;
  expansion.planes = made;
  const bool small = expansion.high - expansion.low < static_cast<int>(kLogEntries);
  for (std::size_t plane = 0; plane < planes_.size(); ++plane) {
    const Plane& from = planes_[plane];
    auto* const to =
        reinterpret_cast<std::uint8_t*>(tile) + (plane * plane_steps_ + steps.first) * kStepBytes;
    if (from.by_chunk == by_chunk && from.largest_code >= smallest) {
      if (small) {
        tables[expansion.plane_count] = &from.table[expansion.low];
        made[expansion.plane_count++] = to;
      } else {
        AtSelectedLevel<LookupTable>().bytes[0](from.table.data(), expansion.codes, to,
                                                expansion.count);
      }
    }
    const bool last = plane + 1 == planes_.size();
    if (expansion.plane_count == kTogether || (last && expansion.plane_count > 0)) {
      AtSelectedLevel<LogPanelTable>().expand(expansion);
      expansion.plane_count = 0;
    }
  }
}

}  // namespace qonnx_tools
