// Logs of MLPerf's LoadGen: mlperf_log_summary.txt ("key : value" in three sections) and mlperf_log_detail.txt (one
// ":::MLLOG {json}" a line). Either gives one record. Latencies count from the scheduled time; percentiles are order
// statistics without interpolation.
#include <algorithm>

#include "results/import/source.h"

namespace assay::import {
namespace {

constexpr char kSummaryName[] = "mlperf-log-summary", kDetailName[] = "mlperf-log-detail";
constexpr char kPrefix[] = ":::MLLOG ";

struct Rate {
  const char *summary, *detail;  // the key in either log; nullptr where it has none
  const char *name, *unit, *definition;
};
// In the order in which a scenario leads with them: tokens before samples, completed before scheduled.
constexpr Rate kRates[] = {
    {"Tokens per second", "result_tokens_per_second", "output_tokens_per_s", "tokens/s", "tokens-per-s/offline"},
    {"Completed tokens per second", "result_completed_tokens_per_second", "output_tokens_per_s", "tokens/s",
     "tokens-per-s/completed"},
    {"Samples per second", "result_samples_per_second", "samples_per_s", "samples/s", "samples-per-s/offline"},
    {"Completed samples per second", "result_completed_samples_per_sec", "samples_per_s", "samples/s",
     "samples-per-s/completed"},
    {"Scheduled samples per second", "result_scheduled_samples_per_sec", "samples_per_s", "samples/s",
     "samples-per-s/scheduled"},
    {"QPS w/ loadgen overhead", "result_qps_with_loadgen_overhead", "samples_per_s", "samples/s",
     "samples-per-s/with-overhead"},
    {"QPS w/o loadgen overhead", "result_qps_without_loadgen_overhead", "samples_per_s", "samples/s",
     "samples-per-s/without-overhead"}};

struct Latency {
  const char *name, *definition;
};
constexpr Latency kSample{"latency", "latency/scheduled-rank"}, kQuery{"query_latency", "latency/query-rank"},
    kFirst{"ttft", "ttft/scheduled-rank"}, kOutput{"tpot", "tpot/after-first-rank"};

struct LatencyKey {
  Latency latency;
  std::string statistic;
};

// What either log calls a latency after its statistic, and what stands around the percentile.
struct Pattern {
  const char *before, *after;
  Latency latency;
};
constexpr Pattern kPercentiles[] = {{"", " percentile latency (ns)", kSample},
                                    {"", "th percentile latency (ns)", kSample},
                                    {"", " percentile first token latency (ns)", kFirst},
                                    {"", " percentile time to output token (ns)", kOutput},
                                    {"result_", "_percentile_latency_ns", kSample},
                                    {"result_", "_percentile_per_query_latency_ns", kQuery},
                                    {"result_first_token_", "_percentile_latency_ns", kFirst},
                                    {"result_time_per_output_token_", "_percentile_ns", kOutput}};
struct Extreme {
  const char* key;
  const char* statistic;
  Latency latency;
};
constexpr Extreme kExtremes[] = {
    {"Min latency (ns)", "min", kSample},
    {"Max latency (ns)", "max", kSample},
    {"Mean latency (ns)", "mean", kSample},
    {"Min First Token latency (ns)", "min", kFirst},
    {"Max First Token latency (ns)", "max", kFirst},
    {"Mean First Token latency (ns)", "mean", kFirst},
    {"Min Time to Output Token (ns)", "min", kOutput},
    {"Max Time to Output Token (ns)", "max", kOutput},
    {"Mean Time to Output Token (ns)", "mean", kOutput},
    {"result_min_latency_ns", "min", kSample},
    {"result_max_latency_ns", "max", kSample},
    {"result_mean_latency_ns", "mean", kSample},
    {"result_min_query_latency_ns", "min", kQuery},
    {"result_max_query_latency_ns", "max", kQuery},
    {"result_mean_query_latency_ns", "mean", kQuery},
    {"result_first_token_min_latency_ns", "min", kFirst},
    {"result_first_token_max_latency_ns", "max", kFirst},
    {"result_first_token_mean_latency_ns", "mean", kFirst},
    {"result_time_to_output_token_min", "min", kOutput},
    {"result_time_to_output_token_max", "max", kOutput},
    {"result_time_to_output_token_mean", "mean", kOutput},
    {"early_stopping_latency_ss", "estimate", {"latency", "latency/early-stopping"}},
    {"early_stopping_latency_ms", "estimate", {"query_latency", "latency/early-stopping"}}};

// "99.90" is "p99.9", "90.00" is "p90".
std::optional<std::string> percentile_name(std::string_view text) {
  const std::optional<double> value = parse_number(text);
  if (!value || *value <= 0 || *value >= 100) return std::nullopt;
  std::string out(text);
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return "p" + out;
}

std::optional<LatencyKey> latency_key(const std::string& key) {
  for (const Extreme& e : kExtremes) {
    if (key == e.key) return LatencyKey{e.latency, e.statistic};
  }
  for (const Pattern& p : kPercentiles) {
    const std::string_view before = p.before, after = p.after;
    if (key.size() <= before.size() + after.size() || key.compare(0, before.size(), before) != 0) continue;
    if (key.compare(key.size() - after.size(), after.size(), after) != 0) continue;
    const std::string_view middle =
        std::string_view(key).substr(before.size(), key.size() - before.size() - after.size());
    if (const auto name = percentile_name(middle)) return LatencyKey{p.latency, *name};
  }
  return std::nullopt;
}

struct Line {
  size_t number = 0;
  std::string value;
};

// The figures of a log in the order in which its scenario leads with them. `per_query`: the latencies of the summary
// are those of queries.
Status add_figures(const Source& source, const std::map<std::string, Line>& lines, bool detail, bool per_query,
                   Record* r) {
  const auto number = [&](const Line& line) {
    const std::optional<double> value = parse_number(line.value);
    return value && *value >= 0 ? value : std::nullopt;
  };
  const auto refuse = [&](const std::string& key, const Line& line) {
    return line_error(source, line.number, key + ": expected a number of at least 0, found '" + line.value + "'");
  };
  for (const Rate& rate : kRates) {
    const auto found = lines.find(detail ? rate.detail : rate.summary);
    if (found == lines.end()) continue;
    const std::optional<double> value = number(found->second);
    if (!value || *value > kMaxRate) return refuse(found->first, found->second);
    add_figure(r, rate.name, rate.unit, "total", rate.definition, found->first, *value);
  }
  std::vector<ReportedFigure> latencies;
  for (const auto& [key, line] : lines) {
    std::optional<LatencyKey> latency = latency_key(key);
    if (!latency) continue;
    const std::optional<double> value = number(line);
    if (!value || *value / 1e9 > kMaxSeconds) return refuse(key, line);
    if (per_query && latency->latency.name == std::string(kSample.name)) latency->latency = kQuery;
    latencies.push_back(
        {latency->latency.name, "s", latency->statistic, latency->latency.definition, key, *value / 1e9, {}, {}, {}});
  }
  std::vector<ReportedFigure>& figures = r->reported->figures;
  // Single and multiple streams are judged by latency, the others by rate.
  const bool leads = r->reported->stated["scenario"] == "SingleStream" || per_query;
  const auto at = leads ? figures.begin() : figures.end();
  std::stable_partition(latencies.begin(), latencies.end(), [](const ReportedFigure& f) {
    return f.statistic == "estimate" || f.source_field.find("th percentile") != std::string::npos;
  });
  figures.insert(at, latencies.begin(), latencies.end());
  if (figures.empty()) return bad_input(source.where + ": expected at least one result, found none");
  return ok_status();
}

Result<std::vector<Record>> finish(Record r, const std::string& scenario, const std::string& validity,
                                   const std::string& sut, const std::string& why) {
  r.tier = "request";
  r.device = sut;
  set_case(&r, "mlperf-loadgen", scenario, {{"scenario", scenario}});
  r.warnings.emplace_back("a LoadGen log doesn't say which model or data set ran: it compares with no other log");
  // Two logs of one scenario may be of different models: equal only where the source is.
  r.case_hash = r.reported->source_xxh3;
  if (validity != "VALID") {
    r.status = "failed";
    r.reason = "the source calls the run " + validity + (why.empty() ? "" : ": " + why);
  }
  return std::vector<Record>{std::move(r)};
}

bool claims_summary(const Source& source, const JsonNode& /*root*/) {
  return source.text.substr(0, 400).find("MLPerf Results Summary") != std::string::npos;
}

Result<std::vector<Record>> read_summary(const Source& source) {
  Record r = begin_record(source, kSummaryName, "MLPerf LoadGen", "");
  std::map<std::string, Line> lines;
  bool parameters = false;
  std::string why;
  const std::vector<std::string_view> all = split_lines(source.text);
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string_view line = all[i];
    if (line == "Test Parameters Used") parameters = true;
    if (line.substr(0, 3) == " * " && why.empty()) why = std::string(line.substr(3));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string key(trimmed(line.substr(0, colon)));
    std::string_view value = trimmed(line.substr(colon + 1));
    if (!value.empty() && value[0] == ':') value = trimmed(value.substr(1));
    if (parameters) {
      state(&r, key, std::string(value));
    } else if (!value.empty()) {
      lines.emplace(key, Line{i + 1, std::string(value)});
    }
  }
  for (const char* needed : {"SUT name", "Scenario", "Mode", "Result is"}) {
    if (lines.count(needed) == 0) return bad_input(source.where + ": expected a line \"" + needed + "\", found none");
  }
  if (!parameters) return bad_input(source.where + ": expected \"Test Parameters Used\" at its end: the log is cut");
  if (const Line& mode = lines["Mode"]; mode.value != "PerformanceOnly") {
    return line_error(source, mode.number, "Mode: expected PerformanceOnly, found '" + mode.value + "'");
  }
  const std::string scenario = lines["Scenario"].value, validity = lines["Result is"].value;
  if (validity != "VALID" && validity != "INVALID") {
    return line_error(source, lines["Result is"].number, "expected VALID or INVALID, found '" + validity + "'");
  }
  state(&r, "scenario", scenario);
  const Status added = add_figures(source, lines, false, scenario == "MultiStream", &r);
  if (!added.ok()) return added.error();
  return finish(std::move(r), scenario, validity, lines["SUT name"].value, why);
}

bool claims_detail(const Source& source, const JsonNode& /*root*/) {
  return source.text.compare(0, sizeof(kPrefix) - 1, kPrefix) == 0;
}

Result<std::vector<Record>> read_detail(const Source& source) {
  Record r = begin_record(source, kDetailName, "MLPerf LoadGen", "");
  std::map<std::string, Line> lines;
  const std::vector<std::string_view> all = split_lines(source.text);
  for (size_t i = 0; i < all.size(); ++i) {
    std::string_view line = all[i];
    if (trimmed(line).empty()) continue;
    if (line.substr(0, sizeof(kPrefix) - 1) != kPrefix) return line_error(source, i + 1, "expected \":::MLLOG {\"");
    line.remove_prefix(sizeof(kPrefix) - 1);
    JsonInput input(line, source.where + ": line " + std::to_string(i + 1));
    const JsonNode root = input.root();
    const std::string key = root.at("key").text();
    const std::string value = text_or_empty(root, "value");
    if (!input.ok()) return input.error();
    lines[key] = {i + 1, value};
  }
  for (const char* needed : {"effective_scenario", "effective_test_mode", "result_validity"}) {
    if (lines.count(needed) == 0) return bad_input(source.where + ": expected the key \"" + needed + "\", found none");
  }
  if (const Line& mode = lines["effective_test_mode"]; mode.value != "PerformanceOnly") {
    return line_error(source, mode.number, "effective_test_mode: expected PerformanceOnly, found '" + mode.value + "'");
  }
  const std::string scenario = lines["effective_scenario"].value;
  state(&r, "scenario", scenario);
  for (const auto& [key, line] : lines) {
    if (key.compare(0, 10, "effective_") == 0 || key == "loadgen_version") state(&r, key, line.value);
  }
  r.reported->producer_version = lines.count("loadgen_version") != 0 ? lines["loadgen_version"].value : "";
  const Status added = add_figures(source, lines, true, scenario == "MultiStream", &r);
  if (!added.ok()) return added.error();
  const std::string sut = lines.count("sut_name") != 0 ? lines["sut_name"].value : "";
  const std::string why = lines.count("result_invalid_reason") != 0 ? lines["result_invalid_reason"].value : "";
  return finish(std::move(r), scenario, lines["result_validity"].value, sut, why);
}

}  // namespace

Importer mlperf_log_summary_importer() {
  return {kSummaryName, "MLPerf LoadGen: mlperf_log_summary.txt", claims_summary, read_summary};
}

Importer mlperf_log_detail_importer() {
  return {kDetailName, "MLPerf LoadGen: mlperf_log_detail.txt", claims_detail, read_detail};
}

}  // namespace assay::import
