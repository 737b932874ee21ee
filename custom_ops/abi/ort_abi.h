// The part of onnxruntime's C ABI (API version 17, 64-bit) that this library uses, declared by
// hand.
//
// Every struct is laid out as onnxruntime lays it out; the asserts at the end check the offsets.
// Later onnxruntime versions only append to these tables.

#pragma once

#include <cstddef>
#include <cstdint>

namespace qonnx_tools::ort {

inline constexpr std::uint32_t kApiVersion = 17;

// Objects that only onnxruntime looks into.
struct Status;
struct SessionOptions;
struct CustomOpDomain;
struct Value;
struct TensorTypeAndShapeInfo;
struct KernelInfo;
struct KernelContext;
struct ShapeInferContext;
struct OpAttribute;
struct TypeInfo;

enum class ErrorCode : std::int32_t {
  kFail = 1,
  kInvalidArgument = 2,
  kRuntimeException = 6,
};

enum class ElementType : std::int32_t {
  kUndefined = 0,  // in an op's signature: any type
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kDouble = 11,
};

enum class Characteristic : std::int32_t { kRequired = 0, kOptional = 1, kVariadic = 2 };
enum class MemoryType : std::int32_t { kDefault = 0 };
enum class AttributeType : std::int32_t { kInt = 1, kInts = 2 };

struct CustomOp;

// A table slot that this library does not call.
using Unused = void (*)();

struct Api {
  Status* (*CreateStatus)(ErrorCode code, const char* message);
  Unused unused_1;
  const char* (*GetErrorMessage)(const Status* status);
  Unused unused_3[23];
  Status* (*CreateCustomOpDomain)(const char* name, CustomOpDomain** out);
  Status* (*CustomOpDomain_Add)(CustomOpDomain* domain, const CustomOp* op);
  Status* (*AddCustomOpDomain)(SessionOptions* options, CustomOpDomain* domain);
  Unused unused_29[22];
  Status* (*GetTensorMutableData)(Value* value, void** out);
  Unused unused_52[3];
  Status* (*CastTypeInfoToTensorInfo)(const TypeInfo* info, const TensorTypeAndShapeInfo** out);
  Unused unused_56;
  Status* (*CreateTensorTypeAndShapeInfo)(TensorTypeAndShapeInfo** out);
  Status* (*SetTensorElementType)(TensorTypeAndShapeInfo* info, ElementType type);
  Status* (*SetDimensions)(TensorTypeAndShapeInfo* info, const std::int64_t* dims,
                           std::size_t count);
  Status* (*GetTensorElementType)(const TensorTypeAndShapeInfo* info, ElementType* out);
  Status* (*GetDimensionsCount)(const TensorTypeAndShapeInfo* info, std::size_t* out);
  Status* (*GetDimensions)(const TensorTypeAndShapeInfo* info, std::int64_t* dims,
                           std::size_t count);
  Status* (*GetSymbolicDimensions)(const TensorTypeAndShapeInfo* info, const char** names,
                                   std::size_t count);
  Unused unused_64;
  Status* (*GetTensorTypeAndShape)(const Value* value, TensorTypeAndShapeInfo** out);
  Unused unused_66[19];
  Status* (*KernelInfoGetAttribute_float)(const KernelInfo* info, const char* name, float* out);
  Status* (*KernelInfoGetAttribute_int64)(const KernelInfo* info, const char* name,
                                          std::int64_t* out);
  Status* (*KernelInfoGetAttribute_string)(const KernelInfo* info, const char* name, char* out,
                                           std::size_t* size);
  Status* (*KernelContext_GetInputCount)(const KernelContext* context, std::size_t* out);
  Unused unused_89;
  Status* (*KernelContext_GetInput)(const KernelContext* context, std::size_t index,
                                    const Value** out);
  Status* (*KernelContext_GetOutput)(KernelContext* context, std::size_t index,
                                     const std::int64_t* dims, std::size_t count, Value** out);
  Unused unused_92;
  void (*ReleaseStatus)(Status* status);
  Unused unused_94[4];
  void (*ReleaseTypeInfo)(TypeInfo* info);
  void (*ReleaseTensorTypeAndShapeInfo)(TensorTypeAndShapeInfo* info);
  Unused unused_100;
  void (*ReleaseCustomOpDomain)(CustomOpDomain* domain);
  Unused unused_102[60];
  Status* (*KernelInfoGetAttributeArray_float)(const KernelInfo* info, const char* name, float* out,
                                               std::size_t* size);
  Status* (*KernelInfoGetAttributeArray_int64)(const KernelInfo* info, const char* name,
                                               std::int64_t* out, std::size_t* size);
  Unused unused_164[66];
  Status* (*KernelInfo_GetInputCount)(const KernelInfo* info, std::size_t* out);
  Unused unused_231[3];
  Status* (*KernelInfo_GetInputTypeInfo)(const KernelInfo* info, std::size_t index, TypeInfo** out);
  Status* (*KernelInfo_GetOutputTypeInfo)(const KernelInfo* info, std::size_t index,
                                          TypeInfo** out);
  Unused unused_236[8];
  Status* (*KernelInfo_GetNodeName)(const KernelInfo* info, char* out, std::size_t* size);
  Unused unused_245[4];
  Status* (*KernelInfoGetConstantInput_tensor)(const KernelInfo* info, std::size_t index,
                                               int* is_constant, const Value** out);
  Unused unused_250[17];
  Status* (*ShapeInferContext_GetInputCount)(const ShapeInferContext* context, std::size_t* out);
  Status* (*ShapeInferContext_GetInputTypeShape)(const ShapeInferContext* context,
                                                 std::size_t index, TensorTypeAndShapeInfo** out);
  Status* (*ShapeInferContext_GetAttribute)(const ShapeInferContext* context, const char* name,
                                            const OpAttribute** out);
  Status* (*ShapeInferContext_SetOutputTypeShape)(const ShapeInferContext* context,
                                                  std::size_t index,
                                                  const TensorTypeAndShapeInfo* info);
  Status* (*SetSymbolicDimensions)(TensorTypeAndShapeInfo* info, const char** names,
                                   std::size_t count);
  Status* (*ReadOpAttr)(const OpAttribute* attribute, AttributeType type, void* data,
                        std::size_t bytes, std::size_t* out);
  Unused unused_273;
  Status* (*KernelContext_ParallelFor)(const KernelContext* context,
                                       void (*function)(void* user, std::size_t index),
                                       std::size_t total, std::size_t batches, void* user);
};

struct ApiBase {
  const Api* (*GetApi)(std::uint32_t version);
  const char* (*GetVersionString)();
};

struct CustomOp {
  std::uint32_t version;
  void* (*CreateKernel)(const CustomOp* op, const Api* api, const KernelInfo* info);
  const char* (*GetName)(const CustomOp* op);
  const char* (*GetExecutionProviderType)(const CustomOp* op);
  ElementType (*GetInputType)(const CustomOp* op, std::size_t index);
  std::size_t (*GetInputTypeCount)(const CustomOp* op);
  ElementType (*GetOutputType)(const CustomOp* op, std::size_t index);
  std::size_t (*GetOutputTypeCount)(const CustomOp* op);
  void (*KernelCompute)(void* kernel, KernelContext* context);
  void (*KernelDestroy)(void* kernel);
  Characteristic (*GetInputCharacteristic)(const CustomOp* op, std::size_t index);
  Characteristic (*GetOutputCharacteristic)(const CustomOp* op, std::size_t index);
  MemoryType (*GetInputMemoryType)(const CustomOp* op, std::size_t index);
  int (*GetVariadicInputMinArity)(const CustomOp* op);
  int (*GetVariadicInputHomogeneity)(const CustomOp* op);
  int (*GetVariadicOutputMinArity)(const CustomOp* op);
  int (*GetVariadicOutputHomogeneity)(const CustomOp* op);
  Status* (*CreateKernelV2)(const CustomOp* op, const Api* api, const KernelInfo* info,
                            void** kernel);
  Status* (*KernelComputeV2)(void* kernel, KernelContext* context);
  Status* (*InferOutputShapeFn)(const CustomOp* op, ShapeInferContext* context);
  int (*GetStartVersion)(const CustomOp* op);
  int (*GetEndVersion)(const CustomOp* op);
};

inline constexpr std::size_t kPointer = 8;
static_assert(sizeof(void*) == kPointer, "only 64-bit platforms are supported");
static_assert(sizeof(CustomOp) == 176);
static_assert(offsetof(CustomOp, CreateKernel) == kPointer);
static_assert(offsetof(CustomOp, CreateKernelV2) == 17 * kPointer);
static_assert(offsetof(CustomOp, GetEndVersion) == 21 * kPointer);
static_assert(offsetof(Api, GetErrorMessage) == 2 * kPointer);
static_assert(offsetof(Api, CreateCustomOpDomain) == 26 * kPointer);
static_assert(offsetof(Api, AddCustomOpDomain) == 28 * kPointer);
static_assert(offsetof(Api, GetTensorMutableData) == 51 * kPointer);
static_assert(offsetof(Api, CastTypeInfoToTensorInfo) == 55 * kPointer);
static_assert(offsetof(Api, CreateTensorTypeAndShapeInfo) == 57 * kPointer);
static_assert(offsetof(Api, SetDimensions) == 59 * kPointer);
static_assert(offsetof(Api, GetSymbolicDimensions) == 63 * kPointer);
static_assert(offsetof(Api, GetTensorTypeAndShape) == 65 * kPointer);
static_assert(offsetof(Api, KernelInfoGetAttribute_float) == 85 * kPointer);
static_assert(offsetof(Api, KernelContext_GetInputCount) == 88 * kPointer);
static_assert(offsetof(Api, KernelContext_GetOutput) == 91 * kPointer);
static_assert(offsetof(Api, ReleaseStatus) == 93 * kPointer);
static_assert(offsetof(Api, ReleaseTypeInfo) == 98 * kPointer);
static_assert(offsetof(Api, ReleaseTensorTypeAndShapeInfo) == 99 * kPointer);
static_assert(offsetof(Api, ReleaseCustomOpDomain) == 101 * kPointer);
static_assert(offsetof(Api, KernelInfoGetAttributeArray_float) == 162 * kPointer);
static_assert(offsetof(Api, KernelInfo_GetInputCount) == 230 * kPointer);
static_assert(offsetof(Api, KernelInfo_GetInputTypeInfo) == 234 * kPointer);
static_assert(offsetof(Api, KernelInfo_GetNodeName) == 244 * kPointer);
static_assert(offsetof(Api, KernelInfoGetConstantInput_tensor) == 249 * kPointer);
static_assert(offsetof(Api, ShapeInferContext_GetInputCount) == 267 * kPointer);
static_assert(offsetof(Api, ShapeInferContext_GetInputTypeShape) == 268 * kPointer);
static_assert(offsetof(Api, ShapeInferContext_SetOutputTypeShape) == 270 * kPointer);
static_assert(offsetof(Api, ShapeInferContext_GetAttribute) == 269 * kPointer);
static_assert(offsetof(Api, SetSymbolicDimensions) == 271 * kPointer);
static_assert(offsetof(Api, ReadOpAttr) == 272 * kPointer);
static_assert(offsetof(Api, KernelContext_ParallelFor) == 274 * kPointer);

}  // namespace qonnx_tools::ort
