// What makes a case valid; shared by the readers of suites and of cases.
#pragma once

#include <string>
#include <vector>

#include "suites/suite.h"

namespace assay {

namespace case_limits {
inline constexpr int64_t kBatch = 1 << 20;
inline constexpr int64_t kGemmSide = 1 << 20;
inline constexpr int64_t kMinBuffer = 4096;
inline constexpr int64_t kMaxBuffer = int64_t{1} << 44;
inline constexpr int64_t kPageTokens = 1 << 16;
inline constexpr int64_t kPages = 0x7fffffff;  // what the table's int32 counts
}  // namespace case_limits

std::vector<std::string> step_kind_names();
std::vector<std::string> kv_layout_names();
StepKind step_kind(const std::string& name);  // one of step_kind_names()

// Canonical JSON of a shape, as parse_model reads it.
std::string model_to_json(const ModelShape& m);

// All that is wrong with the case: "batch: expected 1 to 1048576, found 0".
std::vector<std::string> case_faults(const Case& c);
// kBadInput that names the case, the field, what was expected and what was found.
Status check_case(const Case& c);

}  // namespace assay
