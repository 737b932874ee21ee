#include "kernels/lookup.h"

#include "kernels/registers.h"

namespace qonnx_tools {
namespace {

template <typename Entry>
void Bytes(const void* entries, const void* x, void* y, std::size_t count) {
  const Entry* const table = static_cast<const Entry*>(entries);
  const std::uint8_t* __restrict const codes = static_cast<const std::uint8_t*>(x);
  Entry* __restrict const out = static_cast<Entry*>(y);
  for (std::size_t i = 0; i < count; ++i) out[i] = table[codes[i]];
}

template <typename Code, typename Entry>
void Codes(const CodeTable& table, const void* x, void* y, std::size_t count) {
  constexpr std::size_t kBlock = 512;
  const std::int32_t low = table.low;
  const std::int32_t high = table.high;
  const Entry* const first = static_cast<const Entry*>(table.entries);
  const Entry* const zero = first - low;  // the entry of code 0
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t size = count - begin < kBlock ? count - begin : kBlock;
    const Code* __restrict const codes = static_cast<const Code*>(x) + begin;
    Entry* __restrict const out = static_cast<Entry*>(y) + begin;
    int beyond = 0;
    for (std::size_t i = 0; i < size; ++i) beyond |= (codes[i] < low) | (codes[i] > high);
    if (beyond == 0) {  // as a rule: to clip takes longer than to look up
      for (std::size_t i = 0; i < size; ++i) out[i] = zero[codes[i]];
      continue;
    }
    for (std::size_t i = 0; i < size; ++i) {
      const std::int32_t above = codes[i] < low ? low : codes[i];
      out[i] = zero[above > high ? high : above];
    }
  }
}

#if defined(__AVX512BW__)

// 64 codes at a time, in the registers. Not all CPUs of the level have these instructions.
#define QONNX_TOOLS_VBMI __attribute__((target("avx512vbmi")))

struct Quarters {
  __m512i first, second, third, fourth;
};

QONNX_TOOLS_VBMI inline __m512i At(const Quarters& table, __m512i codes) {
  const __m512i lower = _mm512_permutex2var_epi8(table.first, codes, table.second);
  const __m512i upper = _mm512_permutex2var_epi8(table.third, codes, table.fourth);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), lower, upper);
}

inline Quarters Quartered(const std::uint8_t* table) {
  return {_mm512_loadu_si512(table), _mm512_loadu_si512(table + 64),
          _mm512_loadu_si512(table + 128), _mm512_loadu_si512(table + 192)};
}

inline __mmask64 FirstBytes(std::size_t count) {
  return count < 64 ? (__mmask64{1} << count) - 1 : ~__mmask64{0};
}

QONNX_TOOLS_VBMI void BytesInRegisters(const void* entries, const void* x, void* y,
                                       std::size_t count) {
  const Quarters table = Quartered(static_cast<const std::uint8_t*>(entries));
  const auto* const codes = static_cast<const std::uint8_t*>(x);
  auto* const out = static_cast<std::uint8_t*>(y);
  for (std::size_t i = 0; i < count; i += 64) {
    const __mmask64 some = FirstBytes(count - i);
    _mm512_mask_storeu_epi8(out + i, some, At(table, _mm512_maskz_loadu_epi8(some, codes + i)));
  }
}

QONNX_TOOLS_VBMI void ShortsInRegisters(const void* entries, const void* x, void* y,
                                        std::size_t count) {
  alignas(64) std::uint8_t bytes[2][256];
  for (std::size_t i = 0; i < 256; ++i) {
    const std::uint16_t entry = static_cast<const std::uint16_t*>(entries)[i];
    bytes[0][i] = static_cast<std::uint8_t>(entry);
    bytes[1][i] = static_cast<std::uint8_t>(entry >> 8);
  }
  const Quarters low = Quartered(bytes[0]);
  const Quarters high = Quartered(bytes[1]);
  // So that the lower halves of the four parts of a register are the first 32 codes.
  const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
  const auto* const codes = static_cast<const std::uint8_t*>(x);
  auto* const out = static_cast<std::uint16_t*>(y);
  for (std::size_t i = 0; i < count; i += 64) {
    const __mmask64 some = FirstBytes(count - i);
    const __m512i ordered =
        _mm512_permutexvar_epi64(order, _mm512_maskz_loadu_epi8(some, codes + i));
    const __m512i lows = At(low, ordered);
    const __m512i highs = At(high, ordered);
    _mm512_mask_storeu_epi16(out + i, static_cast<__mmask32>(some),
                             _mm512_unpacklo_epi8(lows, highs));
    _mm512_mask_storeu_epi16(out + i + 32, static_cast<__mmask32>(some >> 32),
                             _mm512_unpackhi_epi8(lows, highs));
  }
}

constexpr std::size_t kFewCodes = 256;  // fewer do not pay for dividing the entries

void FastBytes(const void* entries, const void* x, void* y, std::size_t count) {
  const bool fast = __builtin_cpu_supports("avx512vbmi") != 0;
  (fast ? BytesInRegisters : Bytes<std::uint8_t>)(entries, x, y, count);
}
void FastShorts(const void* entries, const void* x, void* y, std::size_t count) {
  const bool fast = count >= kFewCodes && __builtin_cpu_supports("avx512vbmi") != 0;
  (fast ? ShortsInRegisters : Bytes<std::uint16_t>)(entries, x, y, count);
}

#else

constexpr auto FastBytes = Bytes<std::uint8_t>;
constexpr auto FastShorts = Bytes<std::uint16_t>;

#endif

}  // namespace

constinit const LookupTable LookupTable::QONNX_TOOLS_LEVEL = {
    {FastBytes, FastShorts, Bytes<std::uint32_t>},
    {{Codes<std::int16_t, std::uint8_t>, Codes<std::int16_t, std::uint16_t>,
      Codes<std::int16_t, std::uint32_t>},
     {Codes<std::uint16_t, std::uint8_t>, Codes<std::uint16_t, std::uint16_t>,
      Codes<std::uint16_t, std::uint32_t>},
     {Codes<std::int32_t, std::uint8_t>, Codes<std::int32_t, std::uint16_t>,
      Codes<std::int32_t, std::uint32_t>}}};

}  // namespace qonnx_tools
