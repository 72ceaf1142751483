#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "results/metrics/metrics.h"
#include "results/part.h"
#include "results/plan/plan.h"
#include "results/prices/price_cell.h"
#include "results/record.h"
#include "suites/base/json_input.h"
#include "suites/suite.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxPoints = 10000, kMaxUnits = 64, kMaxText = 1024;
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

// Whether a record stands for a point of a curve: a step of the whole model, or projected to it, from warm caches. A
// chunk behind a context is no prompt of its length.
bool stands_for_a_point(const Record& r, const Metrics& m) {
  if (!m.rate || m.unit != "tokens/s" || cold_cache(r) || !page_layout(r.case_id).empty()) return false;
  return (!is_part(r) || m.projected_rate) && (r.step_kind == "decode" || (r.step_kind == "prefill" && r.context == 0));
}

struct CurvePoint {
  const Record* record = nullptr;
  Metrics m;
};

// Of each step the record that stands for it: one of the whole model, then an undisturbed one, then the newest.
std::map<std::tuple<std::string, int64_t, int64_t>, CurvePoint> curve_points(const std::vector<Record>& records,
                                                                             const std::string& model,
                                                                             const std::string& dtype) {
  std::map<std::tuple<std::string, int64_t, int64_t>, CurvePoint> out;
  const auto rank = [](const Record& r, const Metrics& m) {
    return std::make_tuple(!m.projected_rate, !r.noise.disturbed, r.created);
  };
  for (const Record& r : records) {
    if (r.model != model || r.dtype != dtype) continue;
    Metrics m = metrics(r);
    if (!stands_for_a_point(r, m)) continue;
    CurvePoint& point = out[{r.step_kind, r.batch, r.step_kind == "decode" ? r.context : r.tokens}];
    if (point.record == nullptr || rank(r, m) > rank(*point.record, point.m)) point = {&r, std::move(m)};
  }
  return out;
}

void add_point(const CurvePoint& point, PlanUnit* unit) {
  const Record& r = *point.record;
  double rate = point.m.rate->per_s, low = point.m.rate->interval.low, high = point.m.rate->interval.high;
  if (point.m.projected_rate) {
    rate = low = high = *point.m.projected_rate;
    unit->basis = "projected";
  }
  if (point.m.projected_rate || point.m.rate->n < 2) unit->bounded = false;
  if (r.step_kind == "prefill") {
    unit->prefill.push_back({static_cast<double>(r.tokens), rate, low, high});
    return;
  }
  const auto batch = static_cast<double>(r.batch);
  unit->decode.push_back(
      {batch, static_cast<double>(r.context), batch / rate * 1e3, batch / high * 1e3, batch / low * 1e3});
}

// Bytes of KV cache per token and sequence by the shape of the record's model; 0 where the record has none (imported).
double kv_bytes_of(const Record& r) {
  const Result<Case> work = case_from_json(r.case_json, r.case_id);
  if (!work.ok()) return 0;
  const double element = dtype_bits(work->dtypes()->kv) / 8.0;
  return work->model.kv_bytes_per_token(element) + work->model.index_bytes_per_token(element);
}

// Curves of the records' prefill and decode cases of one model and dtype, on one chip.
void curves_of_records(const JsonNode& node, const fs::path& folder, PlanUnit* unit) {
  node.fields({"path", "model", "dtype"});
  const std::string path = node.at("path").text(kMaxText), model = node.at("model").text(256);
  const std::string dtype = node.at("dtype").text(64);
  if (path.empty()) return;
  const Result<std::vector<Record>> records = read_records(folder / path);
  if (!records.ok()) {
    node.at("path").fail(records.error().message);
    return;
  }
  const auto points = curve_points(*records, model, dtype);
  const Record* first = points.empty() ? nullptr : points.begin()->second.record;
  for (const auto& [step, point] : points) {
    if (point.record->basis != first->basis) {
      return node.fail("expected records of one basis, found " + first->basis + " and " + point.record->basis);
    }
    if (point.record->device_product != first->device_product) {
      return node.fail("expected records of one chip, found " + first->device_product + " and " +
                       point.record->device_product);
    }
  }
  if (first != nullptr) unit->basis = first->basis;
  for (const auto& [step, point] : points) add_point(point, unit);
  if (first != nullptr && unit->kv_bytes_per_token == 0) unit->kv_bytes_per_token = kv_bytes_of(*first);
  if (unit->prefill.empty() && unit->decode.empty()) {
    node.fail("expected records of " + model + " " + dtype + " with a rate, found none");
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

PlanUnit unit_at(const JsonNode& node, const PriceBook& book, const fs::path& folder) {
  node.fields({"name", "basis", "source", "cost_per_hour", "memory_gb", "link_gb_s", "kv_bytes_per_token", "weight_gb",
               "prefill", "decode", "records"});
  PlanUnit unit;
  unit.name = node.at("name").text(128);
  if (unit.name.empty()) node.at("name").fail("expected a name, found nothing");
  if (node.has("source")) unit.source = node.at("source").text(kMaxText);
  read_cost(node.at("cost_per_hour"), book, &unit);
  const auto amount = [&](const char* name, double scale) {
    return node.has(name) ? node.at(name).number(1e-9, 1e12) * scale : 0;
  };
  unit.memory_bytes = amount("memory_gb", 1e9);
  unit.link_bytes_per_s = amount("link_gb_s", 1e9);
  unit.weight_bytes = amount("weight_gb", 1e9);
  unit.kv_bytes_per_token = amount("kv_bytes_per_token", 1);
  if (node.has("records") == (node.has("prefill") || node.has("decode"))) {
    node.fail("expected records, or curves (prefill, decode or both)");
    return unit;
  }
  if (node.has("records")) {
    if (node.has("basis")) node.at("basis").fail("expected none: the records say their basis");
    curves_of_records(node.at("records"), folder, &unit);
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
