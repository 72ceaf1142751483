// What the kit asks of a worker: one check, from its n-th finding on. One question per process.
#pragma once

#include <string>

#include "harness/conformance/kit.h"

namespace assay::conformance {

struct Question {
  std::string check;
  size_t first = 0;  // findings that an earlier worker made
  KitOptions options;
};
std::string question_to_json(const Question& question);  // one line
Result<Question> question_from_json(const std::string& text);

inline constexpr size_t kMaxLineBytes = size_t{64} << 20;
inline constexpr const char* kDoneLine = R"({"done":true})";

}  // namespace assay::conformance
