// Two profiles of one case on one chip, as `assay profile --json` printed them: which ops the step's difference lies
// in.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reports/sheet.h"
#include "suites/base/result.h"

namespace assay {

// Equal ops of a step, or copies of no op (no kind).
struct ProfiledOp {
  std::string name, kind, shape;
  int64_t count = 0, calls = 0;  // calls 0: it ran in the kernel of another op
  double flops_each = 0, bytes_each = 0;
  double seconds = 0;  // of the traced step
};

struct SavedProfile {
  std::string name;  // the file's, as the user gave it
  std::string case_id, case_hash, product, basis;
  int64_t layers = 0, experts = 0;
  std::vector<std::pair<std::string, std::string>> facts;  // what may differ and explain: device, driver, adapter, ...
  double step_s = 0, traced_s = 0, gap_s = 0;
  uint64_t steps = 0;             // traced
  std::optional<bool> disturbed;  // none: nobody watched
  std::vector<std::string> causes;
  std::vector<ProfiledOp> ops;
};

// Whether a JSON text is a profile, of this or an earlier form.
bool is_profile(const std::string& text);
// kBadInput where it is none that can be compared.
Result<SavedProfile> read_profile(const std::string& text, const std::string& name);

// kBadInput where the two are of unlike work, chips or bases: their ops have nothing to do with each other.
Status comparable(const SavedProfile& a, const SavedProfile& b);

// The ops by what they add to the difference of the traced step, then what no op ran in, then the step itself; the
// notes say which ops explain it. Within `margin` there is nothing to explain.
Sheet profile_pair_sheet(const SavedProfile& a, const SavedProfile& b, double margin);

}  // namespace assay
