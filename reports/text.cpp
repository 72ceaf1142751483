#include "reports/text.h"

#include <algorithm>
#include <numeric>
#include <sstream>

#include "suites/base/visible.h"

namespace assay {
namespace {

constexpr const char* kBold = "\033[1m";
constexpr const char* kPlain = "\033[0m";

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_alnum(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

// Whether Markdown, with GitHub's tables, takes the character there for more than itself.
bool is_markup(const std::string& text, size_t i) {
  const char before = i > 0 ? text[i - 1] : '\0', after = i + 1 < text.size() ? text[i + 1] : '\0';
  switch (text[i]) {
    case '|':
    case '\\':
    case '*':
    case '`':
    case '~':
      return true;
    case ']':  // of a link, or of where one leads to
      return after == '(' || after == '[' || after == ':';
    case '_':  // within a word it is a letter
      return !is_alnum(before) || !is_alnum(after);
    case '<':
      return is_letter(after) || after == '/' || after == '!' || after == '?';
    case '&':
      return is_letter(after) || after == '#';
    default:
      return false;
  }
}

}  // namespace

size_t display_width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string padded(const std::string& text, size_t width, bool right) {
  const std::string blanks(width - std::min(width, display_width(text)), ' ');
  return right ? blanks + text : text + blanks;
}

std::string line_of(const std::string& text) { return text.substr(0, text.find_last_not_of(' ') + 1) + "\n"; }

std::vector<std::string> wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines(1);
  std::istringstream words(text);
  for (std::string raw; words >> raw;) {
    const std::string word = visible(raw);
    std::string& line = lines.back();
    if (line.empty()) {
      line = word;
    } else if (display_width(line) + 1 + display_width(word) <= width) {
      line += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

std::string markdown_escaped(const std::string& given) {
  const std::string text = visible(given);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_markup(text, i)) out += '\\';
    out += text[i];
  }
  return out;
}

std::string markdown_item(const std::string& text) {
  const std::string escaped = markdown_escaped(text);
  const bool block = !escaped.empty() && std::string_view("># +-=").find(escaped[0]) != std::string_view::npos;
  return std::string(block ? "- \\" : "- ") + escaped + "\n";
}

std::vector<size_t> fitting(const std::vector<FitColumn>& columns, int limit, std::string* left_out) {
  std::vector<size_t> shown(columns.size());
  std::iota(shown.begin(), shown.end(), size_t{0});
  const auto total = [&] {
    size_t sum = 0;
    for (const size_t c : shown) sum += columns[c].width + 2;
    return sum - 2;
  };
  const auto rank = [&](size_t c) {
    return std::pair(columns[c].drop_rank > 0 && columns[c].empty, columns[c].drop_rank);
  };
  while (limit > 0 && total() > static_cast<size_t>(limit)) {
    const auto last =
        rank(*std::max_element(shown.begin(), shown.end(), [&](size_t a, size_t b) { return rank(a) < rank(b); }));
    if (last.second == 0) break;
    for (const size_t c : shown) {
      if (rank(c) == last) left_out->append(left_out->empty() ? "" : ", ").append(columns[c].title);
    }
    shown.erase(std::remove_if(shown.begin(), shown.end(), [&](size_t c) { return rank(c) == last; }), shown.end());
  }
  return shown;
}

std::string text_grid(const std::vector<GridColumn>& columns, const GridRows& given, bool color) {
  GridRows rows = given;
  for (auto& row : rows) {
    for (std::string& cell : row) cell = visible(cell);
  }
  std::vector<std::string> titles;
  std::vector<size_t> widths;
  for (const GridColumn& column : columns) {
    titles.push_back(column.title);
    widths.push_back(display_width(column.title));
    for (const auto& row : rows) widths.back() = std::max(widths.back(), display_width(row[widths.size() - 1]));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (size_t c = 0; c < columns.size(); ++c) {
      out += (c == 0 ? "" : "  ") + padded(cells[c], widths[c], columns[c].right);
    }
    return line_of(out);
  };
  std::string out = (color ? kBold : "") + line(titles) + (color ? kPlain : "");
  for (const auto& row : rows) out += line(row);
  return out;
}

std::string markdown_grid(const std::vector<GridColumn>& columns, const GridRows& rows) {
  std::string head = "|", rule = "|", body;
  for (const GridColumn& column : columns) {
    head += " " + markdown_escaped(column.title) + " |";
    rule += column.right ? "---:|" : "---|";
  }
  for (const auto& row : rows) {
    body += "|";
    for (const std::string& cell : row) body += " " + markdown_escaped(cell) + " |";
    body += "\n";
  }
  return head + "\n" + rule + "\n" + body;
}

}  // namespace assay
