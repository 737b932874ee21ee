// The codec as C functions, for other languages. Each returns a CodecStatus; no exception leaves.

#include <mutex>
#include <new>

#include "codec/feature_map.h"
#include "core/error.h"
#include "core/level.h"

namespace qonnx_tools {
namespace {

template <typename Body>
int Guarded(Body body) noexcept {
  try {
    static std::once_flag selected;
    std::call_once(selected, SelectLevel);
    return static_cast<int>(body());
  } catch (const Error&) {
    return static_cast<int>(CodecStatus::kCpu);
  } catch (const std::bad_alloc&) {
    return static_cast<int>(CodecStatus::kOutOfMemory);
  } catch (const std::exception&) {
    return static_cast<int>(CodecStatus::kArgument);
  }
}

}  // namespace
}  // namespace qonnx_tools

#define QONNX_TOOLS_EXPORT extern "C" __attribute__((visibility("default")))

// Bytes that the stream of a map may need, 0 if there is no such coding.
QONNX_TOOLS_EXPORT std::size_t QonnxToolsFeatureMapBound(
    const qonnx_tools::FeatureMapCoding* coding) noexcept {
  return qonnx_tools::IsValid(*coding) ? qonnx_tools::LargestStream(*coding) : 0;
}

// `size` is the room at `stream` before, and the bytes written after.
QONNX_TOOLS_EXPORT int QonnxToolsFeatureMapEncode(const qonnx_tools::FeatureMapCoding* coding,
                                                  const void* codes, std::uint8_t* stream,
                                                  std::size_t* size) noexcept {
  using namespace qonnx_tools;
  return Guarded([&] {
    if (!IsValid(*coding)) return CodecStatus::kArgument;
    if (*size < LargestStream(*coding)) return CodecStatus::kBufferTooSmall;
    return EncodeFeatureMap(*coding, codes, stream, *size);
  });
}

// Reads the header of a stream; `dropped` is left null.
QONNX_TOOLS_EXPORT int QonnxToolsFeatureMapRead(const std::uint8_t* stream, std::size_t size,
                                                std::int64_t limit,
                                                qonnx_tools::FeatureMapCoding* coding) noexcept {
  using namespace qonnx_tools;
  return Guarded([&] {
    ReadStream read = {};
    const CodecStatus status = ReadHeader(stream, size, limit, read);
    *coding = read.coding;
    coding->dropped = nullptr;
    return status;
  });
}

// `bytes` is the room at `codes`.
QONNX_TOOLS_EXPORT int QonnxToolsFeatureMapDecode(const std::uint8_t* stream, std::size_t size,
                                                  std::int64_t limit, void* codes,
                                                  std::size_t bytes) noexcept {
  using namespace qonnx_tools;
  return Guarded([&] {
    ReadStream read = {};
    const CodecStatus status = ReadHeader(stream, size, limit, read);
    if (status != CodecStatus::kGood) return status;
    if (bytes < ShapeOf(read.coding).count() * ElementBytes(read.coding.element)) {
      return CodecStatus::kBufferTooSmall;
    }
    return DecodeFeatureMap(read, codes);
  });
}

QONNX_TOOLS_EXPORT int QonnxToolsFeatureMapRoundTrip(const qonnx_tools::FeatureMapCoding* coding,
                                                     const void* codes, void* decoded) noexcept {
  using namespace qonnx_tools;
  return Guarded([&] { return RoundTripFeatureMap(*coding, codes, decoded); });
}
