// What the importers share: the file read, the record begun, and numbers checked as they come in.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/record.h"
#include "suites/base/json_input.h"
#include "suites/base/result.h"

namespace assay::import {

struct Source {
  std::string where;  // the path as given; begins every message
  std::string file;   // base name
  std::string xxh3;
  std::string text;
};

struct Importer {
  const char* name;
  const char* title;
  // Whether the content looks like this format. `root` is absent where the text is no JSON.
  bool (*claims)(const Source& source, const JsonNode& root);
  Result<std::vector<Record>> (*read)(const Source& source);
};

// One per format.
Importer mlperf_summary_importer();
Importer mlperf_table_importer();  // the submission checker's CSV
Importer mlperf_log_summary_importer();
Importer mlperf_log_detail_importer();
Importer inferencex_importer();
Importer vllm_serve_importer();
Importer llama_bench_importer();
Importer google_benchmark_importer();

// Bounds beyond which a figure is no measurement but a broken file.
inline constexpr double kMaxRate = 1e15, kMaxSeconds = 1e8, kMaxCount = 1e15;

// A record with basis "reported" that knows its source; `place` within the file, "" for the whole.
Record begin_record(const Source& source, const char* format, const std::string& producer, const std::string& place);
// What makes two sources' figures comparable: the facts of the work. Gives case, case_hash and case_id
// (suite/name); `facts` that are empty are left out.
void set_case(Record* record, const std::string& suite, const std::string& name,
              const std::map<std::string, std::string>& facts);
void add_figure(Record* record, const std::string& name, const std::string& unit, const std::string& statistic,
                const std::string& definition, const std::string& source_field, double value,
                std::optional<uint64_t> n = std::nullopt);
// A fact in the source's own words; "" is not kept.
void state(Record* record, const std::string& name, const std::string& value);

// The member as the text a reader would see: text as it is, number or boolean in JSON; "" where absent or null.
std::string text_or_empty(const JsonNode& object, const char* name);
// A number of (0, max]; a member that is there and anything else is a fault of the document.
std::optional<double> positive(const JsonNode& object, const char* name, double max);

// The whole text as a number, without spaces around it; none where it is something else or not finite.
std::optional<double> parse_number(std::string_view text);
// Lines without their ends ("\n" or "\r\n").
std::vector<std::string_view> split_lines(std::string_view text);
std::string_view trimmed(std::string_view text);
// "where: line N: message", kBadInput.
Error line_error(const Source& source, size_t line, const std::string& message);

// RFC 4180: rows of fields, each with the line that it begins on. A quote that never closes is an error.
struct CsvRow {
  size_t line = 0;
  std::vector<std::string> fields;
};
Result<std::vector<CsvRow>> parse_csv(const Source& source);

}  // namespace assay::import
