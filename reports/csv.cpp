#include "reports/csv.h"

namespace assay {

std::string csv_field(const std::string& value, bool is_number) {
  std::string text = value;
  if (!is_number && !text.empty() && std::string("=+-@\t\r").find(text[0]) != std::string::npos) text.insert(0, "'");
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

}  // namespace assay
