// The error that a bad model or a bad input raises; the message says what to do.

#pragma once

#include <stdexcept>

namespace qonnx_tools {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace qonnx_tools
