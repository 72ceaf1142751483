// The text behind a JsonInput: read strictly, and searched for the line of a value. Not for other readers.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "suites/base/result.h"

namespace assay::json_text {

// In single quotes; bytes that a terminal might act on are escaped; shortened.
std::string in_quotes(std::string_view text);
// "a.b" of "a" and "b"; the root's path is "".
std::string member_path(const std::string& path, const std::string& name);

struct JsonText {
  nlohmann::json root;
  std::vector<Fault> duplicates;  // fields that an object has twice, of which it keeps the first; at most 100
  std::string fault;              // "" or the excess of depth or syntax error that ended the reading, with its place
  int64_t fault_line = 0;
};
JsonText read_json(std::string_view text, int max_depth);

// Where in a text that is JSON up to there the nth value of this path begins, counted from 1; 0 where there is none.
int64_t line_of_value(std::string_view text, const std::string& path, int nth = 1);

}  // namespace assay::json_text
