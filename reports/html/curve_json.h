// Derived curves of a report as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "reports/html/report_model.h"

namespace assay {

nlohmann::ordered_json skew_json(const ReportSkew& curve);
nlohmann::ordered_json context_json(const ReportContext& curve);

}  // namespace assay
