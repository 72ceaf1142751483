#include "results/packed.h"

#include <algorithm>
#include <array>

#include "results/zstd_frame.h"
#include "suites/base/hash.h"

namespace assay {
namespace {

constexpr size_t kMaxVarintBytes = 10;
constexpr int kZstdLevel = 9;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// A wrapped difference as a signed number near 0 becomes an unsigned number near 0: 0, -1, 1, -2 -> 0, 1, 2, 3.
uint64_t zigzag(uint64_t difference) { return (difference << 1) ^ (0 - (difference >> 63)); }
uint64_t unzigzag(uint64_t coded) { return (coded >> 1) ^ (0 - (coded & 1)); }

std::string varints(const std::vector<uint64_t>& values) {
  std::string out;
  out.reserve(values.size() * 2);
  uint64_t before = 0;
  for (const uint64_t value : values) {
    uint64_t coded = zigzag(value - before);
    before = value;
    for (; coded >= 0x80; coded >>= 7) out += static_cast<char>(coded | 0x80);
    out += static_cast<char>(coded);
  }
  return out;
}

// One value from the front of `bytes`; false where it is cut off or beyond 64 bits.
bool take_varint(std::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (size_t i = 0; i < kMaxVarintBytes && i < bytes->size(); ++i) {
    const auto byte = static_cast<unsigned char>((*bytes)[i]);
    if (i == kMaxVarintBytes - 1 && byte > 1) return false;
    *value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      bytes->remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

}  // namespace

Packed pack(const std::vector<uint64_t>& values) {
  const std::string bytes = varints(values);
  return {values.size(), xxh3_128_hex(bytes), base64_encode(zstd_compress(bytes, kZstdLevel))};
}

Result<std::vector<uint64_t>> unpack(const Packed& packed) {
  if (packed.count > kMaxPackedCount) {
    return bad_input("expected at most " + std::to_string(kMaxPackedCount) + " values, found a count of " +
                     std::to_string(packed.count));
  }
  const Result<std::string> frame = base64_decode(packed.data);
  if (!frame.ok()) return frame.error();
  std::string why;
  const std::optional<std::string> bytes = zstd_decompress(*frame, packed.count * kMaxVarintBytes, &why);
  if (!bytes) return bad_input(why);
  const std::string found = xxh3_128_hex(*bytes);
  if (found != packed.xxh3) return bad_input("expected values of the checksum " + packed.xxh3 + ", found others");
  if (bytes->size() < packed.count) return bad_input("fewer values than the count " + std::to_string(packed.count));
  std::vector<uint64_t> values(packed.count);
  std::string_view rest = *bytes;
  uint64_t before = 0;
  for (uint64_t& value : values) {
    uint64_t coded = 0;
    if (!take_varint(&rest, &coded)) return bad_input("fewer values than the count " + std::to_string(packed.count));
    before += unzigzag(coded);
    value = before;
  }
  if (!rest.empty()) return bad_input("more values than the count " + std::to_string(packed.count));
  return values;
}

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (size_t j = 0; j < 4; ++j) out += j <= n ? kAlphabet[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

Result<std::string> base64_decode(std::string_view text) {
  const Error fault = bad_input("expected base64, found something else");
  if (text.size() % 4 != 0) return fault;
  std::array<int, 256> digit{};
  digit.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) digit[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int>(i);
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
    uint32_t group = 0;
    for (size_t j = 0; j < 4; ++j) {
      const int value = j < 4 - padding ? digit[static_cast<unsigned char>(text[i + j])] : 0;
      if (value < 0) return fault;
      group = group << 6 | static_cast<uint32_t>(value);
    }
    if ((padding == 1 && (group & 0xff) != 0) || (padding == 2 && (group & 0xffff) != 0)) return fault;
    for (size_t j = 0; j < 3 - padding; ++j) out += static_cast<char>(group >> (16 - 8 * j) & 0xff);
  }
  return out;
}

}  // namespace assay
