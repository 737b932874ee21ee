// Elementwise ops on codes, a piece at a time that stays in the cache.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/level.h"
#include "core/shape.h"
#include "core/workers.h"
#include "integer/epilogue.h"
#include "kernels/requantize.h"

namespace qonnx_tools {

inline constexpr std::size_t kPiece = 1024;   // elements at a time
inline constexpr std::size_t kShare = 32768;  // elements of one call of a worker

template <typename T>
using PieceBuffer = std::array<T, kPiece>;

// Calls piece(begin, count, index, step) for pieces of at most kPiece elements that cover all of
// `shape`; element begin + i has the parameter at index + i * step.
template <typename Piece>
void ForEachPiece(const BroadcastIndex& index, std::size_t begin, std::size_t end, Piece piece) {
  const auto divide = [&](std::size_t at, std::size_t count, std::size_t parameter,
                          std::size_t step) {
    for (std::size_t done = 0; done < count; done += kPiece) {
      piece(at + done, std::min(kPiece, count - done), parameter + done * step, step);
    }
  };
  index.ForEachRun(
      begin, end,
      [&](std::size_t at, std::size_t count, std::size_t parameter) {
        divide(at, count, parameter, 0);
      },
      [&](std::size_t at, std::size_t count, std::size_t parameter) {
        divide(at, count, parameter, 1);
      });
}

// Calls share(begin, end) on the workers.
template <typename Share>
void InShares(std::size_t count, const Workers& workers, Share share) {
  workers.For((count + kShare - 1) / kShare,
              [&](std::size_t i) { share(i * kShare, std::min(count, (i + 1) * kShare)); });
}

// Where codes lie and how they are read.
struct CodesView {
  const void* data;
  Carrier carrier;

  const void* At(std::size_t element) const {
    return static_cast<const std::uint8_t*>(data) + element * SizeOf(carrier);
  }
  void Load(std::size_t begin, std::size_t count, std::int32_t* codes) const {
    AtSelectedLevel<RequantizeTable>().load32[static_cast<int>(carrier)](At(begin), codes, count);
  }
  void Load(std::size_t begin, std::size_t count, std::int64_t* codes) const {
    AtSelectedLevel<RequantizeTable>().load64[static_cast<int>(carrier)](At(begin), codes, count);
  }
};

// The codes of `view`, of shape `from`, that broadcast to elements of a larger tensor.
class BroadcastCodes {
 public:
  BroadcastCodes(const CodesView& view, const Shape& from, const Shape& to)
      : view_(view), index_(from, to) {}

  // Calls run(begin, count, codes, is_one) for runs that cover begin .. end-1: `codes` are those of
  // the run, or the one code of all of it.
  template <typename Run>
  void ForEachRun(std::size_t begin, std::size_t end, Run run) const {
    index_.ForEachRun(
        begin, end,
        [&](std::size_t at, std::size_t count, std::size_t from) {
          run(at, count, view_.At(from), true);
        },
        [&](std::size_t at, std::size_t count, std::size_t from) {
          run(at, count, view_.At(from), false);
        });
  }

  template <typename T>
  void Load(std::size_t begin, std::size_t count, T* codes) const {
    index_.ForEachRun(
        begin, begin + count,
        [&](std::size_t at, std::size_t run, std::size_t from) {
          view_.Load(from, 1, codes + (at - begin));
          std::fill_n(codes + (at - begin), run, codes[at - begin]);
        },
        [&](std::size_t at, std::size_t run, std::size_t from) {
          view_.Load(from, run, codes + (at - begin));
        });
  }

 private:
  CodesView view_;
  BroadcastIndex index_;
};

inline void* ElementOf(void* y, std::size_t at, std::size_t size) {
  return static_cast<std::uint8_t*>(y) + at * size;
}

// y[begin .. end-1] = epilogue(source): source(begin, count, accumulators) gives 32-bit or 64-bit
// numbers, `index` the channel of each.
template <typename Source>
void RequantizeRange(const Epilogue& epilogue, const BroadcastIndex& index, std::size_t begin,
                     std::size_t end, void* y, std::size_t y_size, Source source) {
  const auto run = [&](auto& buffer) {
    ForEachPiece(index, begin, end,
                 [&](std::size_t at, std::size_t count, std::size_t channel, std::size_t step) {
                   source(at, count, buffer.data());
                   void* const to = ElementOf(y, at, y_size);
                   if (step == 0) {
                     epilogue.Row(channel, buffer.data(), to, count);
                   } else {
                     epilogue.Across(channel, buffer.data(), to, count);
                   }
                 });
  };
  if (epilogue.Takes32()) {
    alignas(64) PieceBuffer<std::int32_t> buffer;
    run(buffer);
  } else {
    alignas(64) PieceBuffer<std::int64_t> buffer;
    run(buffer);
  }
}

}  // namespace qonnx_tools
