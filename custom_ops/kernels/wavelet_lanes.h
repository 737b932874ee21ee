// Sixteen maps at a time through an integer wavelet, quantization, and back; see
// arithmetic/coding.py. Numbers of the maps at one place lie side by side, so that all steps are
// sixteen wide however short rows are.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools {

constexpr std::size_t kWaveletLanes = 16;

// How maps of one shape are taken there and back.
struct WaveletLanes {
  std::size_t height, width;
  int levels;
  // Of a coefficient in LSB: of LL, and by level, from the first, of what is high along the width,
  // the height, both.
  std::int32_t ll_step, steps[3][3];
  std::int32_t low, high;  // codes are clamped to these, before and after
};

// Maps may be named more than once.
struct SixteenMaps {
  const void* codes[kWaveletLanes];
  void* decoded[kWaveletLanes];
  std::int32_t keep[kWaveletLanes];  // -1, or 0 where the finest HL, LH and HH are left out
};

// Where the bands of the first map are: quantized coefficients, row by row. Those of the next map
// follow, band by band.
template <typename Value>
struct BandPlanes {
  Value *ll, *details[3][3];  // by level, from the first: as the steps
  std::size_t maps;           // so many of the sixteen
};

// Value holds all numbers of the maps: int16 or int32, as for streams. All by wavelet (Haar, 5/3)
// and element type: int8, uint8, int16, uint16; of 16 bits with int32 alone. `scratch` has
// kWaveletLanes * height * width numbers, aligned to 64 bytes.
template <typename Value>
struct WaveletLanesTable {
  void (*round_trip[2][4])(const WaveletLanes& how, const SixteenMaps& maps, Value* scratch);
  // To quantized coefficients; false if a code is not within low..high. `keep` counts for nothing
  // here.
  bool (*forward[2][4])(const WaveletLanes& how, const SixteenMaps& maps,
                        const BandPlanes<Value>& bands, Value* scratch);
  // Back; what is too large for Value wraps.
  void (*inverse[2][4])(const WaveletLanes& how, const SixteenMaps& maps,
                        const BandPlanes<Value>& bands, Value* scratch);

  static const WaveletLanesTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
