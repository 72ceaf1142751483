// Writes a report in the forms that were asked for.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/cli/arguments.h"
#include "reports/html/report_model.h"

namespace assay {

// --html, --pdf, --json, ...: one switch a form, and --plots.
std::vector<OptionSpec> report_form_options();
// ".html" and the other forms' endings.
bool is_report_ending(const std::string& ending);

// Writes the form that `out` ends in and the others that were asked for beside it; gives the files. All are made before
// the first is written. kBadInput where `out` ends in none of them, kUnsupported where a program they need is missing.
Result<std::vector<std::filesystem::path>> write_report(const ReportModel& model, const std::filesystem::path& out,
                                                        const Arguments& arguments);

}  // namespace assay
