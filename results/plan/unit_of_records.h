// A plan's unit from measured records.
#pragma once

#include <filesystem>

#include "results/plan/plan.h"
#include "suites/base/json_input.h"

namespace assay {

inline constexpr size_t kMaxPlanText = 1024;

// Curves of the records' prefill and decode cases of one model and dtype, on one chip; of several layouts of the KV
// cache or routings of experts those that `node` asks for, else the plain ones, else the only ones. What `unit` doesn't
// say of memory is taken from the records, too. unit->notes says which were taken, which left out, and why.
void add_records(const JsonNode& node, const std::filesystem::path& folder, PlanUnit* unit);

}  // namespace assay
