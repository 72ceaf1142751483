// What several forms of the report say of a row and of what can't be compared, in the words of the page.
#pragma once

#include <string>
#include <vector>

#include "reports/html/report_fields.h"
#include "reports/html/report_model.h"

namespace assay {

// "measured, 2/24 layers"; "reported, 8 accelerators": what a row's figures are of goes with its basis.
std::string row_basis(const ReportRow& row);
// "18695.5 tokens/s"; of a part "205076 tokens/s (2/24 layers; the whole projected: 18480 tokens/s)"; "" where the row
// has no rate and is not failed.
std::string row_rate(const ReportRow& row);

// A row that a table of results shows, and how many records it stands for: of each group the one that stands for it;
// of what is imported each, as systems that differ in what their source doesn't say are no repeats.
struct ShownRow {
  size_t row = 0, records = 1;
};
std::vector<ShownRow> shown_rows(const ReportModel& model);

// "H200 · decode/m/f32/b1/c512: numbers not checked"
std::string apart_text(const ReportModel& model, const Incomparable& apart);

// The workbook's first sheet.
struct ReportTable {
  std::vector<std::string> titles;
  std::vector<std::vector<FieldValue>> rows;
};
ReportTable summary_table(const ReportModel& model);

}  // namespace assay
