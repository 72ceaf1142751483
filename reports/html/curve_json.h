// Derived curves of a report as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "reports/html/report_model.h"

namespace assay {

nlohmann::ordered_json skew_json(const ReportSkew& curve);
nlohmann::ordered_json context_json(const ReportContext& curve);
// Each op as [name, layer, kind, count, FLOPs, bytes].
nlohmann::ordered_json ops_json(const ReportOps& of);
nlohmann::ordered_json clip_json(const ReportClip& of);

}  // namespace assay
