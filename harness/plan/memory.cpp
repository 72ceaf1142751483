#include "harness/plan/memory.h"

#include "harness/run/layers.h"

namespace assay {

Status check_memory(const std::vector<PlannedCase>& cases, const DeviceInfo& device) {
  bool any_fits = false;
  std::string first_fault;
  for (const PlannedCase& c : cases) {
    const Result<LayerPlan> plan = layers_by_memory(c.work, device);
    if (plan.ok()) {
      any_fits = true;
      continue;
    }
    const std::string fault = "case " + plan.error().message + " (device " + device.product + ")";
    if (c.chosen_by_value) return bad_input(fault);
    if (first_fault.empty()) first_fault = fault;
  }
  if (!any_fits && !cases.empty()) return bad_input(first_fault);
  return ok_status();
}

}  // namespace assay
