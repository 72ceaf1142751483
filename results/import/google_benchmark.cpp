// Google Benchmark JSON (--benchmark_format=json): one record per benchmark. Without repetitions its figures are those
// of the one run; with repetitions, the aggregates that the tool computed.
#include <algorithm>

#include "results/import/source.h"

namespace assay::import {
namespace {

constexpr char kName[] = "google-benchmark";

bool claims(const Source& /*source*/, const JsonNode& root) {
  return root.is_object() && root.has("context") && root.has("benchmarks");
}

double unit_scale(const JsonNode& row) {
  const std::string unit = row.at("time_unit").text_of({"ns", "us", "ms", "s"});
  return unit == "s" ? 1 : unit == "ms" ? 1e-3 : unit == "us" ? 1e-6 : 1e-9;
}

void add_times(const JsonNode& row, const std::string& statistic, std::optional<uint64_t> n, Record* r) {
  // A coefficient of variation has no time unit.
  if (statistic == "cv") return;
  const double scale = unit_scale(row), most = kMaxSeconds / scale;
  add_figure(r, "time", "s", statistic, "time-per-iteration/wall", "real_time",
             row.at("real_time").number(0, most) * scale, n);
  add_figure(r, "cpu_time", "s", statistic, "time-per-iteration/cpu", "cpu_time",
             row.at("cpu_time").number(0, most) * scale, n);
  for (const auto& [field, unit] : {std::pair{"items_per_second", "items/s"}, {"bytes_per_second", "bytes/s"}}) {
    if (row.has(field)) {
      add_figure(r, unit[0] == 'i' ? "items_per_s" : "bytes_per_s", unit, statistic, "iteration-rate/counter", field,
                 row.at(field).number(0, kMaxRate), n);
    }
  }
}

void describe(const JsonNode& context, const std::string& name, Record* r) {
  r->tier = "program";
  const std::string executable = text_or_empty(context, "executable");
  set_case(r, kName, name, {{"name", name}, {"executable", executable.substr(executable.rfind('/') + 1)}});
  r->reported->producer_version = text_or_empty(context, "library_version");
  r->reported->source_date = text_or_empty(context, "date");
  for (const auto& [key, node] : context.members()) {
    const std::string json = node.canonical();
    if (json.front() != '{' && json.front() != '[') state(r, key, text_or_empty(context, key.c_str()));
  }
  if (context.has("cpu_scaling_enabled") && context.at("cpu_scaling_enabled").boolean()) {
    r->warnings.emplace_back("the tool saw CPU frequency scaling: its times vary with the clock");
  }
  if (text_or_empty(context, "library_build_type") == "debug") {
    r->warnings.emplace_back("the tool says that its library was built for debugging; Debian's always says so");
  }
}

// Rows of one benchmark, by run_name (older versions: name), in the order of the file.
struct Group {
  std::string name;
  std::vector<JsonNode> iterations, aggregates;
};

std::vector<Group> groups_of(const JsonNode& list) {
  std::vector<Group> groups;
  for (const JsonNode& row : list.items(0, 1 << 20)) {
    const std::string name = row.has("run_name") ? row.at("run_name").text() : row.at("name").text();
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.name == name; });
    if (group == groups.end()) group = groups.insert(groups.end(), Group{name, {}, {}});
    const bool aggregate = row.has("aggregate_name") || text_or_empty(row, "run_type") == "aggregate";
    (aggregate ? group->aggregates : group->iterations).push_back(row);
  }
  return groups;
}

// Gives nothing for a group of complexity fits alone ("BigO", "RMS"): they are no times.
std::optional<Record> record_of(const Source& source, const Group& group, const JsonNode& context) {
  Record r = begin_record(source, kName, "Google Benchmark", group.name);
  describe(context, group.name, &r);
  for (const JsonNode& row : group.iterations) {
    if (!row.has("error_occurred") || !row.at("error_occurred").boolean()) continue;
    r.status = "failed";
    r.reason = "the benchmark ended with an error: " + text_or_empty(row, "error_message");
    return r;
  }
  bool fits = false;
  for (const JsonNode& row : group.aggregates) {
    if (row.has("cpu_coefficient") || row.has("rms")) {
      fits = true;
      continue;
    }
    const std::string statistic = text_or_empty(row, "aggregate_name");
    const std::string named = statistic == "stddev" ? "std" : statistic;
    const std::string repetitions = text_or_empty(row, "repetitions");
    const std::optional<double> n = parse_number(repetitions);
    add_times(row, named, n ? std::optional<uint64_t>(static_cast<uint64_t>(*n)) : std::nullopt, &r);
  }
  if (!r.reported->figures.empty()) return r;
  if (group.iterations.empty() && fits) return std::nullopt;
  for (const JsonNode& row : group.iterations) {
    const std::string repetition = group.iterations.size() > 1 ? text_or_empty(row, "repetition_index") : "";
    const uint64_t iterations = row.at("iterations").unsigned_integer(static_cast<uint64_t>(kMaxCount));
    add_times(row, repetition.empty() ? "mean" : "repetition " + repetition, iterations, &r);
  }
  return r;
}

Result<std::vector<Record>> read(const Source& source) {
  JsonInput input(source.text, source.where);
  const JsonNode root = input.root();
  const JsonNode context = root.at("context");
  (void)context.at("date").text();
  (void)context.at("num_cpus").integer(1, 1 << 20);
  std::vector<Record> records;
  for (const Group& group : groups_of(root.at("benchmarks"))) {
    std::optional<Record> record = record_of(source, group, context);
    if (record) records.push_back(std::move(*record));
  }
  if (!input.ok()) return input.error();
  return records;
}

}  // namespace

Importer google_benchmark_importer() { return {kName, "Google Benchmark: --benchmark_format=json", claims, read}; }

}  // namespace assay::import
