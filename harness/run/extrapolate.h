// The second point of the projection from k of L layers to the whole model.
#pragma once

#include "harness/run/layers.h"
#include "harness/run/numerics_check.h"
#include "results/record.h"

namespace assay {

// Runs the case with fewer layers for at most `limit_s` (at least three steps after one of warm-up) and projects the
// whole model by the line through both medians, over layers or (where these differ, or experts are left out) over their
// estimated cost. Call with no other program loaded. What fails is the extrapolation's
// reason.
Extrapolation extrapolate(const Bench& bench, const Case& c, const LayerPlan& plan, double run_median_ns,
                          double limit_s, const Rates& rates = {});

}  // namespace assay
