#include "core/level.h"

#include <cstdlib>
#include <string>

#include "core/error.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace qonnx_tools {
namespace {

Level selected = Level::kPortable;  // written once, before any kernel exists

constexpr Level kLevels[] = {Level::kPortable, Level::kV2, Level::kV3, Level::kV4, Level::kAmx};

// Whether the CPU has tiles of 8-bit numbers, and the operating system gives this process the use
// of them, which it must be asked for.
bool HasTiles() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr unsigned kTiles = 3u << 24;  // AMX-TILE and AMX-INT8
  constexpr long kRequest = 0x1023;      // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kTiles) == kTiles &&
         syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
#else
  return false;
#endif
}

// Whether the CPU, and the operating system where registers must be saved, run `level`.
bool IsAvailable(Level level) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  switch (level) {
    case Level::kAmx:
      return IsAvailable(Level::kV4) && HasTiles();
    case Level::kV4:
      return IsAvailable(Level::kV3) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512vnni");
    case Level::kV3:
      return IsAvailable(Level::kV2) && __builtin_cpu_supports("avx2") &&
             __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
             __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c") &&
             __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("movbe");
    case Level::kV2:
      return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") &&
             __builtin_cpu_supports("popcnt");
    case Level::kPortable:
      break;
  }
#endif
  return level == Level::kPortable;
}

// Whether this library has the kernels of `level`.
constexpr bool IsBuilt([[maybe_unused]] Level level) {
#if defined(QONNX_TOOLS_FEWER_LEVELS)
  return level != Level::kV2 && level != Level::kV3;
#else
  return true;
#endif
}

}  // namespace

const char* LevelName(Level level) {
  constexpr const char* kNames[] = {"portable", "v2", "v3", "v4", "amx"};
  return kNames[static_cast<int>(level)];
}

Level SelectedLevel() { return selected; }

void SelectLevel() {
  const char* wish = std::getenv("QONNX_TOOLS_SIMD");
  const bool forced = wish != nullptr && *wish != '\0';
  bool known = false;
  for (const Level level : kLevels) {
    const bool named = forced && wish == std::string(LevelName(level));
    known |= named;
    if (named && !IsBuilt(level)) {
      throw Error("this library was built without level '" + std::string(wish) +
                  "' of the environment variable QONNX_TOOLS_SIMD; unset it");
    }
    if (named && !IsAvailable(level)) {
      throw Error("this CPU does not run level '" + std::string(wish) +
                  "' of the environment variable QONNX_TOOLS_SIMD; unset it");
    }
    if (forced ? named : IsBuilt(level) && IsAvailable(level)) selected = level;
  }
  if (forced && !known) {
    throw Error("the environment variable QONNX_TOOLS_SIMD is '" + std::string(wish) +
                "'; set it to portable, v2, v3, v4 or amx, or unset it");
  }
}

}  // namespace qonnx_tools
