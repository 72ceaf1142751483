// Fields of a CSV file.
#pragma once

#include <string>

namespace assay {

// As RFC 4180 quotes it, visible and on one line. A spreadsheet runs a text that begins like a formula; a quote before
// it keeps it text.
std::string csv_field(const std::string& text, bool is_number);

}  // namespace assay
