#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "results/plan/plan.h"
#include "results/plan/unit_of_records.h"
#include "results/prices/cost_inputs.h"
#include "results/prices/price_cell.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxPoints = 10000, kMaxUnits = 64;
constexpr double kMaxTokens = 1e9, kMaxRate = 1e12;

// A value with an interval that holds it; without both ends none is known.
void read_interval(const JsonNode& node, double value, double* low, double* high, PlanUnit* unit) {
  if (!node.has("low") || !node.has("high")) unit->bounded = false;
  *low = node.has("low") ? node.at("low").number(1e-9, kMaxRate) : value;
  *high = node.has("high") ? node.at("high").number(1e-9, kMaxRate) : value;
  if (!(*low <= value && value <= *high)) node.fail("expected low <= value <= high");
}

void prefill_curve(const JsonNode& node, PlanUnit* unit) {
  std::set<double> seen;
  for (const JsonNode& item : node.items(1, kMaxPoints)) {
    item.fields({"prompt_tokens", "tokens_per_s", "low", "high"});
    PrefillPoint p;
    p.prompt_tokens = item.at("prompt_tokens").number(1, kMaxTokens);
    p.per_s = item.at("tokens_per_s").number(1e-6, kMaxRate);
    read_interval(item, p.per_s, &p.low, &p.high, unit);
    if (!seen.insert(p.prompt_tokens).second) item.fail("this prompt length stands here twice");
    unit->prefill.push_back(p);
  }
}

void decode_curve(const JsonNode& node, PlanUnit* unit) {
  std::set<std::pair<double, double>> seen;
  for (const JsonNode& item : node.items(1, kMaxPoints)) {
    item.fields({"batch", "context", "step_ms", "low", "high"});
    DecodePoint p;
    p.batch = item.at("batch").number(1, 1e7);
    p.context = item.at("context").number(1, kMaxTokens);
    p.step_ms = item.at("step_ms").number(1e-6, 1e9);
    read_interval(item, p.step_ms, &p.low, &p.high, unit);
    if (!seen.insert({p.batch, p.context}).second) item.fail("this batch and context stand here twice");
    unit->decode.push_back(p);
  }
}

void read_cost(const JsonNode& node, const PriceBook& book, PlanUnit* unit) {
  PriceCellRules money;
  money.money = true;
  const PriceCell cell = price_cell(node, money);
  if (cell.currency.empty()) return;
  const Result<Estimate> e = cell_estimate(cell, book);
  if (!e.ok()) {
    node.fail(e.error().message);
  } else if (e->confidential) {
    node.fail("expected yuan: the rate from " + cell.currency +
              " is of a confidential price book, and a plan shows it");
  } else {
    unit->cost_per_hour = *e;
  }
}

// A chip of the price book, by the hour that it stands there: owned or rented, at full utilisation, so that nothing but
// the plan itself says how much of it is used.
void read_chip(const JsonNode& node, const PriceBook& book, PlanUnit* unit) {
  CostChoices choices;
  choices.chip = node.at("chip").text(128);
  choices.tariff = node.has("tariff") ? node.at("tariff").text(128) : kDefaultTariff;
  if (node.has("rented")) choices.rented = node.at("rented").boolean();
  choices.overrides[CostInput::kUtilisation] = exact_estimate(1, "assumed", "an hour that it is there");
  const Result<PricedSubject> priced = price_hour(choices, book);
  if (!priced.ok()) return node.at("chip").fail(priced.error().message);
  const CostInputs& in = priced->inputs;
  const Amount hour = cost(in).per_hour;
  if (hour_is_confidential(in) || !hour.value) {
    return node.at("chip").fail("expected a rent that may be shown, found a confidential one: a plan shows it");
  }
  unit->cost_per_hour = exact_estimate(*hour.value, "assumed", "");
  const bool known = std::isfinite(hour.interval.low) && std::isfinite(hour.interval.high);
  if (known) {
    unit->cost_per_hour.low = std::min(hour.interval.low, *hour.value);
    unit->cost_per_hour.high = std::max(hour.interval.high, *hour.value);
  }
  unit->bounded = unit->bounded && known;
  const std::optional<Estimate>& money = in.at(in.rented ? CostInput::kRent : CostInput::kChipPrice);
  unit->cost_per_hour.source = priced->chip->id + ", " +
                               (in.rented ? "rented" : "owned, electricity at " + choices.tariff) + ": " +
                               money->source;
  unit->cost_per_hour.date = money->date;
  unit->cost_per_hour.grade = money->grade;
  if (const std::optional<Estimate>& kw = in.at(CostInput::kWallKw); kw && !kw->confidential)
    unit->wall_kw = kw->typical;
  if (!in.rented && !money->confidential && in.at(CostInput::kServerFactor)) {
    unit->purchase = money->typical * in.at(CostInput::kServerFactor)->typical;
  }
  for (const std::string& note : priced->notes) unit->notes.push_back(note);
}

// Of a model whose windowed layers hold no more than their window.
void read_kv_window(const JsonNode& node, PlanUnit* unit) {
  const bool window = node.has("kv_window_tokens"), behind = node.has("kv_bytes_per_token_behind_window");
  if (window != behind || (window && !node.has("kv_bytes_per_token"))) {
    node.fail("expected kv_bytes_per_token, kv_window_tokens and kv_bytes_per_token_behind_window together");
    return;
  }
  if (!window) return;
  unit->kv_window_tokens = node.at("kv_window_tokens").number(1, kMaxTokens);
  unit->kv_bytes_behind_window = node.at("kv_bytes_per_token_behind_window").number(0, unit->kv_bytes_per_token);
}

PlanUnit unit_at(const JsonNode& node, const PriceBook& book, const fs::path& folder) {
  node.fields({"name", "basis", "source", "cost_per_hour", "chip", "rented", "tariff", "memory_gb", "link_gb_s",
               "kv_bytes_per_token", "kv_window_tokens", "kv_bytes_per_token_behind_window", "weight_gb", "prefill",
               "decode", "records"});
  PlanUnit unit;
  unit.name = node.at("name").text(128);
  if (unit.name.empty()) node.at("name").fail("expected a name, found nothing");
  if (node.has("source")) unit.source = node.at("source").text(kMaxPlanText);
  if (node.has("chip") == node.has("cost_per_hour")) {
    node.fail("expected either cost_per_hour or chip (of the price book)");
  } else if (node.has("chip")) {
    read_chip(node, book, &unit);
  } else {
    for (const char* of_chip : {"rented", "tariff"}) {
      if (node.has(of_chip)) node.at(of_chip).fail("expected none: it is of a chip, and cost_per_hour is given");
    }
    read_cost(node.at("cost_per_hour"), book, &unit);
  }
  const auto amount = [&](const char* name, double scale) {
    return node.has(name) ? node.at(name).number(1e-9, 1e12) * scale : 0;
  };
  unit.memory_bytes = amount("memory_gb", 1e9);
  unit.link_bytes_per_s = amount("link_gb_s", 1e9);
  unit.weight_bytes = amount("weight_gb", 1e9);
  unit.kv_bytes_per_token = amount("kv_bytes_per_token", 1);
  read_kv_window(node, &unit);
  if (node.has("records") == (node.has("prefill") || node.has("decode"))) {
    node.fail("expected records, or curves (prefill, decode or both)");
    return unit;
  }
  if (node.has("records")) {
    if (node.has("basis")) node.at("basis").fail("expected none: the records say their basis");
    add_records(node.at("records"), folder, &unit);
    return unit;
  }
  unit.basis = node.at("basis").text_of({"measured", "simulated", "projected", "reported"});
  if (node.has("prefill")) prefill_curve(node.at("prefill"), &unit);
  if (node.has("decode")) decode_curve(node.at("decode"), &unit);
  return unit;
}

void read_traffic(const JsonNode& node, PlanTraffic* t) {
  node.fields({"requests_per_s", "prompt_tokens", "output_tokens", "cache_hit", "hits_are_moved", "prompt_cv"});
  t->requests_per_s = node.at("requests_per_s").number(1e-9, 1e9);
  t->prompt_tokens = node.at("prompt_tokens").number(1, kMaxTokens);
  t->output_tokens = node.at("output_tokens").number(1, kMaxTokens);
  if (node.has("cache_hit")) t->cache_hit = node.at("cache_hit").number(0, 0.999);
  if (node.has("hits_are_moved")) t->hits_are_moved = node.at("hits_are_moved").boolean();
  if (node.has("prompt_cv")) t->prompt_cv = node.at("prompt_cv").number(0, 100);
}

void read_limits(const JsonNode& node, PlanLimits* limits) {
  node.fields({"ttft_ms", "tpot_ms", "quantile"});
  if (node.has("ttft_ms")) limits->ttft_ms = node.at("ttft_ms").number(1e-3, 1e9);
  if (node.has("tpot_ms")) limits->tpot_ms = node.at("tpot_ms").number(1e-3, 1e9);
  if (node.has("quantile")) limits->quantile = node.at("quantile").number(0.5, 0.9999);
}

Result<PlanRequest> parse_in(const std::string& text, const std::string& where, const fs::path& folder,
                             const PriceBook& book) {
  JsonInput input(text, where, {size_t{16} << 20, 12});
  const JsonNode root = input.root();
  root.fields({"schema_version", "name", "traffic", "limits", "kv_overlap", "units"});
  PlanRequest request;
  (void)root.at("schema_version").integer(1, 1);
  request.name = root.at("name").text(256);
  read_traffic(root.at("traffic"), &request.traffic);
  if (root.has("limits")) read_limits(root.at("limits"), &request.limits);
  if (root.has("kv_overlap")) request.kv_overlap = root.at("kv_overlap").number(0, 1);
  std::set<std::string> names;
  for (const JsonNode& item : root.at("units").items(1, kMaxUnits)) {
    request.units.push_back(unit_at(item, book, folder));
    if (!names.insert(request.units.back().name).second)
      item.fail("\"" + request.units.back().name + "\" stands here twice");
  }
  if (!input.ok()) return input.error();
  return request;
}

}  // namespace

Result<PlanRequest> parse_plan(const std::string& text, const std::string& where, const PriceBook& book) {
  return parse_in(text, where, "", book);
}

Result<PlanRequest> read_plan(const std::string& path, const PriceBook& book) {
  Result<std::string> text = read_text_file(path, size_t{16} << 20);
  if (!text.ok()) return text.error();
  return parse_in(*text, path, fs::path(path).parent_path(), book);
}

}  // namespace assay
