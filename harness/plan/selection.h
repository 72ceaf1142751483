// From suites and the user's choice to the cases of a run, in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "suites/base/result.h"
#include "suites/suite.h"

namespace assay {

// What the user asked for beside the suites. A value given on an axis chooses the suite's cases that have it; where the
// suite has none, its cases are made anew with that value (and those that then are equal become one).
struct Selection {
  std::string filter;  // glob or part of a case id
  std::optional<ModelShape> model;
  std::optional<VideoShape> video;  // instead of a model
  std::string dtype;                // "": as in the suite
  std::optional<int64_t> batch, tokens, context;
  std::optional<Routing> routing;  // of models with experts; a trace is loaded
};

// One case of a run with the rule by which it stops.
struct PlannedCase {
  Case work;
  RunPolicy policy;
  bool chosen_by_value = false;  // made with a value that the suite does not have
};

// The cases of one suite's form ("quick" or "full"). kBadInput when an axis does not fit ("--batch" for a GEMM), a
// value is out of range, or nothing is left.
Result<std::vector<PlannedCase>> plan_suite(const Suite& suite, const std::string& form, const Selection& selection);

// Of several suites, each case once (by its hash); the filter then chooses among them.
Result<std::vector<PlannedCase>> plan_suites(const std::vector<Suite>& suites, const std::string& form,
                                             const Selection& selection);

}  // namespace assay
