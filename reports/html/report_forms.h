// The report's figures in other forms than the page.
#pragma once

#include <string>

#include "reports/html/report_model.h"

namespace assay {

// One line per row, every field by name, with the chip and the case spelled out (RFC 4180).
std::string report_csv(const ReportModel& model);
// For mails: the answer with its notes and targets, a table of each chip on the case compared, costs, what can't be
// compared.
std::string report_markdown(const ReportModel& model);
// A workbook: summary, costs, records. Bytes of the file; kIo where it can't be made.
Result<std::string> report_xlsx(const ReportModel& model);

// "AMD EPYC", or "AMD EPYC (cpu)" where another adapter serves the same product, or "(imported)" beside one that does:
// as on the page (chipName in web/src/model.ts).
std::string chip_name(const ReportModel& model, size_t chip);

}  // namespace assay
