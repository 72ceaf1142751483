// Refusing what can't fit, before anything is allocated.
#pragma once

#include <vector>

#include "harness/loader/adapter.h"
#include "harness/plan/selection.h"
#include "suites/base/result.h"

namespace assay {

// kBadInput with the bytes needed and those that are there when a case made with a value of the user's has not even one
// layer that fits, or none of the cases has. A suite's own case that does not fit stays in the plan: its record says
// so.
Status check_memory(const std::vector<PlannedCase>& cases, const DeviceInfo& device);

}  // namespace assay
