// The money of a report as JSON. A confidential figure is used and never written.
#pragma once

#include <nlohmann/json.hpp>

#include "reports/html/report_model.h"

namespace assay {

nlohmann::ordered_json targets_json(const std::vector<ReportTarget>& targets);
nlohmann::ordered_json cost_json(const ReportCost& cost);
nlohmann::ordered_json cost_answer_json(const ReportCostAnswer& answer);

}  // namespace assay
