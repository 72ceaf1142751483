#include "reports/sheet.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "reports/csv.h"

namespace assay {
namespace {

constexpr const char* kAbsent = "–";
constexpr size_t kLeastLastColumn = 24;

size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string shown(const SheetCell& cell) { return cell.text.empty() ? kAbsent : cell.text; }

// Columns with a title, by their place.
std::vector<size_t> titled(const SheetTable& table) {
  std::vector<size_t> out;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    if (!table.columns[c].title.empty()) out.push_back(c);
  }
  return out;
}

// Lines of at most `width` columns, broken at blanks; a longer word stays whole.
std::vector<std::string> wrapped(const std::string& text, size_t width) {
  std::vector<std::string> lines(1);
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::string& line = lines.back();
    if (!line.empty() && width_of(line) + 1 + width_of(word) > width) {
      lines.push_back(word);
    } else {
      line += (line.empty() ? "" : " ") + word;
    }
  }
  return lines;
}

std::string padded(const std::string& text, size_t width, bool right) {
  const std::string blanks(width - std::min(width, width_of(text)), ' ');
  return right ? blanks + text : text + blanks;
}

std::string trimmed(const std::string& line) { return line.substr(0, line.find_last_not_of(' ') + 1) + "\n"; }

std::string text_table(const SheetTable& table, const TableOptions& options) {
  const std::vector<size_t> columns = titled(table);
  std::vector<size_t> widths;
  size_t before_last = 0;
  for (const size_t c : columns) {
    size_t width = width_of(table.columns[c].title);
    for (const auto& row : table.rows) width = std::max(width, width_of(shown(row[c])));
    widths.push_back(width);
    if (c != columns.back()) before_last += width + 2;
  }
  const auto limit = static_cast<size_t>(std::max(options.width, 0));
  const bool wraps = limit > 0 && !table.columns[columns.back()].right;
  const size_t last = wraps ? std::max(limit > before_last ? limit - before_last : 0, kLeastLastColumn) : widths.back();
  const auto add = [&](const std::vector<std::string>& cells, std::string* out) {
    std::string line;
    for (size_t i = 0; i + 1 < columns.size(); ++i) {
      line += padded(cells[i], widths[i], table.columns[columns[i]].right) + "  ";
    }
    const std::vector<std::string> parts = wraps ? wrapped(cells.back(), last) : std::vector<std::string>{cells.back()};
    *out += trimmed(line + padded(parts[0], wraps ? 0 : last, table.columns[columns.back()].right));
    for (size_t p = 1; p < parts.size(); ++p) *out += std::string(before_last, ' ') + parts[p] + "\n";
  };
  std::string out;
  std::vector<std::string> titles;
  titles.reserve(columns.size());
  for (const size_t c : columns) titles.push_back(table.columns[c].title);
  if (options.color) out += "\033[1m";
  add(titles, &out);
  if (options.color) out += "\033[0m";
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    cells.reserve(columns.size());
    for (const size_t c : columns) cells.push_back(shown(row[c]));
    add(cells, &out);
  }
  return out;
}

std::string text_sheet(const Sheet& sheet, const TableOptions& options) {
  std::string out;
  for (const SheetTable& table : sheet.tables) {
    if (table.rows.empty()) continue;
    if (!out.empty()) out += "\n";
    if (!table.title.empty()) out += table.title + "\n";
    out += text_table(table, options);
  }
  if (!sheet.notes.empty()) out += "\n";
  const size_t width = options.width > 0 ? static_cast<size_t>(options.width) : SIZE_MAX;
  for (const std::string& note : sheet.notes) {
    bool first = true;
    for (const std::string& line : wrapped(note, width - 2)) {
      out.append(first ? "- " : "  ").append(line).append("\n");
      first = false;
    }
  }
  return out;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '*') out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

std::string markdown_table(const SheetTable& table) {
  std::string head = "|", rule = "|", body;
  for (const size_t c : titled(table)) {
    head += " " + escaped(table.columns[c].title) + " |";
    rule += table.columns[c].right ? "---:|" : "---|";
  }
  for (const auto& row : table.rows) {
    body += "|";
    for (const size_t c : titled(table)) body += " " + escaped(shown(row[c])) + " |";
    body += "\n";
  }
  return head + "\n" + rule + "\n" + body;
}

std::string markdown_sheet(const Sheet& sheet) {
  std::string out;
  for (const SheetTable& table : sheet.tables) {
    if (table.rows.empty()) continue;
    if (!table.title.empty()) out += "**" + escaped(table.title) + "**\n\n";
    out += markdown_table(table) + "\n";
  }
  for (const std::string& note : sheet.notes) out += "- " + escaped(note) + "\n";
  return out;
}

std::string number_of(double value) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return {text, end};
}

std::string raw_field(const SheetCell& cell) {
  if (!cell.number) return csv_field(cell.text, false);
  return std::isfinite(*cell.number) ? number_of(*cell.number) : "";
}

std::string csv_sheet(const Sheet& sheet) {
  if (sheet.tables.empty()) return "";
  const SheetTable& table = sheet.tables.front();
  std::string out;
  for (size_t c = 0; c < table.columns.size(); ++c) out += (c == 0 ? "" : ",") + table.columns[c].name;
  out += "\r\n";
  for (const auto& row : table.rows) {
    for (size_t c = 0; c < row.size(); ++c) out += (c == 0 ? "" : ",") + raw_field(row[c]);
    out += "\r\n";
  }
  return out;
}

nlohmann::ordered_json raw_of(const SheetCell& cell) {
  if (cell.number) return std::isfinite(*cell.number) ? nlohmann::ordered_json(*cell.number) : nlohmann::ordered_json();
  return cell.text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(cell.text);
}

std::string json_sheet(const Sheet& sheet) {
  nlohmann::ordered_json out;
  for (const SheetTable& table : sheet.tables) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& row : table.rows) {
      nlohmann::ordered_json item;
      for (size_t c = 0; c < row.size(); ++c) item[table.columns[c].name] = raw_of(row[c]);
      list.push_back(std::move(item));
    }
    out[table.name] = std::move(list);
  }
  out["notes"] = sheet.notes;
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string render_sheet(const Sheet& sheet, TableFormat format, const TableOptions& options) {
  switch (format) {
    case TableFormat::kMarkdown:
      return markdown_sheet(sheet);
    case TableFormat::kCsv:
      return csv_sheet(sheet);
    case TableFormat::kJson:
      return json_sheet(sheet);
    case TableFormat::kText:
      break;
  }
  return text_sheet(sheet, options);
}

}  // namespace assay
