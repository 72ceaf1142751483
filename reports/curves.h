// Curves over records: steps against the context, and against the routing of experts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reports/tables.h"

namespace assay {

// "" where the records hold no such curve (CSV and JSON: an empty list). UTF-8, ends in a newline.
std::string render_context_curves(const std::vector<Record>& records, TableFormat format, const TableOptions& options);
// ranks: the expert-parallel degree that the imbalance is stated for.
std::string render_skew_curves(const std::vector<Record>& records, int64_t ranks, TableFormat format,
                               const TableOptions& options);

}  // namespace assay
