// Attributes and parameters that the ops on codes share.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "glue/attributes.h"
#include "glue/host.h"
#include "integer/output_format.h"

namespace qonnx_tools {

inline constexpr ort::ElementType kCodeTypes[] = {
    ort::ElementType::kInt8, ort::ElementType::kUint8, ort::ElementType::kInt16,
    ort::ElementType::kUint16, ort::ElementType::kInt32};
// What the accumulating ops take: all but int32, the last.
inline constexpr std::span<const ort::ElementType> kNarrowCodeTypes = {kCodeTypes, 4};
inline constexpr ort::ElementType kInt64Type[] = {ort::ElementType::kInt64};
inline constexpr ort::ElementType kInt32Type[] = {ort::ElementType::kInt32};
inline constexpr ort::ElementType kFloatType[] = {ort::ElementType::kFloat};
inline constexpr ort::ElementType kBiasTypes[] = {ort::ElementType::kInt32,
                                                  ort::ElementType::kInt64};

// `type` must be one of kCodeTypes.
Carrier CarrierOf(ort::ElementType type);
ort::ElementType TypeOf(Carrier carrier);

// Attributes bits, signed, narrow, to, rounding, lowest and highest.
OutputFormat ReadOutputFormat(const Attributes& attributes);
// The same of codes inside a node, their attributes named with `prefix`, in the smallest carrier:
// there is no 'to'.
OutputFormat ReadInnerFormat(const Attributes& attributes, const std::string& prefix);
// Attribute `name`: a carrier's element type.
Carrier ReadCarrier(const Attributes& attributes, const char* name);
// Attribute accumulator_bits.
int ReadAccumulatorBits(const Attributes& attributes);

// The elements of a tensor of any of the integer types.
std::vector<std::int64_t> Integers(const Tensor& tensor);

// Raises Error unless every shift lies in -62 .. 62.
void CheckShifts(const char* name, const Tensor& tensor);

// `count` values: those of a [count] tensor, one value repeated, or `missing` if not present.
std::vector<std::int64_t> PerChannel(const char* name, const Tensor& tensor, std::size_t count,
                                     std::int64_t missing);
// The one value of a tensor of one element.
std::int64_t OneInteger(const char* name, const Tensor& tensor);

}  // namespace qonnx_tools
