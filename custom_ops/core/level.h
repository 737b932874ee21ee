// SIMD levels. Each kernel source is compiled once a level; all levels give the same bits.
//
// A kernel source defines its table as the static member QONNX_TOOLS_LEVEL (portable, v2, v3 or v4,
// set by CMake) of a struct of this form:
//
//   struct FooTable {
//     Loops<FooParameters> by_rounding[6];
//     static const FooTable portable, v2, v3, v4;
//   };

#pragma once

namespace qonnx_tools {

enum class Level {
  kPortable,  // what every CPU of the architecture has
  kV2,        // x86-64-v2: SSE4.1
  kV3,        // x86-64-v3: AVX2
  kV4,        // x86-64-v4 and AVX512-VNNI
  kAmx,       // v4 and AMX-INT8: the kernels of v4, and products in tile registers
};

// Picks the level for the rest of the process: the one that the environment variable
// QONNX_TOOLS_SIMD names (portable, v2, v3, v4, amx), else the highest that this CPU runs.
// Raises Error if the name is unknown, or the CPU or (with QONNX_TOOLS_FEWER_LEVELS, set by CMake)
// this build lacks the level.
void SelectLevel();
Level SelectedLevel();
const char* LevelName(Level level);

template <typename Table>
const Table& AtSelectedLevel() {
#if defined(__x86_64__)
  switch (SelectedLevel()) {
    case Level::kAmx:
    case Level::kV4:
      return Table::v4;
#if !defined(QONNX_TOOLS_FEWER_LEVELS)
    case Level::kV3:
      return Table::v3;
    case Level::kV2:
      return Table::v2;
#else
    case Level::kV3:
    case Level::kV2:
#endif
    case Level::kPortable:
      break;
  }
#endif
  return Table::portable;
}

}  // namespace qonnx_tools
