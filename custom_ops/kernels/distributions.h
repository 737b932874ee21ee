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
constexpr std::size_t kRates = 88;

constexpr auto kRateOf = [] {
  std::array<std::uint16_t, kRates> rates = {};
  for (std::size_t i = 0; i < kRates; ++i) rates[i] = static_cast<std::uint16_t>(65536 / (i + 3));
  return rates;
}();

struct alignas(64) Targets {
  std::int16_t of[kSymbols][kSymbols];
};
constexpr Targets kTargets = [] {
  Targets targets = {};
  for (int symbol = 0; symbol < static_cast<int>(kSymbols); ++symbol) {
    for (int i = 0; i < static_cast<int>(kSymbols); ++i) {
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
  for (std::size_t c = 0; c < Distributions::kContexts; ++c) {
    distributions.counts[c] = 0;
    for (std::size_t i = 0; i < kSymbols; ++i) {
      distributions.starts[c][i] = static_cast<std::uint16_t>(i * (kTotal / kSymbols));
    }
  }
}

// Moves the distribution of a context towards `symbol`.
inline void Learn(Distributions& distributions, std::size_t context, std::size_t symbol) {
  const std::size_t seen = distributions.counts[context];
  const std::uint16_t rate = kRateOf[seen];
  distributions.counts[context] = static_cast<std::uint8_t>(seen + 1 < kRates ? seen + 1 : seen);
#if defined(__AVX2__)
  auto* const at = reinterpret_cast<__m256i*>(distributions.starts[context]);
  const __m256i target = *reinterpret_cast<const __m256i*>(kTargets.of[symbol]);
  const __m256i way = _mm256_sub_epi16(target, *at);
  *at = _mm256_add_epi16(*at, _mm256_mulhi_epi16(way, _mm256_set1_epi16(static_cast<short>(rate))));
#else
  for (std::size_t i = 0; i < kSymbols; ++i) {
    const int start = distributions.starts[context][i];
    const int way = kTargets.of[symbol][i] - start;
    distributions.starts[context][i] = static_cast<std::uint16_t>(start + (way * rate >> 16));
  }
#endif
}

// The mean of three distributions, of which the third counts half. Returns what symbol `slot` lies
// in.
inline std::size_t Mix(const Distributions& distributions, const std::size_t* contexts, int slot,
                       Mixed& mixed) {
  const auto& starts = distributions.starts;
#if defined(__AVX2__)
  const auto load = [&](std::size_t i) {
    return *reinterpret_cast<const __m256i*>(starts[contexts[i]]);
  };
  const __m256i mean = _mm256_avg_epu16(_mm256_avg_epu16(load(0), load(1)), load(2));
  *reinterpret_cast<__m256i*>(mixed.starts) = mean;
  const __m256i above = _mm256_cmpgt_epi16(mean, _mm256_set1_epi16(static_cast<short>(slot)));
  const auto bytes = static_cast<unsigned>(_mm256_movemask_epi8(above));
  return static_cast<std::size_t>((32 - __builtin_popcount(bytes)) / 2 - 1);
#else
  int reached = 0;
  for (std::size_t i = 0; i < kSymbols; ++i) {
    const int first = (starts[contexts[0]][i] + starts[contexts[1]][i] + 1) >> 1;
    const int mean = (first + starts[contexts[2]][i] + 1) >> 1;
    mixed.starts[i] = static_cast<std::uint16_t>(mean);
    reached += mean <= slot;
  }
  return static_cast<std::size_t>(reached - 1);
#endif
}

}  // namespace
}  // namespace qonnx_tools
