#include "reports/tables.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "reports/cells.h"
#include "reports/csv.h"
#include "reports/text.h"
#include "suites/base/visible.h"

namespace assay {
namespace {

constexpr int kRankOfOneBasis = 2;  // behind all but the interval

std::string text_table(const std::vector<Record>& records, const std::vector<Metrics>& all,
                       const TableOptions& options) {
  if (records.empty()) return "no records\n";
  TableCells cells = table_cells(records, all);
  for (auto& row : cells.rows) {
    for (std::string& cell : row) cell = visible(cell);
  }
  std::vector<FitColumn> widths;
  for (size_t c = 0; c < cells.columns.size(); ++c) {
    FitColumn column{cells.columns[c].title, display_width(cells.columns[c].title), cells.columns[c].drop_rank, true};
    for (const auto& row : cells.rows) {
      column.width = std::max(column.width, display_width(row[c]));
      column.empty = column.empty && row[c] == kAbsent;
    }
    // One basis of all rows is named where its column goes; several need it.
    const auto same = [&](const auto& row) { return row[c] == cells.rows.front()[c]; };
    if (column.title == "basis" && std::all_of(cells.rows.begin(), cells.rows.end(), same)) {
      column.title += " (" + cells.rows.front()[c] + ")";
      column.drop_rank = kRankOfOneBasis;
    }
    widths.push_back(std::move(column));
  }
  std::string left_out;
  const std::vector<size_t> shown = fitting(widths, options.width, &left_out);
  std::vector<GridColumn> columns;
  columns.reserve(shown.size());
  for (const size_t c : shown) columns.push_back({cells.columns[c].title, cells.columns[c].right});
  GridRows rows;
  rows.reserve(cells.rows.size());
  for (const auto& row : cells.rows) {
    rows.emplace_back();
    for (const size_t c : shown) rows.back().push_back(row[c]);
  }
  std::string out = text_grid(columns, rows, options.color) + "\n";
  for (const std::string& note : cells.notes) out += visible(note) + "\n";
  if (!left_out.empty()) out += "left out, the terminal is narrow: " + left_out + "\n";
  return out;
}

std::string markdown_table(const std::vector<Record>& records, const std::vector<Metrics>& all) {
  const TableCells cells = table_cells(records, all);
  std::vector<GridColumn> columns;
  columns.reserve(cells.columns.size());
  for (const Column& c : cells.columns) columns.push_back({c.title, c.right});
  std::string out = markdown_grid(columns, cells.rows) + "\n";
  for (const std::string& note : cells.notes) out += markdown_item(note);
  return out;
}

std::string csv_table(const std::vector<Record>& records, const std::vector<Metrics>& all) {
  std::string out;
  for (const RawValue& v : raw_values(Record{}, Metrics{})) out.append(out.empty() ? "" : ",").append(v.name);
  out += "\r\n";
  for (size_t i = 0; i < records.size(); ++i) {
    std::string line;
    for (const RawValue& v : raw_values(records[i], all[i]))
      line.append(v.name == "case" ? "" : ",").append(csv_field(v.text, v.number));
    out += line + "\r\n";
  }
  return out;
}

std::string json_table(const std::vector<Record>& records, const std::vector<Metrics>& all) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (size_t i = 0; i < records.size(); ++i) {
    nlohmann::ordered_json row;
    for (const RawValue& v : raw_values(records[i], all[i])) {
      if (!v.number) {
        row[v.name] = v.text;
      } else {
        row[v.name] = v.text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json::parse(v.text);
      }
    }
    list.push_back(std::move(row));
  }
  return list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

// Of several products: the chips of a case below one another. Of one as given.
std::vector<Record> in_order(const std::vector<Record>& records) {
  std::vector<Record> out = records;
  const auto other = [&](const Record& r) { return r.device_product != out.front().device_product; };
  if (std::none_of(out.begin(), out.end(), other)) return out;
  std::stable_sort(out.begin(), out.end(), [](const Record& a, const Record& b) {
    return std::tie(a.case_id, a.device_product) < std::tie(b.case_id, b.device_product);
  });
  return out;
}

}  // namespace

std::string render_table(const std::vector<Record>& given, TableFormat format, const TableOptions& options) {
  const std::vector<Record> records = in_order(given);
  std::vector<Metrics> all;
  all.reserve(records.size());
  for (const Record& r : records) all.push_back(metrics(r));
  switch (format) {
    case TableFormat::kMarkdown:
      return markdown_table(records, all);
    case TableFormat::kCsv:
      return csv_table(records, all);
    case TableFormat::kJson:
      return json_table(records, all);
    case TableFormat::kText:
      break;
  }
  return text_table(records, all, options);
}

}  // namespace assay
