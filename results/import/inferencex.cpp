// InferenceX (formerly InferenceMAX) results, times in s: the aggregate of one run ("tput_per_gpu", one object, an
// array of them, or rows with the figures in "metrics"), and the client summary of its experiments ("median_ttft"
// beside "output_throughput"). Power and cost fields of the source are kept as stated: their domain is not said.
#include "results/import/serving.h"

#include <cmath>

namespace assay::import {
namespace {

constexpr char kInferencex[] = "inferencex";

JsonNode metrics_of(const JsonNode& row) { return row.has("metrics") ? row.at("metrics") : row; }

bool is_aggregate(const JsonNode& row) {
  if (!row.is_object()) return false;
  const JsonNode metrics = metrics_of(row);
  return metrics.is_object() && metrics.has("tput_per_gpu");
}

bool is_summary(const JsonNode& row) {
  return row.is_object() && row.has("model_id") && row.has("output_throughput") && row.has("median_ttft") &&
         !row.has("total_token_throughput");
}

std::vector<JsonNode> rows_of(const JsonNode& root) {
  if (root.is_object()) return {root};
  return root.items(1, 1 << 20);
}

bool is_inferencex(const Source& source, const JsonNode& root) {
  if (!root.present()) return false;
  if (root.is_object()) return is_aggregate(root) || is_summary(root);
  const size_t first = source.text.find_first_not_of(" \t\r\n");
  if (source.text[first] != '[') return false;
  const std::vector<JsonNode> items = root.items();
  return !items.empty() && (is_aggregate(items[0]) || is_summary(items[0]));
}

std::string first_of(const JsonNode& row, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (row.has(name)) return text_or_empty(row, name);
  }
  return "";
}

std::string dashed(std::string text) {
  for (char& c : text) c = c == '/' ? '-' : c;
  return text;
}

void name_case(const std::map<std::string, std::string>& facts, Record* r) {
  const auto part = [&](const char* key, const char* prefix) {
    const auto found = facts.find(key);
    return found == facts.end() || found->second.empty() ? std::string() : prefix + found->second;
  };
  std::string name = dashed(r->model) + part("precision", "/");
  name += part("isl", "/in") + part("osl", "-out") + part("concurrency", "/conc");
  set_case(r, kInferencex, name, facts);
}

void aggregate(const JsonNode& row, Record* r) {
  const JsonNode metrics = metrics_of(row);
  r->model = first_of(row, {"model", "infmax_model_prefix"});
  if (r->model.empty()) row.at("model").fail_expected("the model's name");
  r->dtype = first_of(row, {"precision"});
  r->device = r->device_product = first_of(row, {"hw", "hardware", "device"});
  r->reported->source_date = first_of(row, {"date"});
  name_case({{"model", r->model},
             {"precision", r->dtype},
             {"isl", first_of(row, {"isl"})},
             {"osl", first_of(row, {"osl"})},
             {"concurrency", first_of(row, {"conc"})},
             {"kind", first_of(row, {"benchmark_type"})},
             {"form", "aggregate"}},
            r);
  struct Rate {
    const char *field, *name, *definition;
  };
  for (const Rate& rate :
       {Rate{"output_tput_per_gpu", "output_tokens_per_s_per_chip", "output-tokens-per-s-per-chip/wall"},
        Rate{"tput_per_gpu", "total_tokens_per_s_per_chip", "total-tokens-per-s-per-chip/wall"},
        Rate{"input_tput_per_gpu", "input_tokens_per_s_per_chip", "input-tokens-per-s-per-chip/wall"}}) {
    const std::optional<double> value = positive(metrics, rate.field, kMaxRate);
    if (value) add_figure(r, rate.name, "tokens/s", "total", rate.definition, rate.field, *value);
  }
  std::vector<std::string> used = add_latency_figures(metrics, std::nullopt, r);
  used.insert(used.end(), {"tput_per_gpu", "output_tput_per_gpu", "input_tput_per_gpu", "model", "date"});
  state_the_rest(row, used, r);
  if (row.has("metrics")) state_the_rest(metrics, used, r);
}

void summary(const JsonNode& row, Record* r) {
  r->model = row.at("model_id").text();
  r->reported->source_date = first_of(row, {"date"});
  const uint64_t completed = row.at("completed").unsigned_integer(static_cast<uint64_t>(kMaxCount));
  const double seconds = positive(row, "duration", kMaxSeconds).value_or(0);
  if (completed == 0 || seconds == 0) row.at("completed").fail_expected("a run with completed requests and a duration");
  const auto mean = [&](const char* name) {
    const auto total = static_cast<double>(row.at(name).unsigned_integer());
    return std::to_string(std::llround(total / static_cast<double>(completed)));
  };
  name_case({{"model", r->model},
             {"isl", completed == 0 ? "" : mean("total_input_tokens")},
             {"osl", completed == 0 ? "" : mean("total_output_tokens")},
             {"concurrency", first_of(row, {"max_concurrency"})},
             {"request_rate", first_of(row, {"request_rate"})},
             {"num_prompts", first_of(row, {"num_prompts"})},
             {"form", "summary"}},
            r);
  struct Rate {
    const char *field, *count, *name, *unit, *definition;
  };
  for (const Rate& rate :
       {Rate{"output_throughput", "total_output_tokens", "output_tokens_per_s", "tokens/s", "output-tokens-per-s/wall"},
        Rate{"input_throughput", "total_input_tokens", "input_tokens_per_s", "tokens/s", "input-tokens-per-s/wall"},
        Rate{"request_throughput", "completed", "requests_per_s", "requests/s", "requests-per-s/wall"}}) {
    const std::optional<double> value = positive(row, rate.field, kMaxRate);
    if (value) add_figure(r, rate.name, rate.unit, "total", rate.definition, rate.field, *value, completed);
    check_rate(row, rate.field, rate.count, seconds);
  }
  std::vector<std::string> used = add_latency_figures(row, completed, r);
  used.insert(used.end(), {"output_throughput", "input_throughput", "request_throughput", "model_id", "date"});
  state_the_rest(row, used, r);
}

Result<std::vector<Record>> read_inferencex(const Source& source) {
  JsonInput input(source.text, source.where);
  const JsonNode root = input.root();
  std::vector<Record> records;
  const bool many = root.present() && !root.is_object();
  for (const JsonNode& row : rows_of(root)) {
    const std::string place = many ? "[" + std::to_string(records.size()) + "]" : "";
    Record r = begin_record(source, kInferencex, "InferenceX", place);
    r.tier = "request";
    r.token_class = "output";
    if (is_aggregate(row)) {
      aggregate(row, &r);
    } else if (is_summary(row)) {
      summary(row, &r);
    } else {
      row.fail_expected("an InferenceX result (tput_per_gpu, or model_id, output_throughput and median_ttft)");
    }
    if (r.reported->figures.empty()) row.fail("expected at least one throughput, found none");
    records.push_back(std::move(r));
  }
  if (!input.ok()) return input.error();
  return records;
}

}  // namespace

Importer inferencex_importer() {
  return {kInferencex, "InferenceX / InferenceMAX: result JSON, aggregated or of the client", is_inferencex,
          read_inferencex};
}

}  // namespace assay::import
