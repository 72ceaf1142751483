#include "suites/base/hash.h"

#include <xxhash.h>

namespace assay {

std::string xxh3_128_hex(std::string_view text) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits(text.data(), text.size()));
  std::string out;
  for (const unsigned char byte : bytes.digest) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace assay
