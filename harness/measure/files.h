// Small files of /proc, /sys and /etc below an injectable root.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/measure/environment.h"
#include "suites/base/result.h"

namespace assay {

// `relative` has no leading slash: "proc/stat".
std::filesystem::path below(const SystemRoot& root, std::string_view relative);
// Whole content without trailing white space; the Error is short: "no /proc/stat", "/sys/x: Permission denied".
Result<std::string> read_text(const SystemRoot& root, std::string_view relative);
// A whole non-negative decimal number, nothing else. nullopt: anything else.
std::optional<uint64_t> parse_u64(std::string_view text);
Result<uint64_t> read_u64(const SystemRoot& root, std::string_view relative);

std::vector<std::string> split_lines(std::string_view text);
std::vector<std::string> split_words(std::string_view text);
// "0-3,8" -> 0 1 2 3 8; nullopt: not such a list. "" is the empty list.
std::optional<std::vector<int>> parse_cpu_list(std::string_view text);

}  // namespace assay
