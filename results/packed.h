// Packed integers: how a record keeps its samples. Delta, zigzag, varint (LEB128), zstd, base64.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "suites/base/result.h"

namespace assay {

inline constexpr uint64_t kMaxPackedCount = uint64_t{1} << 24;

struct Packed {
  uint64_t count = 0;
  std::string xxh3;  // 128 bits in hex, of the bytes before zstd: the same whatever wrote them
  std::string data;  // base64
};

// At most kMaxPackedCount values.
Packed pack(const std::vector<uint64_t>& values);

// Refuses what doesn't decode to exactly `count` values with that checksum, and never allocates more than the count
// allows (10 bytes a value), whatever the compressed frame claims. The message has no place; the caller adds it.
Result<std::vector<uint64_t>> unpack(const Packed& packed);

// RFC 4648, with padding. Decoding is strict: no other characters, no stray bits.
std::string base64_encode(std::string_view bytes);
Result<std::string> base64_decode(std::string_view text);

}  // namespace assay
