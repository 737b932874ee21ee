// Memory that a thread keeps from run to run, so that the steady state allocates nothing.

#pragma once

#include <cstddef>

namespace qonnx_tools {

// What the memory is for; each purpose has one block a thread. What workers read while the thread
// that made it is a worker, too, is kPackedInput, or kPlanes for input that is then packed; the
// pieces of such work must not ask for it.
enum class ScratchUse {
  kPackedInput,
  kPlanes,
  kPanel,
  kConvolutionPanel,
  kImage,
  kAccumulators,
  kJoined,
  kRow,
  kCodes,
  kFeatureMap,
  kStream,
  kCount
};

// At least `bytes` bytes for `use`, aligned to 64, contents undefined. Valid until this thread asks
// for more for the same use. Raises std::bad_alloc.
void* Scratch(ScratchUse use, std::size_t bytes);

template <typename T>
T* ScratchOf(ScratchUse use, std::size_t count) {
  return static_cast<T*>(Scratch(use, count * sizeof(T)));
}

}  // namespace qonnx_tools
