// Damaged streams of feature maps: each decodes or is refused. Built with sanitizers and run by
// tests/custom_ops/fuzz.py:
//
//   feature_map_streams STREAMS SEED
//
// Draws maps and codings, checks that their streams come back, and decodes STREAMS streams with
// changed, missing, added and exchanged bytes, of most of which the checksum is right again, so
// that what is behind it is reached. Prints how many ended with which status. A fault of the codec
// itself ends it with status 1, a stream that takes a minute with an alarm.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "codec/crc32.h"
#include "codec/feature_map.h"
#include "core/level.h"

namespace {

using namespace qonnx_tools;
using Bytes = std::vector<std::uint8_t>;

constexpr std::int64_t kLimit = 1 << 14;  // samples
constexpr std::size_t kVariants = 50;     // of each stream
constexpr unsigned kSeconds = 60;

class Source {
 public:
  explicit Source(std::uint64_t seed) : engine_(seed) {}

  // A number in 0 .. count-1.
  std::size_t Below(std::size_t count) { return engine_() % count; }
  bool OneIn(std::size_t count) { return Below(count) == 0; }
  std::uint8_t Byte() { return static_cast<std::uint8_t>(engine_()); }

 private:
  std::mt19937_64 engine_;
};

struct Map {
  FeatureMapCoding coding;
  Bytes dropped, codes;
};

Map DrawMap(Source& source) {
  Map map;
  FeatureMapCoding& coding = map.coding;
  coding = {};
  coding.element = static_cast<std::int32_t>(source.Below(6));
  coding.transform = static_cast<std::int32_t>(source.Below(4));
  coding.levels = HasWavelet(coding) ? 1 + static_cast<std::int32_t>(source.Below(3)) : 0;
  coding.coder = static_cast<std::int32_t>(source.Below(3));
  coding.is_signed = coding.element % 2 == 0 ? 1 : 0;
  coding.bits = static_cast<std::int32_t>(8 * ElementBytes(coding.element));
  coding.step =
      source.OneIn(2) ? kStepUnit : kStepUnit + static_cast<std::int32_t>(source.Below(900));
  coding.channels = 1 + static_cast<std::int64_t>(source.Below(12));
  coding.height = 1 + static_cast<std::int64_t>(source.Below(17));
  coding.width = 1 + static_cast<std::int64_t>(source.Below(17));
  if (HasWavelet(coding) && source.OneIn(2)) {
    for (std::int64_t c = 0; c < coding.channels; ++c) map.dropped.push_back(source.OneIn(2));
  }
  const std::size_t bytes = ElementBytes(coding.element);
  map.codes.resize(ShapeOf(coding).count() * bytes);
  const std::size_t range = std::array<std::size_t, 4>{1, 4, 40, 256}[source.Below(4)];
  for (std::size_t i = 0; i < map.codes.size(); ++i) {
    const bool top = i % bytes == bytes - 1;
    map.codes[i] = static_cast<std::uint8_t>(top || source.OneIn(9) ? source.Below(range) : 0);
  }
  return map;
}

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

Bytes Encoded(const FeatureMapCoding& coding, const Bytes& codes) {
  Bytes stream(LargestStream(coding));
  std::size_t size = 0;
  if (EncodeFeatureMap(coding, codes.data(), stream.data(), size) != CodecStatus::kGood) {
    Fail("a map was not encoded");
  }
  stream.resize(size);
  return stream;
}

// Decodes a copy that ends where the stream does.
CodecStatus Decoded(const Bytes& stream, std::unique_ptr<std::uint8_t[]>& codes,
                    std::size_t& size) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[stream.size()]);
  std::copy(stream.begin(), stream.end(), exact.get());
  ReadStream read = {};
  const CodecStatus status = ReadHeader(exact.get(), stream.size(), kLimit, read);
  if (status != CodecStatus::kGood) return status;
  size = ShapeOf(read.coding).count() * ElementBytes(read.coding.element);
  codes.reset(new std::uint8_t[size]);
  return DecodeFeatureMap(read, codes.get());
}

void CheckRoundTrip(const FeatureMapCoding& coding, const Bytes& codes, const Bytes& stream) {
  Bytes expected(codes.size());
  if (RoundTripFeatureMap(coding, codes.data(), expected.data()) != CodecStatus::kGood) {
    Fail("a map was not taken there and back");
  }
  if (coding.step == kStepUnit && coding.dropped == nullptr && expected != codes) {
    Fail("a lossless coding changed a map");
  }
  std::unique_ptr<std::uint8_t[]> decoded;
  std::size_t size = 0;
  if (Decoded(stream, decoded, size) != CodecStatus::kGood || size != expected.size() ||
      std::memcmp(decoded.get(), expected.data(), size) != 0) {
    Fail("a stream did not come back");
  }
}

void Seal(Bytes& stream) {
  if (stream.size() > 6) SealStream(stream.data(), stream.size());
}

void Damage(Source& source, const Bytes& other, Bytes& stream) {
  for (std::size_t times = 1 + source.Below(4); times > 0 && !stream.empty(); --times) {
    const std::size_t at = source.OneIn(2) ? source.Below(stream.size())
                                           : source.Below(std::min<std::size_t>(stream.size(), 20));
    switch (source.Below(8)) {
      case 0:
        stream.resize(at);
        break;
      case 1:
        stream.insert(stream.begin() + static_cast<std::ptrdiff_t>(at), source.Byte());
        break;
      case 2: {
        const std::size_t from = source.Below(other.size());
        const std::size_t count = std::min(other.size() - from, stream.size() - at);
        std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), count,
                    stream.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      }
      case 3:
        std::fill(stream.begin() + static_cast<std::ptrdiff_t>(at), stream.end(),
                  source.OneIn(2) ? std::uint8_t{0} : std::uint8_t{255});
        break;
      case 4:
        stream[at] = source.Byte();
        break;
      default:
        stream[at] = static_cast<std::uint8_t>(stream[at] ^ 1 << source.Below(8));
    }
  }
  if (!source.OneIn(8)) Seal(stream);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) Fail("usage: feature_map_streams STREAMS SEED");
  const std::size_t streams = std::strtoull(arguments[1], nullptr, 10);
  Source source(std::strtoull(arguments[2], nullptr, 10));
  try {
    SelectLevel();
  } catch (const std::exception& error) {
    Fail(error.what());
  }
  std::array<std::size_t, 16> statuses = {};
  Bytes other = {0};
  for (std::size_t done = 0; done < streams;) {
    alarm(kSeconds);
    Map map = DrawMap(source);
    map.coding.dropped = map.dropped.empty() ? nullptr : map.dropped.data();
    const Bytes stream = Encoded(map.coding, map.codes);
    CheckRoundTrip(map.coding, map.codes, stream);
    for (std::size_t i = 0; i < kVariants && done < streams; ++i, ++done) {
      Bytes damaged = stream;
      Damage(source, other, damaged);
      std::unique_ptr<std::uint8_t[]> codes;
      std::size_t size = 0;
      ++statuses[static_cast<std::size_t>(Decoded(damaged, codes, size))];
    }
    other = stream;
  }
  constexpr const char* kNames[] = {"decoded",  "no stream", "version",
                                    "checksum", "damaged",   "too large"};
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    std::printf("%s %zu\n", kNames[i], statuses[i]);
  }
  return 0;
}
