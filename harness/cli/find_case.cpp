#include "harness/cli/find_case.h"

#include <algorithm>

#include "harness/plan/selection.h"

namespace assay {

Result<Case> find_case(const Suite& suite, const std::string& pattern) {
  std::vector<PlannedCase> found;
  Error none = bad_input("case: none");
  for (const char* form : {"quick", "full"}) {
    Selection selection;
    selection.filter = pattern;
    Result<std::vector<PlannedCase>> cases = plan_suites({suite}, form, selection);
    if (!cases.ok()) {
      none = cases.error();
      const std::string option = "--case: ";  // here it is an operand
      if (none.message.rfind(option, 0) == 0) none.message.replace(0, option.size(), "case: ");
      continue;
    }
    for (PlannedCase& c : *cases) {
      const auto same = [&](const PlannedCase& other) { return other.work.hash() == c.work.hash(); };
      if (std::none_of(found.begin(), found.end(), same)) found.push_back(std::move(c));
    }
  }
  if (found.empty()) return none;
  for (const PlannedCase& c : found) {
    if (c.work.id() == pattern || found.size() == 1) return c.work;
  }
  std::string message = "case: expected one, found " + std::to_string(found.size()) + " with \"" + pattern + "\":";
  for (size_t i = 0; i < found.size() && i < 8; ++i) message += "\n  " + found[i].work.id();
  return bad_input(message + (found.size() > 8 ? "\n  ..." : ""));
}

}  // namespace assay
