#include "codec/feature_map.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "codec/channel_round_trip.h"
#include "codec/feature_map_planes.h"
#include "codec/value_of.h"
#include "core/scratch.h"
#include "kernels/context_coder.h"
#include "kernels/median_edge.h"
#include "kernels/rice.h"
#include "kernels/sparse_golomb.h"

namespace qonnx_tools {
namespace {

constexpr std::size_t kAlignment = 64;

// Blocks of one piece of memory.
class Arena {
 public:
  explicit Arena(std::size_t bytes)
      : at_(static_cast<char*>(Scratch(ScratchUse::kFeatureMap, bytes + 8 * kAlignment))) {}

  template <typename T>
  T* Take(std::size_t count) {
    char* const taken = at_;
    at_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return reinterpret_cast<T*>(taken);
  }

 private:
  char* at_;
};

bool IsPredicted(const FeatureMapCoding& coding, const Band& band) {
  return HasWavelet(coding) ? band.orientation == Orientation::kLl
                            : coding.transform == static_cast<int>(Transform::kPredictive);
}

// What encoder and decoder of one map have in memory. Value holds all numbers of valid streams.
template <typename Value>
struct Workspace {
  using Number = std::make_unsigned_t<Value>;

  Workspace(const FeatureMapCoding& coding, std::size_t payload)
      : kept(KeptChannels(coding)), bands(BandsOf(coding, kept.size())) {
    const PlaneShape whole = ShapeOf(coding);
    const bool contexts = coding.coder == static_cast<int>(Coder::kContext);
    const std::size_t count = whole.count(), map = TransformScratch(coding);
    const std::size_t row = ContextCoderTable<Value>::ScratchCount(whole.width);
    Arena arena((2 * count + std::max(map, row)) * sizeof(Value) + sizeof(Distributions) +
                (contexts ? count * sizeof(std::uint32_t) : 0) + payload);
    planes = arena.Take<Value>(count);
    numbers = arena.Take<Number>(count);
    scratch = arena.Take<Value>(std::max(map, row));
    distributions = arena.Take<Distributions>(1);
    choices = arena.Take<std::uint32_t>(contexts ? count : 0);
    bytes = arena.Take<std::uint8_t>(payload);
  }

  Value* At(const Band& band) { return planes + band.offset; }
  PlaneShape StoredShape(const Band& band) const {
    return {band.channels, band.shape.height, band.shape.width};
  }
  // The hints for the contexts of a band; null where it is predicted.
  const Value* HintsFor(const FeatureMapCoding& coding, std::size_t index) {
    if (IsPredicted(coding, bands[index])) return nullptr;
    auto* const hints = reinterpret_cast<Value*>(numbers);
    FindHints(bands, index, kept, planes, hints);
    return hints;
  }
  // Leaves the channels out that the stream does not hold, or puts them in as zeros.
  void Drop() {
    for (const Band& band : bands) {
      if (band.channels == band.shape.channels) continue;
      const std::size_t area = band.shape.area();
      for (std::size_t i = 0; i < kept.size(); ++i) {
        std::copy_n(At(band) + kept[i] * area, area, At(band) + i * area);
      }
    }
  }
  void FillIn() {
    for (const Band& band : bands) {
      if (band.channels == band.shape.channels) continue;
      const std::size_t area = band.shape.area();
      std::size_t above = band.shape.channels;
      for (std::size_t i = kept.size(); i-- > 0; above = kept[i]) {
        std::fill(At(band) + (kept[i] + 1) * area, At(band) + above * area, Value{0});
        if (kept[i] != i) std::copy_n(At(band) + i * area, area, At(band) + kept[i] * area);
      }
      std::fill(At(band), At(band) + above * area, Value{0});
    }
  }

  std::vector<std::size_t> kept;
  std::vector<Band> bands;
  Value* planes;
  Number* numbers;
  Value* scratch;
  Distributions* distributions;
  std::uint32_t* choices;
  std::uint8_t* bytes;
};

RiceState StartOfRice(const FeatureMapCoding& coding) {
  RiceState state;
  state.escape_bits = ElementBytes(coding.element) == 1 ? 16 : 48;
  return state;
}

// Writes the payload at `to` and returns its end.
template <typename Value>
std::uint8_t* Encode(const FeatureMapCoding& coding, Workspace<Value>& work, std::uint8_t* to) {
  using Number = std::make_unsigned_t<Value>;
  const auto& contexts = AtSelectedLevel<ContextCoderTable<Value>>();
  const auto& prediction = AtSelectedLevel<MedianEdgeTable<Value>>();
  BitSink sink = {to, 0, 0};
  RiceState rice = StartOfRice(coding);
  std::uint32_t* choices = work.choices;
  const bool has_contexts = coding.coder == static_cast<int>(Coder::kContext);
  if (has_contexts) contexts.reset(*work.distributions);
  for (std::size_t i = 0; i < work.bands.size(); ++i) {
    const Band& band = work.bands[i];
    const PlaneShape shape = work.StoredShape(band);
    Value* const x = work.At(band);
    if (has_contexts) {
      if (shape.count() == 0) continue;
      choices = contexts.encode(x, shape, work.HintsFor(coding, i), *work.distributions,
                                work.scratch, sink, choices);
      continue;
    }
    if (IsPredicted(coding, band)) {
      prediction.to_residuals(x, shape, work.numbers);
    } else {
      prediction.to_unsigned(x, shape.count(), work.numbers);
    }
    if (coding.coder == static_cast<int>(Coder::kRice)) {
      AtSelectedLevel<RiceTable<Number>>().encode(work.numbers, shape.count(), rice, sink);
    } else {
      AtSelectedLevel<SparseGolombTable<Number>>().encode(work.numbers, shape.count(), sink);
    }
  }
  std::uint8_t* const end = sink.end + (sink.count > 0 ? 1 : 0);
  if (!has_contexts) return end;
  return contexts.finish(work.choices, choices, end);
}

// Whether the payload is one that an encoder may have written.
template <typename Value>
bool Decode(const ReadStream& read, Workspace<Value>& work) {
  using Number = std::make_unsigned_t<Value>;
  const FeatureMapCoding& coding = read.coding;
  const auto& contexts = AtSelectedLevel<ContextCoderTable<Value>>();
  const auto& prediction = AtSelectedLevel<MedianEdgeTable<Value>>();
  const bool has_contexts = coding.coder == static_cast<int>(Coder::kContext);
  std::copy_n(read.payload, read.payload_size, work.bytes);
  std::fill_n(work.bytes + read.payload_size, BitSource::kPadding, std::uint8_t{0});
  BitSource bits = {work.bytes, read.payload_size, 0};
  RangeSource range;
  if (has_contexts && !contexts.start(work.bytes, read.payload_size, range)) return false;
  if (has_contexts) contexts.reset(*work.distributions);
  RiceState rice = StartOfRice(coding);
  for (std::size_t i = 0; i < work.bands.size(); ++i) {
    const Band& band = work.bands[i];
    const PlaneShape shape = work.StoredShape(band);
    Value* const x = work.At(band);
    if (has_contexts) {
      if (shape.count() == 0) continue;
      if (!contexts.decode(range, bits, shape, work.HintsFor(coding, i), *work.distributions,
                           work.scratch, x)) {
        return false;
      }
      continue;
    }
    const bool good =
        coding.coder == static_cast<int>(Coder::kRice)
            ? AtSelectedLevel<RiceTable<Number>>().decode(bits, shape.count(), rice, work.numbers)
            : AtSelectedLevel<SparseGolombTable<Number>>().decode(bits, shape.count(),
                                                                  work.numbers);
    if (!good) return false;
    if (IsPredicted(coding, band)) {
      prediction.from_residuals(work.numbers, shape, x);
    } else {
      prediction.from_unsigned(work.numbers, shape.count(), x);
    }
  }
  if (bits.Exhausted()) return false;
  const auto front = static_cast<std::ptrdiff_t>((bits.position + 7) / 8);
  if (!has_contexts) return front == static_cast<std::ptrdiff_t>(read.payload_size);
  constexpr std::uint32_t kLowestState = 1u << 16;
  return range.left == front && range.states[0] == kLowestState && range.states[1] == kLowestState;
}

}  // namespace

std::size_t LargestStream(const FeatureMapCoding& coding) {
  constexpr std::size_t kBytes[] = {8, 16, 24};  // of a sample, by the size of its element
  const std::size_t a_sample = kBytes[coding.element / 2];
  return kLongestHeader + static_cast<std::size_t>(coding.channels) / 8 + 64 +
         a_sample * ShapeOf(coding).count();
}

CodecStatus EncodeFeatureMap(const FeatureMapCoding& coding, const void* codes,
                             std::uint8_t* stream, std::size_t& size) {
  if (!IsValid(coding)) return CodecStatus::kArgument;
  return WithValue(coding, [&]<typename Value>(Value) {
    Workspace<Value> work(coding, 0);
    if (!Forward(coding, work.bands, codes, work.planes, work.scratch)) {
      return CodecStatus::kOutsideFormat;
    }
    work.Drop();
    // The header's size depends on that of the payload: it is moved up to the header then.
    std::uint8_t* const payload =
        stream + kLongestHeader + static_cast<std::size_t>(coding.channels + 7) / 8;
    const auto bytes = static_cast<std::size_t>(Encode(coding, work, payload) - payload);
    std::uint8_t* const end = WriteHeader(coding, bytes, stream);
    std::memmove(end, payload, bytes);
    size = static_cast<std::size_t>(end - stream) + bytes;
    SealStream(stream, size);
    return CodecStatus::kGood;
  });
}

CodecStatus DecodeFeatureMap(const ReadStream& read, void* codes) {
  return WithValue(read.coding, [&]<typename Value>(Value) {
    Workspace<Value> work(read.coding, read.payload_size + BitSource::kPadding);
    if (!Decode(read, work)) return CodecStatus::kDamaged;
    work.FillIn();
    Inverse(read.coding, work.bands, work.planes, codes, work.scratch);
    return CodecStatus::kGood;
  });
}

CodecStatus RoundTripFeatureMap(const FeatureMapCoding& coding, const void* codes, void* decoded) {
  if (!IsValid(coding)) return CodecStatus::kArgument;
  const ChannelRoundTrip round_trip(coding);
  const std::size_t bytes = ShapeOf(coding).area() * ElementBytes(coding.element);
  for (std::size_t c = 0; c < static_cast<std::size_t>(coding.channels); ++c) {
    const bool drops = coding.dropped != nullptr && coding.dropped[c] != 0;
    if (!round_trip.TryRun(static_cast<const char*>(codes) + c * bytes, drops,
                           static_cast<char*>(decoded) + c * bytes)) {
      return CodecStatus::kOutsideFormat;
    }
  }
  return CodecStatus::kGood;
}

}  // namespace qonnx_tools
