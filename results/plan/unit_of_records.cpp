#include "results/plan/unit_of_records.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "results/metrics/metrics.h"
#include "results/part.h"
#include "results/record.h"
#include "suites/base/words.h"
#include "suites/lower/llm.h"

namespace assay {
namespace {

struct CurvePoint {
  const Record* record = nullptr;
  Metrics m;
};
using Points = std::map<std::tuple<std::string, int64_t, int64_t>, CurvePoint>;

// The points of each variant of the work, and of what is none how many there are by the reason.
struct Sorted {
  std::string work;                                      // model and dtype
  std::map<std::string, Points> of_variant;              // case_variant()
  std::map<std::string, std::set<std::string>> options;  // of the adapter, by variant
  std::map<std::string, size_t> left_out;
};

// Why a record with a rate stands for no point of a curve: a step of the whole model, or projected to it, from warm
// caches. "": it does.
std::string why_no_point(const Record& r, const Metrics& m) {
  if (cold_cache(r)) return "of flushed caches";
  if (r.step_kind == "prefill" && r.context > 0) return "chunks behind a context, which are no prompts";
  return is_part(r) && !m.projected_rate ? "of a part of the model without a projection" : "";
}

// Of each step the record that stands for it: one of the whole model, then an undisturbed one, then the newest.
Sorted sorted(const std::vector<Record>& records, const std::string& model, const std::string& dtype) {
  Sorted out;
  out.work = model + " " + dtype;
  const auto rank = [](const Record& r, const Metrics& m) {
    return std::make_tuple(!m.projected_rate, !r.noise.disturbed, r.created);
  };
  const Setups setups(records);
  for (const Record& r : records) {
    if (r.model != model || r.dtype != dtype) continue;
    Metrics m = metrics(r);
    if (!m.rate || m.unit != "tokens/s" || (r.step_kind != "decode" && r.step_kind != "prefill")) continue;
    if (const std::string why = why_no_point(r, m); !why.empty()) {
      ++out.left_out[why];
      continue;
    }
    const std::string variant = case_variant(r.case_id), options = setups.of(r);
    out.options[variant].insert(options.empty() ? "none" : options);
    CurvePoint& point = out.of_variant[variant][{r.step_kind, r.batch, r.step_kind == "decode" ? r.context : r.tokens}];
    if (point.record == nullptr || rank(r, m) > rank(*point.record, point.m)) point = {&r, std::move(m)};
  }
  return out;
}

std::string variant_text(const std::string& variant) { return variant.empty() ? "plain" : variant; }

// The variant that is taken; an error names those that there are.
const Points* chosen(const JsonNode& node, Sorted* all, PlanUnit* unit) {
  std::vector<std::string> not_taken;
  for (const auto& [why, count] : all->left_out)
    not_taken.push_back("not taken: " + std::to_string(count) + (count == 1 ? " record " : " records ") + why);
  const bool asked = node.has("variant");
  std::string variant = asked ? node.at("variant").text(256) : "";
  if (variant == "plain") variant = "";
  if (!asked && all->of_variant.size() == 1) variant = all->of_variant.begin()->first;
  std::set<std::string> others;
  for (const auto& [name, points] : all->of_variant) {
    if (name != variant) others.insert(variant_text(name));
  }
  const auto found = all->of_variant.find(variant);
  if (found == all->of_variant.end()) {
    std::string there = others.empty() ? "none" : joined(others, ", ");
    for (const std::string& note : not_taken) there += "; " + note;
    node.fail("expected records of prefill or decode steps of " + all->work + " with a rate" +
              (all->of_variant.empty() ? "" : ", variant " + variant_text(variant)) + ", found " + there +
              (others.empty() || asked ? "" : "; \"variant\" says which"));
    return nullptr;
  }
  if (!variant.empty()) unit->notes.push_back("records of the variant " + variant + (asked ? "" : ", the only one"));
  if (!others.empty()) {
    unit->notes.push_back("of the records those of the variant " + variant_text(variant) + ", as " +
                          (asked ? "asked" : "none was asked for") + "; not taken: " + joined(others, ", "));
  }
  unit->notes.insert(unit->notes.end(), not_taken.begin(), not_taken.end());
  if (const std::set<std::string>& options = all->options[variant]; options.size() > 1) {
    unit->notes.push_back("records ran with different adapter options (" + joined(options, "; ") +
                          "): of each step one of the whole model counts, undisturbed and the newest, whatever its "
                          "options");
  }
  return &found->second;
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

// Bytes of KV cache per token and sequence by the shape and format of the record's case; none where the record has none
// (imported).
void set_kv(const Record& r, PlanUnit* unit) {
  const Result<Case> work = case_from_json(r.case_json, r.case_id);
  if (!work.ok()) return;
  const ModelShape& m = work->model;
  const double element = dtype_bits(work->dtypes()->kv) / 8.0, index = m.index_bytes_per_token(element);
  unit->kv_bytes_per_token = m.kv_bytes_per_token(element) + index;
  if (m.window == 0) return;
  unit->kv_window_tokens = static_cast<double>(m.window);
  unit->kv_bytes_behind_window = kv_bytes_behind_window(m, element) + index;
}

struct Bytes {
  double value = 0;
  const char* from = "";
};

// What a record says it took of memory, the most trustworthy first.
Bytes bytes_taken(const Record& r) {
  if (r.taken_bytes) return {static_cast<double>(*r.taken_bytes), "by which the device's free memory fell"};
  if (r.program_bytes > 0) return {static_cast<double>(r.program_bytes), "that the adapter allocated"};
  return {static_cast<double>(r.planned_bytes), "of the step's tensors"};
}

std::string gigabytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g GB", bytes / 1e9);
  return text;
}

// The device's memory, and what is in it beside the KV cache: of the decode record that took the most, whose own cache,
// by its case and not in the unit's format, comes off. A part of a model says nothing of the whole: then its tensors
// are counted.
void add_memory(const Points& points, PlanUnit* unit) {
  const Record* most = nullptr;
  for (const auto& [step, point] : points) {
    const Record& r = *point.record;
    if (unit->memory_bytes == 0 && r.device_memory_bytes > 0) {
      unit->memory_bytes = static_cast<double>(r.device_memory_bytes);
      unit->notes.push_back("memory " + gigabytes(unit->memory_bytes) + " as record " + r.id.substr(0, 8) +
                            " has it of the device");
    }
    if (r.step_kind != "decode" || is_part(r)) continue;
    if (most == nullptr || bytes_taken(r).value > bytes_taken(*most).value) most = &r;
  }
  if (unit->weight_bytes > 0) return;
  PlanUnit ran;
  if (most != nullptr) set_kv(*most, &ran);
  if (ran.kv_bytes_per_token > 0) {
    const Bytes taken = bytes_taken(*most);
    const double cache = static_cast<double>(most->batch) * kv_bytes(ran, static_cast<double>(most->context + 1));
    if (taken.value > cache) {
      unit->weight_bytes = taken.value - cache;
      unit->notes.push_back("weights and work space " + gigabytes(unit->weight_bytes) + ": " + gigabytes(taken.value) +
                            " " + taken.from + " in record " + most->id.substr(0, 8) + ", less " + gigabytes(cache) +
                            " of KV cache by its case");
      return;
    }
  }
  const Result<Case> work = case_from_json(points.begin()->second.record->case_json, "record");
  const Result<Graph> graph = work.ok() ? lower(*work, {}) : Result<Graph>(work.error());
  if (!graph.ok()) return;
  unit->weight_bytes = static_cast<double>(graph_memory(*graph).weight_bytes);
  unit->notes.push_back("weights " + gigabytes(unit->weight_bytes) +
                        " by the model's shape: no decode record of the whole model measures them");
}

}  // namespace

void add_records(const JsonNode& node, const std::filesystem::path& folder, PlanUnit* unit) {
  node.fields({"path", "model", "dtype", "variant"});
  const std::string path = node.at("path").text(kMaxPlanText), model = node.at("model").text(256);
  const std::string dtype = node.at("dtype").text(64);
  if (path.empty()) return;
  const Result<std::vector<Record>> records = read_records(folder / path);
  if (!records.ok()) {
    node.at("path").fail(records.error().message);
    return;
  }
  Sorted all = sorted(*records, model, dtype);
  const Points* points = chosen(node, &all, unit);
  if (points == nullptr) return;
  const Record* first = points->begin()->second.record;
  for (const auto& [step, point] : *points) {
    if (point.record->basis != first->basis) {
      return node.fail("expected records of one basis, found " + first->basis + " and " + point.record->basis);
    }
    if (point.record->device_product != first->device_product) {
      return node.fail("expected records of one chip, found " + first->device_product + " and " +
                       point.record->device_product);
    }
  }
  unit->basis = first->basis;
  for (const auto& [step, point] : *points) add_point(point, unit);
  if (!(unit->kv_bytes_per_token > 0)) set_kv(*first, unit);
  add_memory(*points, unit);
}

}  // namespace assay
