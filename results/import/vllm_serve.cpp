// Result file of vLLM's `bench serve` (--save-result): one JSON object, times in ms. Written from the documented output
// of the tool; fields that later versions add are kept as stated.
#include "results/import/serving.h"

#include <cmath>

namespace assay::import {
namespace {

constexpr char kVllmServe[] = "vllm-serve";

bool is_vllm_serve(const Source& /*source*/, const JsonNode& root) {
  return root.is_object() && root.has("model_id") && root.has("total_token_throughput") &&
         root.has("output_throughput") && root.has("duration") && root.has("completed");
}

// "inf" or a number, as a text that is equal for equal rates.
std::string rate_text(const JsonNode& root) {
  std::string text = text_or_empty(root, "request_rate");
  if (text.empty() || text == "inf" || parse_number(text)) return text;
  root.at("request_rate").fail_expected("a number or \"inf\"");
  return "";
}

void add_case(const JsonNode& root, Record* r) {
  r->model = root.at("model_id").text();
  const std::string concurrency = text_or_empty(root, "max_concurrency"), rate = rate_text(root);
  std::string name = r->model;
  for (char& c : name) c = c == '/' ? '-' : c;
  const uint64_t completed = root.at("completed").unsigned_integer();
  const auto input = static_cast<double>(root.at("total_input_tokens").unsigned_integer());
  const auto output = static_cast<double>(root.at("total_output_tokens").unsigned_integer());
  if (completed > 0) {
    name += "/in" + std::to_string(std::llround(input / static_cast<double>(completed)));
    name += "-out" + std::to_string(std::llround(output / static_cast<double>(completed)));
  }
  if (!concurrency.empty()) name += "/conc" + concurrency;
  if (!rate.empty() && rate != "inf") name += "/rate" + rate;
  set_case(r, kVllmServe, name,
           {{"model", r->model},
            {"tokenizer", text_or_empty(root, "tokenizer_id")},
            {"num_prompts", text_or_empty(root, "num_prompts")},
            {"total_input_tokens", text_or_empty(root, "total_input_tokens")},
            {"request_rate", rate},
            {"burstiness", text_or_empty(root, "burstiness")},
            {"max_concurrency", concurrency}});
}

void add_rates(const JsonNode& root, uint64_t completed, Record* r) {
  const double seconds = positive(root, "duration", kMaxSeconds).value_or(0);
  struct Rate {
    const char *field, *count, *name, *unit, *definition;
  };
  for (const Rate& rate :
       {Rate{"output_throughput", "total_output_tokens", "output_tokens_per_s", "tokens/s", "output-tokens-per-s/wall"},
        Rate{"total_token_throughput", nullptr, "total_tokens_per_s", "tokens/s", "total-tokens-per-s/wall"},
        Rate{"request_throughput", "completed", "requests_per_s", "requests/s", "requests-per-s/wall"},
        Rate{"request_goodput", nullptr, "goodput", "requests/s", "goodput/wall"}}) {
    if (!root.has(rate.field)) continue;
    const double value = root.at(rate.field).number(0, kMaxRate);
    add_figure(r, rate.name, rate.unit, "total", rate.definition, rate.field, value, completed);
    if (rate.count != nullptr) check_rate(root, rate.field, rate.count, seconds);
  }
}

Result<std::vector<Record>> read_vllm_serve(const Source& source) {
  JsonInput input(source.text, source.where);
  const JsonNode root = input.root();
  Record r = begin_record(source, kVllmServe, "vLLM bench serve", "");
  r.tier = "request";
  r.token_class = "output";
  const uint64_t completed = root.at("completed").unsigned_integer(static_cast<uint64_t>(kMaxCount));
  if (root.has("num_prompts") && root.at("num_prompts").unsigned_integer() < completed) {
    root.at("completed").fail("expected at most num_prompts");
  }
  for (const char* needed : {"duration", "output_throughput", "request_throughput"}) (void)root.at(needed).number();
  add_case(root, &r);
  r.reported->source_date = text_or_empty(root, "date");
  add_rates(root, completed, &r);
  std::vector<std::string> used = add_latency_figures(root, completed, &r);
  used.insert(used.end(), {"date", "model_id", "output_throughput", "total_token_throughput", "request_throughput",
                           "request_goodput"});
  state_the_rest(root, used, &r);
  if (completed == 0 && root.present()) {
    r.status = "failed";
    r.reason = "no request was completed";
  }
  if (!input.ok()) return input.error();
  return std::vector<Record>{std::move(r)};
}

}  // namespace

Importer vllm_serve_importer() {
  return {kVllmServe, "vLLM bench serve --save-result: result JSON", is_vllm_serve, read_vllm_serve};
}

}  // namespace assay::import
