// What `assay plan` says, as a sheet.
#pragma once

#include "reports/sheet.h"
#include "results/plan/plan.h"

namespace assay {

// The plans in their order (cheapest first), those that can't serve with the reason; how much the best pair saves
// against the best single kind of unit.
Sheet plan_sheet(const PlanRequest& request, const std::vector<Plan>& plans);

}  // namespace assay
