// The report as one HTML file that needs nothing else.
#pragma once

#include <string>

#include "suites/base/result.h"

namespace assay {

// Fills the bundled page (reports/html/web, built to share/assay/web/report.html) with a model's JSON. `lang`: zh, en,
// or "" for what the reader's browser prefers. kInternal where the page has no place for them.
Result<std::string> report_page(const std::string& page, const std::string& model_json, const std::string& lang);

}  // namespace assay
