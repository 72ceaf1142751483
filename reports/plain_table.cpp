#include "reports/plain_table.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "reports/csv.h"

namespace assay {
namespace {

constexpr const char* kBold = "\033[1m";
constexpr const char* kPlain = "\033[0m";

size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string text_of(const PlainTable& t, const TableOptions& options) {
  std::vector<size_t> widths;
  for (size_t c = 0; c < t.columns.size(); ++c) {
    size_t width = width_of(t.columns[c].title);
    for (const auto& row : t.rows) width = std::max(width, width_of(row[c].text));
    widths.push_back(width);
  }
  const auto line = [&](const auto& cell) {
    std::string out;
    for (size_t c = 0; c < widths.size(); ++c) {
      const std::string text = cell(c);
      const std::string blanks(widths[c] - std::min(widths[c], width_of(text)), ' ');
      out += (c == 0 ? "" : "  ") + (t.columns[c].right ? blanks + text : text + blanks);
    }
    return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  };
  std::string out = (options.color ? kBold : "") + t.title + (options.color ? kPlain : "") + "\n";
  out += line([&](size_t c) { return t.columns[c].title; });
  for (const auto& row : t.rows) out += line([&](size_t c) { return row[c].text; });
  for (const std::string& note : t.notes) out += note + "\n";
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

std::string markdown_of(const PlainTable& t) {
  std::string head = "|", rule = "|", body;
  for (const PlainColumn& c : t.columns) {
    head += " " + c.title + " |";
    rule += c.right ? "---:|" : "---|";
  }
  for (const auto& row : t.rows) {
    body += "|";
    for (const PlainCell& cell : row) body += " " + escaped(cell.text) + " |";
    body += "\n";
  }
  std::string out = "**" + escaped(t.title) + "**\n\n" + head + "\n" + rule + "\n" + body + "\n";
  for (const std::string& note : t.notes) out += "- " + escaped(note) + "\n";
  return out;
}

std::string csv_of(const std::vector<PlainTable>& tables) {
  std::string out;
  if (tables.empty()) return out;
  for (const PlainColumn& c : tables[0].columns) out.append(out.empty() ? "" : ",").append(c.name);
  out += "\r\n";
  for (const PlainTable& t : tables) {
    for (const auto& row : t.rows) {
      for (size_t c = 0; c < row.size(); ++c)
        out.append(c == 0 ? "" : ",").append(csv_field(row[c].raw, row[c].number));
      out += "\r\n";
    }
  }
  return out;
}

std::string json_of(const std::vector<PlainTable>& tables) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const PlainTable& t : tables) {
    for (const auto& row : t.rows) {
      nlohmann::ordered_json object;
      for (size_t c = 0; c < row.size(); ++c) {
        const PlainCell& cell = row[c];
        nlohmann::ordered_json& value = object[t.columns[c].name];
        if (cell.raw.empty()) continue;
        value = cell.number ? nlohmann::ordered_json::parse(cell.raw) : nlohmann::ordered_json(cell.raw);
      }
      list.push_back(std::move(object));
    }
  }
  return list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

PlainCell text_cell(const std::string& text) { return {text, text, false}; }

PlainCell number_cell(const std::string& text, double raw) {
  char digits[40];
  return {text, std::string(digits, std::to_chars(digits, digits + sizeof(digits), raw).ptr), true};
}

PlainCell absent_cell() { return {"\u2013", "", true}; }

std::string render_plain(const std::vector<PlainTable>& tables, TableFormat format, const TableOptions& options) {
  if (format == TableFormat::kCsv) return csv_of(tables);
  if (format == TableFormat::kJson) return json_of(tables);
  std::string out;
  for (const PlainTable& t : tables) {
    out += out.empty() ? "" : "\n";
    out += format == TableFormat::kMarkdown ? markdown_of(t) : text_of(t, options);
  }
  return out;
}

}  // namespace assay
