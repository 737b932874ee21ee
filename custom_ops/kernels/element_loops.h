// Makes the two loops from the function of one element. Included by kernel sources only: they are
// compiled once for each SIMD level, so everything here is in an anonymous namespace, and nothing
// may come from an inline function of another header (the linker would keep one level's copy).

#pragma once

#include "kernels/loop.h"

namespace qonnx_tools {
namespace {

// Element(parameters) copies what all elements share; element.At(index) loads what may differ;
// element(values, x) computes. The compiler vectorises both loops.
template <typename Element, typename Parameters>
void Uniform(const Parameters& parameters, std::size_t index, const float* __restrict x,
             float* __restrict y, std::size_t count) {
  const Element element(parameters);
  const auto values = element.At(index);
  for (std::size_t i = 0; i < count; ++i) y[i] = element(values, x[i]);
}

template <typename Element, typename Parameters>
void Varying(const Parameters& parameters, std::size_t index, const float* __restrict x,
             float* __restrict y, std::size_t count) {
  const Element element(parameters);
  for (std::size_t i = 0; i < count; ++i) y[i] = element(element.At(index + i), x[i]);
}

template <typename Element, typename Parameters>
constexpr Loops<Parameters> LoopsOf() {
  return {Uniform<Element, Parameters>, Varying<Element, Parameters>};
}

}  // namespace
}  // namespace qonnx_tools
