// Loops over independent pieces of work, on one or more threads.

#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace qonnx_tools {

class Workers {
 public:
  using Piece = void (*)(void* user, std::size_t index);
  virtual ~Workers() = default;
  // Calls piece(user, i) for i = 0 .. count-1 in any order, on any thread, and waits for all.
  // The only error that `piece` may raise is std::bad_alloc.
  virtual void Run(std::size_t count, Piece piece, void* user) const = 0;

  template <typename Function>
  void For(std::size_t count, Function&& function) const {
    using Plain = std::remove_reference_t<Function>;
    if (count == 1) {
      function(std::size_t{0});
      return;
    }
    if (count == 0) return;
    const auto call = [](void* user, std::size_t index) { (*static_cast<Plain*>(user))(index); };
    Run(count, call, const_cast<void*>(static_cast<const void*>(std::addressof(function))));
  }
};

// Everything on the calling thread, in order.
class OneThread final : public Workers {
 public:
  void Run(std::size_t count, Piece piece, void* user) const override {
    for (std::size_t i = 0; i < count; ++i) piece(user, i);
  }
};

}  // namespace qonnx_tools
