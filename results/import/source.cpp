#include "results/import/source.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "suites/base/hash.h"

namespace assay::import {

Record begin_record(const Source& source, const char* format, const std::string& producer, const std::string& place) {
  Record r;
  r.basis = "reported";
  r.status = "ok";
  r.numerics.reason = "reported: outputs were not checked here";
  r.energy.reason = "the source states none";
  r.ceiling.reason = "reported: nothing was measured beside it";
  r.stop.reason = "reported";
  Reported& reported = r.reported.emplace();
  reported.format = format;
  reported.producer = producer;
  reported.source_file = source.file;
  reported.source_xxh3 = source.xxh3;
  reported.source_place = place;
  return r;
}

void set_case(Record* record, const std::string& suite, const std::string& name,
              const std::map<std::string, std::string>& facts) {
  nlohmann::json out = {{"suite", suite}};
  for (const auto& [key, value] : facts) {
    if (!value.empty()) out[key] = value;
  }
  record->suite = suite;
  record->case_id = suite + "/" + name;
  record->case_json = out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  record->case_hash = xxh3_128_hex(record->case_json);
}

void add_figure(Record* record, const std::string& name, const std::string& unit, const std::string& statistic,
                const std::string& definition, const std::string& source_field, double value,
                std::optional<uint64_t> n) {
  record->reported->figures.push_back({name, unit, statistic, definition, source_field, value, {}, {}, n});
}

void state(Record* record, const std::string& name, const std::string& value) {
  if (!value.empty()) record->reported->stated[name] = value;
}

std::string text_or_empty(const JsonNode& object, const char* name) {
  const JsonNode node = object.find(name);
  if (!node.present()) return "";
  std::string json = node.canonical();
  if (json.empty() || json.front() != '"') return json;
  return node.text(1 << 14);
}

std::optional<double> positive(const JsonNode& object, const char* name, double max) {
  const JsonNode node = object.find(name);
  if (!node.present()) return std::nullopt;
  const double value = node.number(0, max);
  if (value > 0) return value;
  node.fail_expected("a number over 0");
  return std::nullopt;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

Error line_error(const Source& source, size_t line, const std::string& message) {
  return bad_input(source.where + ": line " + std::to_string(line) + ": " + message);
}

Result<std::vector<CsvRow>> parse_csv(const Source& source) {
  std::vector<CsvRow> rows;
  CsvRow row{1, {}};
  std::string field;
  size_t line = 1;
  bool quoted = false;
  const auto end_row = [&] {
    row.fields.push_back(std::move(field));
    field.clear();
    if (row.fields.size() > 1 || !row.fields[0].empty()) rows.push_back(std::move(row));
    row = {line, {}};
  };
  const std::string& text = source.text;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += text[++i];
      } else if (i + 1 < text.size() && std::string_view(",\r\n").find(text[i + 1]) == std::string_view::npos) {
        return line_error(source, row.line, "a quote within a quoted field; write it twice");
      } else {
        quoted = false;
      }
    } else if (c == '"' && field.empty()) {
      quoted = true;
    } else if (c == ',') {
      row.fields.push_back(std::move(field));
      field.clear();
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      field += c;
    }
  }
  if (quoted) return line_error(source, row.line, "a quote that never closes");
  if (!field.empty() || !row.fields.empty()) end_row();
  return rows;
}

}  // namespace assay::import
