// Content hash that names suites, cases and records.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// XXH3, 128 bits (xxHash library), as 32 hex digits, most significant first. Not for security.
std::string xxh3_128_hex(std::string_view text);

}  // namespace assay
