#include "codec/feature_map_header.h"

#include <cstring>

#include "codec/crc32.h"

namespace qonnx_tools {
namespace {

constexpr std::uint8_t kMagic[2] = {'Q', 'F'};
constexpr int kVersion = 1;
constexpr std::size_t kCheckedFrom = 6;
constexpr int kLongestNumber = 5;
// A sample takes at least log2(2^15 / (2^15 - 60)) bits where it is coded at all, and a quarter
// are.
constexpr std::int64_t kSamplesAByte = 16384;

std::uint8_t* WriteNumber(std::uint64_t value, std::uint8_t* to) {
  for (; value >= 128; value >>= 7) *to++ = static_cast<std::uint8_t>(value | 128);
  *to++ = static_cast<std::uint8_t>(value);
  return to;
}

// Moves `at`; false behind `end` or if the number is too long.
bool ReadNumber(const std::uint8_t*& at, const std::uint8_t* end, std::int64_t& value) {
  value = 0;
  for (int count = 0; count < kLongestNumber; ++count) {
    if (at == end) return false;
    value |= static_cast<std::int64_t>(*at & 127) << 7 * count;
    if (*at++ < 128) return true;
  }
  return false;
}

bool HasDropped(const FeatureMapCoding& coding) {
  if (coding.dropped == nullptr) return false;
  for (std::int64_t c = 0; c < coding.channels; ++c) {
    if (coding.dropped[c] != 0) return true;
  }
  return false;
}

std::size_t MaskBytes(std::int64_t channels) { return static_cast<std::size_t>(channels + 7) / 8; }

bool IsSide(std::int64_t side) { return 1 <= side && side <= kLargestSide; }

// Whether a stream begins as one of this version does, and has the three bytes behind the checksum.
CodecStatus CheckOpening(const std::uint8_t* stream, std::size_t size) {
  if (size < sizeof kMagic || std::memcmp(stream, kMagic, sizeof kMagic) != 0) {
    return CodecStatus::kNoStream;
  }
  if (size < kCheckedFrom + 3) return CodecStatus::kDamaged;
  return (stream[kCheckedFrom] & 63) == kVersion ? CodecStatus::kGood : CodecStatus::kVersion;
}

}  // namespace

CodeRange RangeOf(const FeatureMapCoding& coding) {
  if (coding.is_signed == 0) return {0, (std::int64_t{1} << coding.bits) - 1};
  const std::int64_t half = std::int64_t{1} << (coding.bits - 1);
  return {coding.narrow != 0 ? 1 - half : -half, half - 1};
}

bool IsValid(const FeatureMapCoding& coding) {
  const auto within = [](std::int32_t value, std::int32_t low, std::int32_t high) {
    return low <= value && value <= high;
  };
  if (!within(coding.element, 0, 5) || !within(coding.transform, 0, 3) ||
      !within(coding.coder, 0, 2) || !within(coding.bits, 1, 32) ||
      !within(coding.is_signed, 0, 1) || !within(coding.narrow, 0, coding.is_signed) ||
      !within(coding.step, kStepUnit, kLargestStep) || !IsSide(coding.channels) ||
      !IsSide(coding.height) || !IsSide(coding.width)) {
    return false;
  }
  if (coding.channels > kLargestCount / coding.height / coding.width) return false;
  const bool wavelet = HasWavelet(coding);
  if (!within(coding.levels, wavelet ? 1 : 0, wavelet ? 3 : 0)) return false;
  if (!wavelet && HasDropped(coding)) return false;
  const int element_bits = static_cast<int>(8 * ElementBytes(coding.element));
  const bool element_signed = coding.element % 2 == 0;
  if (element_signed == (coding.is_signed != 0)) return coding.bits <= element_bits;
  return element_signed && coding.bits < element_bits;
}

std::vector<std::size_t> KeptChannels(const FeatureMapCoding& coding) {
  std::vector<std::size_t> kept;
  kept.reserve(static_cast<std::size_t>(coding.channels));
  for (std::size_t c = 0; c < static_cast<std::size_t>(coding.channels); ++c) {
    if (coding.dropped == nullptr || coding.dropped[c] == 0) kept.push_back(c);
  }
  return kept;
}

std::uint8_t* WriteHeader(const FeatureMapCoding& coding, std::size_t payload, std::uint8_t* to) {
  const bool mask = HasDropped(coding);
  std::memcpy(to, kMagic, sizeof kMagic);
  to += kCheckedFrom;
  *to++ = static_cast<std::uint8_t>(kVersion | coding.coder << 6);
  *to++ = static_cast<std::uint8_t>(coding.element | coding.transform << 3 | coding.levels << 5 |
                                    (mask ? 1 : 0) << 7);
  *to++ = static_cast<std::uint8_t>((coding.bits - 1) | coding.is_signed << 5 | coding.narrow << 6);
  for (const std::int64_t number :
       {coding.channels, coding.height, coding.width, std::int64_t{coding.step},
        static_cast<std::int64_t>(payload)}) {
    to = WriteNumber(static_cast<std::uint64_t>(number), to);
  }
  if (!mask) return to;
  std::memset(to, 0, MaskBytes(coding.channels));
  for (std::size_t c = 0; c < static_cast<std::size_t>(coding.channels); ++c) {
    to[c / 8] = static_cast<std::uint8_t>(to[c / 8] | (coding.dropped[c] != 0) << c % 8);
  }
  return to + MaskBytes(coding.channels);
}

void SealStream(std::uint8_t* stream, std::size_t size) {
  const std::uint32_t checksum = Crc32(stream + kCheckedFrom, size - kCheckedFrom);
  std::memcpy(stream + sizeof kMagic, &checksum, sizeof checksum);
}

CodecStatus FindEnd(const std::uint8_t* stream, std::size_t size, std::size_t& length) {
  const CodecStatus opening = CheckOpening(stream, size);
  if (opening != CodecStatus::kGood) return opening;
  const std::uint8_t* at = stream + kCheckedFrom;
  const std::uint8_t* const end = stream + size;
  const bool mask = at[1] >> 7 != 0;
  at += 3;
  std::int64_t channels = 0, height = 0, width = 0, step = 0, payload = 0;
  for (std::int64_t* const number : {&channels, &height, &width, &step, &payload}) {
    if (!ReadNumber(at, end, *number)) return CodecStatus::kDamaged;
  }
  const std::size_t rest = (mask ? MaskBytes(channels) : 0) + static_cast<std::size_t>(payload);
  if (static_cast<std::size_t>(end - at) < rest) return CodecStatus::kDamaged;
  length = static_cast<std::size_t>(at - stream) + rest;
  return CodecStatus::kGood;
}

CodecStatus ReadHeader(const std::uint8_t* stream, std::size_t size, std::int64_t limit,
                       ReadStream& read) {
  const CodecStatus opening = CheckOpening(stream, size);
  if (opening != CodecStatus::kGood) return opening;
  const std::uint8_t* at = stream + kCheckedFrom;
  const std::uint8_t* const end = stream + size;
  std::uint32_t checksum;
  std::memcpy(&checksum, stream + sizeof kMagic, sizeof checksum);
  if (checksum != Crc32(at, size - kCheckedFrom)) return CodecStatus::kChecksum;
  FeatureMapCoding coding = {};
  coding.coder = at[0] >> 6;
  coding.element = at[1] & 7;
  coding.transform = at[1] >> 3 & 3;
  coding.levels = at[1] >> 5 & 3;
  const bool mask = at[1] >> 7 != 0;
  coding.bits = (at[2] & 31) + 1;
  coding.is_signed = at[2] >> 5 & 1;
  coding.narrow = at[2] >> 6 & 1;
  if (at[2] >> 7 != 0) return CodecStatus::kDamaged;
  at += 3;
  std::int64_t step = 0, payload = 0;
  for (std::int64_t* const number :
       {&coding.channels, &coding.height, &coding.width, &step, &payload}) {
    if (!ReadNumber(at, end, *number)) return CodecStatus::kDamaged;
  }
  if (step > kLargestStep) return CodecStatus::kDamaged;
  coding.step = static_cast<std::int32_t>(step);
  if (!IsValid(coding)) return CodecStatus::kDamaged;
  const std::int64_t count = coding.channels * coding.height * coding.width;
  if (count > limit) return CodecStatus::kTooLarge;
  const std::size_t mask_bytes = mask ? MaskBytes(coding.channels) : 0;
  if (static_cast<std::size_t>(end - at) != mask_bytes + static_cast<std::size_t>(payload) ||
      count / kSamplesAByte > payload) {
    return CodecStatus::kDamaged;
  }
  if (mask) {
    read.dropped.resize(static_cast<std::size_t>(coding.channels));
    for (std::size_t c = 0; c < 8 * mask_bytes; ++c) {
      const bool bit = (at[c / 8] >> c % 8 & 1) != 0;
      if (c < read.dropped.size()) {
        read.dropped[c] = bit;
      } else if (bit) {
        return CodecStatus::kDamaged;
      }
    }
    coding.dropped = read.dropped.data();
    if (!IsValid(coding)) return CodecStatus::kDamaged;
  }
  read.coding = coding;
  read.payload = at + mask_bytes;
  read.payload_size = static_cast<std::size_t>(payload);
  return CodecStatus::kGood;
}

}  // namespace qonnx_tools
