#include "reports/csv.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "suites/base/visible.h"

namespace assay {
namespace {

// Also behind blanks, which a spreadsheet may drop, and in the wide form of East Asian input.
bool begins_formula(std::string_view text) {
  constexpr std::array<std::string_view, 8> kFirst{"=", "+", "-", "@", "＝", "＋", "－", "＠"};
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return std::any_of(kFirst.begin(), kFirst.end(), [&](std::string_view first) { return text.starts_with(first); });
}

}  // namespace

std::string csv_field(const std::string& value, bool is_number) {
  std::string text = visible(value);
  if (!is_number && begins_formula(text)) text.insert(0, "'");
  if (text.find_first_of(",\"") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

}  // namespace assay
