// Published MLPerf Inference results: summary_results.json of a round's results repository, and the summary.csv of the
// submission checker. One record per entry.
#include <algorithm>

#include "results/import/source.h"

namespace assay::import {
namespace {

constexpr char kJsonName[] = "mlperf-results", kCsvName[] = "mlperf-results-csv";

// One entry, by the JSON's names; the CSV's columns are translated into them.
using Entry = std::map<std::string, std::string>;

struct Translation {
  const char *csv, *json;
};
constexpr Translation kColumns[] = {{"Organization", "Submitter"},
                                    {"Division", "Category"},
                                    {"SystemType", "Suite"},
                                    {"SystemName", "System"},
                                    {"MlperfModel", "UsedModel"},
                                    {"Result", "Performance_Result"},
                                    {"Units", "Performance_Units"},
                                    {"number_of_nodes", "Nodes"},
                                    {"host_processor_model_name", "Processor"},
                                    {"host_processors_per_node", "host_processors_per_node"},
                                    {"accelerator_model_name", "Accelerator"},
                                    {"accelerators_per_node", "a#"},
                                    {"framework", "Software"},
                                    {"notes", "Notes"}};

constexpr const char* kLanguageModels[] = {"llama", "gptj", "mixtral", "deepseek", "gpt-oss", "qwen"};

std::string field(const Entry& entry, const char* name) {
  const auto found = entry.find(name);
  return found == entry.end() ? "" : found->second;
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// Since round v4.1 the rules give language models tokens per second, and the checker of that round went on to print
// the unit of the scenario beside it.
bool unit_is_doubtful(const Entry& entry, const std::string& unit) {
  if (unit != "samples/s" && unit != "queries/s") return false;
  const std::string model = lower(field(entry, "UsedModel")), version = field(entry, "version");
  const double round = version.size() > 1 ? parse_number(std::string_view(version).substr(1)).value_or(0) : 0;
  if (round < 4.1) return false;
  return std::any_of(std::begin(kLanguageModels), std::end(kLanguageModels),
                     [&](const char* family) { return contains(model, family); });
}

// The figure that a power result is in each of the units of MLPerf's power rules: watts are the mean power of the whole
// system at the wall; millijoules what a query, or one stream of it, took there.
struct PowerUnit {
  const char *name, *figure, *unit, *definition;
  double scale;
};
constexpr PowerUnit kPowerUnits[] = {{"watts", "power", "W", "mlperf-power/mean-of-system", 1},
                                     {"millijoules", "energy_per_query", "J", "mlperf-power/per-query", 1e-3},
                                     {"millijoules/stream", "energy_per_stream", "J", "mlperf-power/per-stream", 1e-3}};

// Of a unit in lower case.
const PowerUnit* power_unit(const std::string& unit) {
  const auto* found = std::find_if(std::begin(kPowerUnits), std::end(kPowerUnits),
                                   [&](const PowerUnit& known) { return unit == known.name; });
  return found == std::end(kPowerUnits) ? nullptr : found;
}

bool names_power(const std::string& unit) { return contains(unit, "watt") || contains(unit, "joule"); }

std::string no_power_unit(const char* field_name, const std::string& stated) {
  return std::string(field_name) + " is " + stated + ", none of the power rules";
}

void add_power(const PowerUnit& unit, const char* source_field, double value, Record* r) {
  r->energy.reason = "stands among the reported figures";
  add_figure(r, unit.figure, unit.unit, "mean", unit.definition, source_field, value * unit.scale);
}

// The report of a round merges the rows of performance and of power: Power_Units says what Power_Result is.
void add_power_result(const JsonNode& row, const Entry& entry, Record* r) {
  const std::optional<double> value = positive(row, "Power_Result", kMaxRate);
  if (!value) return;
  const std::string unit = lower(field(entry, "Power_Units"));
  if (unit.empty()) {
    r->warnings.emplace_back("Power_Result has no Power_Units: it stands as the source states it, and is no figure");
    return;
  }
  const PowerUnit* known = power_unit(unit);
  if (known == nullptr) {
    r->warnings.push_back(no_power_unit("Power_Units", field(entry, "Power_Units")) +
                          ": Power_Result stands as stated, and is no figure");
    return;
  }
  const std::string scenario = lower(field(entry, "Scenario"));
  const bool stream = scenario == "singlestream" || scenario == "multistream";
  if (stream == (unit == "watts")) {
    r->warnings.push_back("the power rules give " + field(entry, "Scenario") + " another unit than " +
                          field(entry, "Power_Units") + "; the figure is by the unit stated");
  }
  add_power(*known, "Power_Result", *value, r);
  const ReportedFigure& rate = r->reported->figures.front();
  if (unit == "watts" && rate.unit == "tokens/s") {
    add_figure(r, "energy_per_token", "J", "mean", "mlperf-power/per-token", "Power_Result / Performance_Result",
               *value / rate.value);
  }
}

void add_result(const Entry& entry, const std::string& stated_unit, const char* source_field, double value, Record* r) {
  const std::string unit = lower(stated_unit);
  if (const PowerUnit* power = power_unit(unit)) {
    add_power(*power, source_field, value, r);
  } else if (names_power(unit)) {
    r->warnings.push_back(no_power_unit("the unit", stated_unit) + ": the figure stands as stated");
    add_figure(r, "result", stated_unit, "total", "mlperf-result/as-stated", source_field, value);
  } else if (contains(unit, "ms")) {
    add_figure(r, "latency", "s", "estimate", "mlperf-result/latency", source_field, value / 1e3);
  } else if (unit_is_doubtful(entry, unit)) {
    r->warnings.push_back("the source gives this language model in " + stated_unit +
                          "; since round v4.1 the rules give it in tokens/s");
    add_figure(r, "result", unit, "total", "mlperf-result/unit-doubtful", source_field, value);
  } else {
    const std::string name = unit == "tokens/s" ? "output_tokens_per_s" : "result";
    add_figure(r, name, unit, "total", "mlperf-result/as-stated", source_field, value);
  }
}

void fill(const Entry& entry, Record* r) {
  r->tier = "request";
  r->model = field(entry, "UsedModel").empty() ? field(entry, "Model") : field(entry, "UsedModel");
  r->dtype = lower(field(entry, "weight_data_types"));
  r->device = field(entry, "System");
  r->device_product = field(entry, "Accelerator").empty() ? field(entry, "Processor") : field(entry, "Accelerator");
  r->reported->producer_version = field(entry, "version");
  const std::string name = r->model + "/" + field(entry, "Scenario") + "/" + field(entry, "Category");
  set_case(r, "mlperf-inference", name,
           {{"model", r->model},
            {"scenario", field(entry, "Scenario")},
            {"category", field(entry, "Category")},
            {"suite", field(entry, "Suite")},
            {"version", field(entry, "version")}});
  for (const auto& [key, value] : entry) {
    if (key != "Performance_Result" && key != "Performance_Units") state(r, key, value);
  }
  const std::string errors = field(entry, "errors");
  if (!errors.empty() && errors != "0") {
    r->status = "failed";
    r->reason = "the source counts " + errors + " errors of the submission";
  }
}

bool claims_json(const Source& source, const JsonNode& root) {
  if (!root.present() || root.is_object()) return false;
  if (source.text.find_first_of('[') != source.text.find_first_not_of(" \t\r\n")) return false;
  const std::vector<JsonNode> items = root.items();
  return !items.empty() && items[0].has("Submitter") && items[0].has("Performance_Result");
}

Result<std::vector<Record>> read_json(const Source& source) {
  JsonInput input(source.text, source.where);
  std::vector<Record> records;
  for (const JsonNode& row : input.root().items(1, 1 << 20)) {
    const std::string place = "[" + std::to_string(records.size()) + "]";
    Record r = begin_record(source, kJsonName, "MLPerf Inference", place);
    for (const char* needed : {"Submitter", "Scenario", "Category", "version", "Performance_Units"}) {
      (void)row.at(needed).text();
    }
    if (!row.has("UsedModel") && !row.has("Model")) row.at("Model").fail_expected("the model's name");
    Entry entry;
    for (const auto& [name, node] : row.members()) entry[name] = text_or_empty(row, name.c_str());
    (void)row.at("Performance_Result").number();
    const std::optional<double> value = positive(row, "Performance_Result", kMaxRate);
    add_result(entry, field(entry, "Performance_Units"), "Performance_Result", value.value_or(0), &r);
    if (row.has("Power_Result")) add_power_result(row, entry, &r);
    fill(entry, &r);
    records.push_back(std::move(r));
    if (!input.ok()) break;
  }
  if (!input.ok()) return input.error();
  return records;
}

bool claims_csv(const Source& source, const JsonNode& /*root*/) {
  const std::string head = source.text.substr(0, source.text.find('\n'));
  return contains(head, "Organization,") && contains(head, "MlperfModel") && contains(head, "Scenario");
}

Result<std::vector<Record>> read_csv(const Source& source) {
  const Result<std::vector<CsvRow>> rows = parse_csv(source);
  if (!rows.ok()) return rows.error();
  if (rows->empty()) return bad_input(source.where + ": expected a heading, found nothing");
  std::vector<std::string> head = (*rows)[0].fields;
  for (std::string& name : head) {
    for (const Translation& t : kColumns) {
      if (name == t.csv) name = t.json;
    }
  }
  for (const char* needed : {"Submitter", "Category", "System", "UsedModel", "Scenario", "Performance_Result",
                             "Performance_Units", "version"}) {
    if (std::find(head.begin(), head.end(), needed) == head.end()) {
      return line_error(source, 1, std::string("expected a column for ") + needed + ", found none");
    }
  }
  std::vector<Record> records;
  for (size_t i = 1; i < rows->size(); ++i) {
    const CsvRow& row = (*rows)[i];
    if (row.fields.size() != head.size()) {
      return line_error(
          source, row.line,
          "expected " + std::to_string(head.size()) + " fields, found " + std::to_string(row.fields.size()));
    }
    Entry entry;
    for (size_t c = 0; c < head.size(); ++c) entry[head[c]] = row.fields[c];
    const std::optional<double> value = parse_number(field(entry, "Performance_Result"));
    if (!value || *value <= 0 || *value > kMaxRate) {
      return line_error(source, row.line,
                        "Result: expected a number over 0, found '" + field(entry, "Performance_Result") + "'");
    }
    Record r = begin_record(source, kCsvName, "MLPerf Inference", "line " + std::to_string(row.line));
    add_result(entry, field(entry, "Performance_Units"), "Result", *value, &r);
    fill(entry, &r);
    records.push_back(std::move(r));
  }
  return records;
}

}  // namespace

Importer mlperf_summary_importer() {
  return {kJsonName, "MLPerf Inference: summary_results.json of a published round", claims_json, read_json};
}

Importer mlperf_table_importer() {
  return {kCsvName, "MLPerf Inference: summary.csv of the submission checker", claims_csv, read_csv};
}

}  // namespace assay::import
