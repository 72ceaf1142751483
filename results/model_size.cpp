#include "results/model_size.h"

#include <regex>

#include "suites/suite.h"

namespace assay {

double shape_parameters(const Record& r) {
  if (r.step_kind != "prefill" && r.step_kind != "decode") return 0;
  const Result<Case> work = case_from_json(r.case_json, r.case_id);
  return work.ok() ? work->model.params() : 0;
}

double named_parameters(const std::string& model) {
  static const std::regex kSize("(?:^|[^0-9a-z.])(?:([0-9]+)x)?([0-9]+(?:\\.[0-9]+)?)([bm])(?![0-9a-z])",
                                std::regex::icase);
  std::smatch found;
  if (!std::regex_search(model, found, kSize)) return 0;
  const double times = found[1].matched ? std::stod(found[1]) : 1;
  return times * std::stod(found[2]) * (found[3] == "b" || found[3] == "B" ? 1e9 : 1e6);
}

}  // namespace assay
