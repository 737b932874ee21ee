// Surrounds maps of codes with padding, for depthwise_blocks.h.

#pragma once

#include "kernels/depthwise_map.h"

namespace qonnx_tools {

// The padding is code 0. int8 is offset by 128 in bytes, uint16 by -32768 in words.
using DepthwisePad = void (*)(const DepthwiseMap& map, const void* x, void* padded);

// Null where the level lacks the instructions.
struct DepthwisePadTable {
  DepthwisePad bytes[2];  // int8, uint8
  DepthwisePad words[4];  // int8, uint8, int16, uint16
  // Of maps that have `paddings`; null where codes are widened to words, too.
  DepthwisePad small_bytes[2];
  DepthwisePad small_words[4];

  static const DepthwisePadTable portable, v2, v3, v4;
};

}  // namespace qonnx_tools
