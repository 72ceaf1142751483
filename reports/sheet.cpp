#include "reports/sheet.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/csv.h"
#include "reports/text.h"
#include "suites/base/visible.h"

namespace assay {
namespace {

constexpr const char* kAbsentCell = "–";
constexpr size_t kLeastLastColumn = 24;

std::string shown(const SheetCell& cell) { return cell.text.empty() ? kAbsentCell : visible(cell.text); }

// Columns with a title, by their place.
std::vector<size_t> titled(const SheetTable& table) {
  std::vector<size_t> out;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    if (!table.columns[c].title.empty()) out.push_back(c);
  }
  return out;
}

size_t width_of(const SheetTable& table, size_t c) {
  size_t width = display_width(table.columns[c].title);
  for (const auto& row : table.rows)
    width = std::max({width, display_width(shown(row[c])), display_width(row[c].below)});
  return width;
}

// The titled columns that fit; `below` says what the others had, if anything.
std::vector<size_t> fitting_columns(const SheetTable& table, int limit, std::vector<std::string>* below) {
  const std::vector<size_t> all = titled(table);
  std::vector<FitColumn> fit;
  for (const size_t c : all) {
    const SheetColumn& column = table.columns[c];
    const auto absent = [c](const std::vector<SheetCell>& row) { return row[c].text.empty(); };
    const bool wraps = c == all.back() && !column.right;
    const bool same = std::all_of(table.rows.begin(), table.rows.end(),
                                  [&](const auto& row) { return row[c].text == table.rows.front()[c].text; });
    const std::string value = same && !wraps && !table.rows.empty() ? table.rows.front()[c].text : "";
    fit.push_back({column.title + (value.empty() ? "" : " (" + value + ")"),
                   wraps ? std::min(width_of(table, c), kLeastLastColumn) : width_of(table, c), column.drop_rank,
                   std::all_of(table.rows.begin(), table.rows.end(), absent)});
  }
  std::string left_out;
  std::vector<size_t> columns;
  for (const size_t i : fitting(fit, limit, &left_out)) columns.push_back(all[i]);
  if (!left_out.empty()) below->push_back("left out, the terminal is narrow: " + left_out);
  if (columns.back() == all.back()) return columns;
  for (const auto& row : table.rows) {
    std::string line;  // names the row by its columns up to the first of figures
    for (const size_t c : columns) {
      if (table.columns[c].right) break;
      line.append(line.empty() ? "" : ", ").append(row[c].text);
    }
    line.append(": ").append(row[all.back()].text);
    if (!row[all.back()].text.empty() && std::find(below->begin(), below->end(), line) == below->end())
      below->push_back(line);
  }
  return columns;
}

std::string text_notes(const std::vector<std::string>& notes, const TableOptions& options);

std::string text_table(const SheetTable& table, const TableOptions& options) {
  std::vector<std::string> notes;
  const std::vector<size_t> columns = fitting_columns(table, options.width, &notes);
  std::vector<size_t> widths;
  size_t before_last = 0;
  for (const size_t c : columns) {
    widths.push_back(width_of(table, c));
    if (c != columns.back()) before_last += widths.back() + 2;
  }
  const auto limit = static_cast<size_t>(std::max(options.width, 0));
  const bool wraps = limit > 0 && !table.columns[columns.back()].right;
  const size_t last = wraps ? std::max(limit > before_last ? limit - before_last : 0, kLeastLastColumn) : widths.back();
  // As many lines as the last cell wraps into, at least two where a cell has something below.
  const auto add = [&](const std::vector<std::string>& cells, const std::vector<std::string>& below, std::string* out) {
    const bool two = std::any_of(below.begin(), below.end(), [](const std::string& text) { return !text.empty(); });
    std::vector<std::string> parts = wraps ? wrap(cells.back(), last) : std::vector<std::string>{cells.back()};
    if (two && parts.size() < 2) parts.push_back(below.back());
    for (size_t p = 0; p < parts.size(); ++p) {
      std::string line;
      for (size_t i = 0; i + 1 < columns.size(); ++i) {
        const std::string text = p == 0 ? cells[i] : p == 1 && two ? below[i] : "";
        line += padded(text, widths[i], table.columns[columns[i]].right) + "  ";
      }
      *out += line_of(line + padded(parts[p], wraps ? 0 : last, table.columns[columns.back()].right));
    }
  };
  std::string out;
  std::vector<std::string> titles;
  titles.reserve(columns.size());
  for (const size_t c : columns) titles.push_back(table.columns[c].title);
  if (options.color) out += "\033[1m";
  add(titles, {}, &out);
  if (options.color) out += "\033[0m";
  for (const auto& row : table.rows) {
    std::vector<std::string> cells, below;
    cells.reserve(columns.size());
    below.reserve(columns.size());
    for (const size_t c : columns) {
      cells.push_back(shown(row[c]));
      below.push_back(visible(row[c].below));
    }
    add(cells, below, &out);
  }
  return out + text_notes(notes, options);
}

std::string text_notes(const std::vector<std::string>& notes, const TableOptions& options) {
  const size_t width = options.width > 0 ? static_cast<size_t>(options.width) : SIZE_MAX;
  std::string out;
  for (const std::string& note : notes) {
    bool first = true;
    for (const std::string& line : wrap(note, width - 2)) {
      out.append(first ? "- " : "  ").append(line).append("\n");
      first = false;
    }
  }
  return out;
}

std::string text_sheet(const Sheet& sheet, const TableOptions& options) {
  std::string out;
  for (const SheetTable& table : sheet.tables) {
    if (table.rows.empty()) continue;
    if (!out.empty()) out += "\n";
    if (!table.title.empty()) out += visible(table.title) + "\n";
    out += text_table(table, options) + text_notes(table.notes, options);
  }
  if (!sheet.notes.empty()) out += "\n";
  return out + text_notes(sheet.notes, options);
}

std::string markdown_table(const SheetTable& table) {
  std::vector<GridColumn> columns;
  for (const size_t c : titled(table)) columns.push_back({table.columns[c].title, table.columns[c].right});
  GridRows rows;
  for (const auto& row : table.rows) {
    rows.emplace_back();
    for (const size_t c : titled(table)) {
      rows.back().push_back(shown(row[c]) + (row[c].below.empty() ? "" : " (" + row[c].below + ")"));
    }
  }
  return markdown_grid(columns, rows);
}

std::string markdown_notes(const std::vector<std::string>& notes) {
  std::string out;
  for (const std::string& note : notes) out += markdown_item(note);
  return out;
}

std::string markdown_sheet(const Sheet& sheet) {
  std::string out;
  for (const SheetTable& table : sheet.tables) {
    if (table.rows.empty()) continue;
    if (!table.title.empty()) out += "**" + markdown_escaped(table.title) + "**\n\n";
    out += markdown_table(table) + "\n" + markdown_notes(table.notes);
    if (!table.notes.empty()) out += "\n";
  }
  return out + markdown_notes(sheet.notes);
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

std::string csv_rows(const SheetTable& table) {
  std::string out;
  for (const auto* rows : {&table.rows, &table.csv_rows}) {
    for (const auto& row : *rows) {
      for (size_t c = 0; c < row.size(); ++c) out += (c == 0 ? "" : ",") + raw_field(row[c]);
      out += "\r\n";
    }
  }
  return out;
}

std::string csv_head(const SheetTable& table) {
  std::string out;
  for (size_t c = 0; c < table.columns.size(); ++c) out += (c == 0 ? "" : ",") + table.columns[c].name;
  return out + "\r\n";
}

nlohmann::ordered_json raw_of(const SheetCell& cell) {
  if (cell.number) return std::isfinite(*cell.number) ? nlohmann::ordered_json(*cell.number) : nlohmann::ordered_json();
  return cell.text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(cell.text);
}

void append_rows(const SheetTable& table, nlohmann::ordered_json* list) {
  for (const auto& row : table.rows) {
    nlohmann::ordered_json item;
    for (size_t c = 0; c < row.size(); ++c) item[table.columns[c].name] = raw_of(row[c]);
    list->push_back(std::move(item));
  }
}

std::string json_text(const nlohmann::ordered_json& value) {
  return value.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string json_sheet(const Sheet& sheet) {
  nlohmann::ordered_json out;
  for (const SheetTable& table : sheet.tables) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    append_rows(table, &list);
    out[table.name] = std::move(list);
  }
  out["notes"] = sheet.notes;
  return json_text(out);
}

}  // namespace

std::string render_sheet(const Sheet& sheet, TableFormat format, const TableOptions& options) {
  switch (format) {
    case TableFormat::kMarkdown:
      return markdown_sheet(sheet);
    case TableFormat::kCsv:
      return sheet.tables.empty() ? "" : csv_head(sheet.tables.front()) + csv_rows(sheet.tables.front());
    case TableFormat::kJson:
      return json_sheet(sheet);
    case TableFormat::kText:
      break;
  }
  return text_sheet(sheet, options);
}

std::string render_like_tables(const std::vector<SheetTable>& tables, TableFormat format, const TableOptions& options) {
  if (format == TableFormat::kCsv) {
    std::string out = tables.empty() ? "" : csv_head(tables.front());
    for (const SheetTable& table : tables) out += csv_rows(table);
    return out;
  }
  if (format == TableFormat::kJson) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const SheetTable& table : tables) append_rows(table, &list);
    return json_text(list);
  }
  return render_sheet({tables, {}}, format, options);
}

}  // namespace assay
