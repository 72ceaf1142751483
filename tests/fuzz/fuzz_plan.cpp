// A plan request: refused with a message, or planned with numbers that are finite, or a reason in their place.
#include <cmath>

#include "results/plan/plan.h"
#include "results/record.h"
#include "tests/fuzz/fuzz_input.h"

namespace assay {
// In the reader's place: curves may come from records on a disk, and an input here must not name a file of this
// machine.
Result<std::vector<Record>> read_records(const std::filesystem::path& path, size_t* /*copies*/) {
  return bad_input(path.string() + ": no files here");
}
}  // namespace assay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const Result<PlanRequest> request = parse_plan(fuzz::text_of(data, size), "fuzz", PriceBook{});
  if (!request.ok()) {
    fuzz::must_explain(request.error());
    return 0;
  }
  for (const Plan& plan : plans(*request)) {
    if (!plan.problem.empty()) continue;
    for (const double value : {plan.prefill_units, plan.decode_units, plan.cost_per_hour, plan.per_1m_tokens}) {
      fuzz::must(std::isfinite(value) && value >= 0, "a plan's numbers are finite");
    }
    fuzz::must(plan.cost_per_hour >= plan.flow_cost_per_hour * (1 - 1e-9), "whole units cost no less than fractions");
  }
  return 0;
}
