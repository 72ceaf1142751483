// One case of a suite by what the user types.
#pragma once

#include <string>

#include "suites/suite.h"

namespace assay {

// The one case of the suite that the pattern names; of several the first id that is equal, else an error that lists
// them.
Result<Case> find_case(const Suite& suite, const std::string& pattern);

}  // namespace assay
