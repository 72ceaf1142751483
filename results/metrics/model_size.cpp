#include "results/metrics/model_size.h"

#include <cstdlib>
#include <regex>

#include "suites/suite.h"

namespace assay {

// "70b" as a word of its own: of "8x7b" it isn't said what the experts share.
double params_in_name(const std::string& model) {
  static const std::regex kSize("(^|[^0-9A-Za-z.])([0-9]{1,4}(\\.[0-9]{1,3})?)([bBmM])($|[^0-9A-Za-z])");
  std::smatch found;
  const std::string name = model.substr(0, 256);
  if (!std::regex_search(name, found, kSize)) return 0;
  const bool billions = found[4] == "b" || found[4] == "B";
  return std::strtod(found[2].str().c_str(), nullptr) * (billions ? 1e9 : 1e6);
}

double model_params(const Record& record) {
  if (record.reported) {
    const auto stated = record.reported->stated.find("model_n_params");
    const double params = stated == record.reported->stated.end() ? 0 : std::strtod(stated->second.c_str(), nullptr);
    return params > 0 ? params : params_in_name(record.model);
  }
  const Result<Case> work = case_from_json(record.case_json, record.case_id);
  return work.ok() && !work->model.name.empty() ? work->model.params() : 0;
}

}  // namespace assay
