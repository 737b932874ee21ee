#include "core/scratch.h"

#include <array>
#include <cstdlib>
#include <new>

namespace qonnx_tools {
namespace {

constexpr std::size_t kAlignment = 64;

class Block {
 public:
  ~Block() { std::free(data_); }

  void* AtLeast(std::size_t bytes) {
    if (bytes > size_) {
      std::free(data_);
      size_ = 0;
      const std::size_t rounded = (bytes + bytes / 4 + kAlignment - 1) / kAlignment * kAlignment;
      data_ = std::aligned_alloc(kAlignment, rounded);
      if (data_ == nullptr) throw std::bad_alloc();
      size_ = rounded;
    }
    return data_;
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

thread_local std::array<Block, static_cast<std::size_t>(ScratchUse::kCount)> blocks;

}  // namespace

void* Scratch(ScratchUse use, std::size_t bytes) {
  return blocks[static_cast<std::size_t>(use)].AtLeast(bytes);
}

}  // namespace qonnx_tools
