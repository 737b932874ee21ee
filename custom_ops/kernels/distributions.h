// The arithmetic of adaptive distributions; see arithmetic/rans.py. Included by kernel sources
// only.

#pragma once

#include <array>

#include "kernels/context_coder.h"
#include "kernels/intrinsics.h"

namespace qonnx_tools {
namespace {

constexpr int kProbabilityBits = 15;
constexpr int kTotal = 1 << kProbabilityBits;
constexpr std::size_t kSymbols = Distributions::kSymbols;
constexpr int kLeastProbability = 4;
constexpr std::uint16_t kFirstRate = 25206;
constexpr std::int16_t kLastRate = 936;

// Where the starts move when a symbol is seen, and the rate.
struct alignas(64) Targets {
  std::int16_t of[kSymbols][kSymbols];
};
constexpr Targets kTargets = [] {
  Targets targets = {};
  for (int symbol = 0; symbol < static_cast<int>(kSymbols); ++symbol) {
    targets.of[symbol][0] = kLastRate;
    for (int i = 1; i < static_cast<int>(kSymbols); ++i) {
      const int below = kLeastProbability * i;
      const int above = kTotal - kLeastProbability * (static_cast<int>(kSymbols) - i);
      targets.of[symbol][i] = static_cast<std::int16_t>(i <= symbol ? below : above);
    }
  }
  return targets;
}();

// The starts of a mixed distribution, and the total.
struct alignas(64) Mixed {
  std::uint16_t starts[kSymbols + 1];
};

inline void Reset(Distributions& distributions) {
  for (auto& starts : distributions.starts) {
    starts[0] = kFirstRate;
    for (std::size_t i = 1; i < kSymbols; ++i) {
      starts[i] = static_cast<std::uint16_t>(i * (kTotal / kSymbols));
    }
  }
}

// Moves the distribution of a context towards `symbol`.
[[gnu::always_inline]] inline void Learn(Distributions& distributions, std::size_t context,
                                         std::size_t symbol) {
#if defined(__AVX2__)
  auto* const at = reinterpret_cast<__m256i*>(distributions.starts[context]);
  const __m256i starts = *at;
  const __m256i rate = _mm256_broadcastw_epi16(_mm256_castsi256_si128(starts));
  const __m256i target = *reinterpret_cast<const __m256i*>(kTargets.of[symbol]);
  const __m256i way = _mm256_sub_epi16(target, starts);
  *at = _mm256_add_epi16(starts, _mm256_mulhi_epi16(way, rate));
#else
  std::uint16_t* const starts = distributions.starts[context];
  const int rate = starts[0];
  for (std::size_t i = 0; i < kSymbols; ++i) {
    const int way = kTargets.of[symbol][i] - starts[i];
    starts[i] = static_cast<std::uint16_t>(starts[i] + (way * rate >> 16));
  }
#endif
}

// The mean of three distributions, of which the third counts half. Returns the symbol in which
// `slot` lies.
[[gnu::always_inline]] inline std::size_t Mix(const Distributions& distributions,
                                              const std::size_t* contexts, int slot, Mixed& mixed) {
  const auto& starts = distributions.starts;
#if defined(__AVX2__)
  const auto load = [&](std::size_t i) {
    return *reinterpret_cast<const __m256i*>(starts[contexts[i]]);
  };
  const __m256i rates = _mm256_setr_epi32(0xffff, 0, 0, 0, 0, 0, 0, 0);
  const __m256i sum = _mm256_avg_epu16(_mm256_avg_epu16(load(0), load(1)), load(2));
  const __m256i mean = _mm256_andnot_si256(rates, sum);
  *reinterpret_cast<__m256i*>(mixed.starts) = mean;
  const __m256i slots = _mm256_set1_epi16(static_cast<short>(slot));
#if defined(__AVX512VL__) && defined(__AVX512BW__)
  const std::uint32_t reached = _mm256_cmple_epi16_mask(mean, slots);
  return static_cast<std::size_t>(31 - std::countl_zero(reached));
#else
  const auto above = static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpgt_epi16(mean, slots)));
  return static_cast<std::size_t>((32 - __builtin_popcount(above)) / 2 - 1);
#endif
#else
  mixed.starts[0] = 0;
  std::size_t reached = 0;
  for (std::size_t i = 1; i < kSymbols; ++i) {
    const int first = (starts[contexts[0]][i] + starts[contexts[1]][i] + 1) >> 1;
    const int mean = (first + starts[contexts[2]][i] + 1) >> 1;
    mixed.starts[i] = static_cast<std::uint16_t>(mean);
    reached += mean <= slot ? 1 : 0;
  }
  return reached;
#endif
}

}  // namespace
}  // namespace qonnx_tools
