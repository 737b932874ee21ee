#include "kernels/log_requantize.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace qonnx_tools {
namespace {

// A binary search of all codes of a block at once.
void SearchedCodes(const LogThresholds& thresholds, std::int32_t* codes, std::size_t count) {
  constexpr std::size_t kBlock = 256;
  const std::int32_t negative = thresholds.is_signed ? -1 : 0;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t size = count - begin < kBlock ? count - begin : kBlock;
    std::int32_t* __restrict const block = codes + begin;
    std::uint32_t magnitude[kBlock];
    std::int32_t reached[kBlock];
    for (std::size_t i = 0; i < size; ++i) {
      const auto code = static_cast<std::uint32_t>(block[i]);
      magnitude[i] = block[i] < 0 ? 0 - code : code;
      reached[i] = 0;
    }
    for (std::int32_t step = 1 << thresholds.steps >> 1; step > 0; step >>= 1) {
      const std::uint32_t* const reach = thresholds.reach + step - 1;
      for (std::size_t i = 0; i < size; ++i) {
        reached[i] += magnitude[i] >= reach[reached[i]] ? step : 0;
      }
    }
    for (std::size_t i = 0; i < size; ++i) {
      block[i] = block[i] < 0 ? negative * reached[i] : reached[i];
    }
  }
}

#if defined(__AVX512F__)

constexpr std::size_t kLanes = 16;

// The thresholds in 1, 2 or 4 registers.
template <std::size_t registers>
__m512i At(const __m512i* thresholds, __m512i indices) {
  if constexpr (registers == 1) return _mm512_permutexvar_epi32(indices, thresholds[0]);
  const __m512i lower = _mm512_permutex2var_epi32(thresholds[0], indices, thresholds[1]);
  if constexpr (registers == 2) return lower;
  const __m512i upper = _mm512_permutex2var_epi32(thresholds[2], indices, thresholds[3]);
  const __mmask16 is_upper = _mm512_test_epi32_mask(indices, _mm512_set1_epi32(2 * kLanes));
  return _mm512_mask_mov_epi32(lower, is_upper, upper);
}

// The same search, in registers.
template <int steps>
void RegisterCodes(const LogThresholds& thresholds, std::int32_t* codes, std::size_t count) {
  constexpr std::size_t kRegisters = steps <= 4 ? 1 : steps == 5 ? 2 : 4;
  constexpr std::size_t kThresholds = (std::size_t{1} << steps) - 1;
  __m512i registers[4];
  for (std::size_t i = 0; i < kRegisters; ++i) {
    const std::size_t there = kThresholds - i * kLanes < kLanes ? kThresholds - i * kLanes : kLanes;
    const auto mask = static_cast<__mmask16>((1u << there) - 1);
    registers[i] = _mm512_maskz_loadu_epi32(mask, thresholds.reach + i * kLanes);
  }
  const __m512i zero = _mm512_setzero_si512();
  for (std::size_t i = 0; i < count; i += kLanes) {
    const auto mask = static_cast<__mmask16>(count - i < kLanes ? (1u << (count - i)) - 1 : 0xffff);
    const __m512i code = _mm512_maskz_loadu_epi32(mask, codes + i);
    const __m512i magnitude =
        thresholds.is_signed ? _mm512_abs_epi32(code) : _mm512_max_epi32(code, zero);
    __m512i reached = zero;
#pragma GCC unroll 6
    for (int step = 1 << steps >> 1; step > 0; step >>= 1) {
      const __m512i index = _mm512_add_epi32(reached, _mm512_set1_epi32(step - 1));
      const __mmask16 more = _mm512_cmpge_epu32_mask(magnitude, At<kRegisters>(registers, index));
      reached = _mm512_mask_add_epi32(reached, more, reached, _mm512_set1_epi32(step));
    }
    const __mmask16 negative = _mm512_cmplt_epi32_mask(code, zero);
    reached = _mm512_mask_sub_epi32(reached, negative, zero, reached);
    _mm512_mask_storeu_epi32(codes + i, mask, reached);
  }
}

void Codes(const LogThresholds& thresholds, std::int32_t* codes, std::size_t count) {
  constexpr void (*kOfSteps[])(const LogThresholds&, std::int32_t*, std::size_t) = {
      RegisterCodes<1>, RegisterCodes<2>, RegisterCodes<3>,
      RegisterCodes<4>, RegisterCodes<5>, RegisterCodes<6>};
  if (thresholds.steps > 6) return SearchedCodes(thresholds, codes, count);
  kOfSteps[thresholds.steps - 1](thresholds, codes, count);
}

#else

constexpr auto Codes = SearchedCodes;

#endif

}  // namespace

constinit const LogRequantizeTable LogRequantizeTable::QONNX_TOOLS_LEVEL = {Codes};

}  // namespace qonnx_tools
