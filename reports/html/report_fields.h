// The columns of a report's row: one list for JSON, CSV and spreadsheets.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "reports/html/report_model.h"

namespace assay {

using FieldValue = std::variant<std::monostate, double, bool, std::string, std::vector<std::string>>;

struct ReportField {
  const char* name;
  FieldValue value;  // monostate: absent
};
// In the same order for every row.
std::vector<ReportField> report_fields(const ReportRow& row);

}  // namespace assay
