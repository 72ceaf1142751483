#include "results/metrics/context_curve.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <tuple>

#include "results/metrics/metrics.h"
#include "results/metrics/student.h"
#include "results/part.h"
#include "suites/lower/llm.h"
#include "suites/suite.h"

namespace assay {
namespace {

constexpr double kConfidence = 0.95;
constexpr double kMemoryShare = 1 - 1.0 / 33;  // as the harness leaves free for the adapter

// device, suite, model, dtype, step kind, routing, batch, tokens
using Key = std::tuple<std::string, std::string, std::string, std::string, std::string, std::string, int64_t, int64_t>;

bool takes_part(const Record& r) {
  return r.status == "ok" && !cold_cache(r) && (r.step_kind == "prefill" || r.step_kind == "decode") &&
         !r.samples.host_ns.empty();
}

bool whole(const Record& r) { return !r.extrapolation.has_value(); }
bool projected(const Record& r) { return r.extrapolation && r.extrapolation->projected_step_ns; }

// Attention, and what makes its keys or chooses among them.
bool reads_cache(const Op& op) {
  return op.kind == ASSAY_OP_ATTENTION || op.kind == ASSAY_OP_KV_EXPAND || op.kind == ASSAY_OP_INDEX_TOPK;
}

struct Shares {
  double cache_flops = 0, other_flops = 0, cache_bytes = 0, weight_bytes = 0;
};

std::optional<Shares> shares_at(Case c, int64_t context) {
  c.context = context;
  const Result<Graph> graph = lower(c, {});
  if (!graph.ok()) return std::nullopt;
  const std::vector<int64_t> scalars = step_scalars(c, *graph);
  Shares out;
  for (const Op& op : graph->ops) {
    const OpCost cost = op_cost(*graph, op, scalars);
    (reads_cache(op) ? out.cache_flops : out.other_flops) += cost.flops;
    out.cache_bytes += cost.kv_bytes;
    out.weight_bytes += cost.weight_bytes;
  }
  return out;
}

// The least context up to `limit` for which `reached` holds, which then holds for all above.
std::optional<int64_t> least(int64_t limit, const std::function<bool(int64_t)>& reached) {
  if (limit < 0 || !reached(limit)) return std::nullopt;
  int64_t low = -1, high = limit;
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (reached(middle) ? high : low) = middle;
  }
  return high;
}

std::string not_before(int64_t limit) { return "not up to the model's limit of " + std::to_string(limit); }

void mark_knees(const Case& c, int64_t limit, ContextCurve* out) {
  const auto mark = [&](const std::function<bool(const Shares&)>& over) {
    const std::optional<int64_t> at = least(limit, [&](int64_t context) {
      const std::optional<Shares> shares = shares_at(c, context);
      return shares && over(*shares);
    });
    return ContextMark{at, at ? "" : not_before(limit)};
  };
  out->knee_flops = mark([](const Shares& s) { return s.cache_flops >= s.other_flops; });
  out->knee_bytes = mark([](const Shares& s) { return s.cache_bytes >= s.weight_bytes; });
}

void mark_largest(const Case& c, int64_t limit, uint64_t memory_bytes, ContextCurve* out) {
  if (memory_bytes == 0) {
    out->largest.note = "the device does not say how much memory it has";
    return;
  }
  const double usable = kMemoryShare * static_cast<double>(memory_bytes);
  const auto too_large = [&](int64_t context) {
    Case at = c;
    at.context = context;
    const Result<Graph> graph = lower(at, {});
    return !graph.ok() || static_cast<double>(graph_memory(*graph).total()) > usable;
  };
  const std::optional<int64_t> first = least(limit, too_large);
  if (!first) {
    out->largest = {limit, "the model's limit"};
  } else if (*first == 0) {
    out->largest.note = "none: the whole model does not fit";
  } else {
    out->largest.context = *first - 1;
  }
}

void mark_time(ContextCurve* out) {
  if (!out->time) {
    out->knee_time.note = "no line";
    return;
  }
  const Line& line = *out->time;
  if (line.slope <= 0) {
    out->knee_time.note = "the step does not grow with the context";
  } else if (line.slope_interval && line.slope_interval->low <= 0) {
    out->knee_time.note = "can't be told: the slope's interval holds 0";
  } else if (line.intercept <= 0) {
    out->knee_time.note = "attention is most of the step at any context";
  } else {
    out->knee_time.context = static_cast<int64_t>(std::ceil(line.intercept / line.slope));
  }
}

// Step times of one kind: of the whole model measured, or projected, or of as many layers in every record.
std::vector<ContextPoint> points_of(const std::vector<MeasuredRecord>& records, ContextCurve* out) {
  const bool all_whole =
      std::all_of(records.begin(), records.end(), [](const MeasuredRecord& m) { return whole(*m.record); });
  const bool all_known = std::all_of(records.begin(), records.end(),
                                     [](const MeasuredRecord& m) { return whole(*m.record) || projected(*m.record); });
  out->basis = records.front().record->basis;
  out->form = "whole model";
  if (!all_whole) out->form = all_known ? "whole model projected" : "layers";
  if (!all_whole && all_known) out->basis = "projected";
  const std::string part = part_text(*records.front().record);
  if (out->form == "layers" && !part.empty()) {
    out->form = part;
  }
  std::vector<ContextPoint> points;
  for (const MeasuredRecord& m : records) {
    const Record* r = m.record;
    ContextPoint p{r->case_id, r->id, r->context, 0, std::nullopt, disturbance(*r)};
    if (!all_whole && all_known && !whole(*r)) {
      p.step_ns = *r->extrapolation->projected_step_ns;
    } else {
      if (!all_whole && !all_known && (part.empty() || part_text(*r) != part)) continue;
      const Throughput steps = *m.metrics().rate;
      const auto units = static_cast<double>(r->tokens_per_step);
      p.step_ns = units / steps.per_s * 1e9;
      if (steps.n > 1)
        p.step_interval_ns = Interval{units / steps.interval.high * 1e9, units / steps.interval.low * 1e9};
    }
    points.push_back(p);
  }
  return points;
}

std::optional<ContextCurve> curve_of(const std::vector<MeasuredRecord>& records, const std::string& setup) {
  const Record& r = *records.front().record;
  ContextCurve out;
  out.device = r.device;
  out.model = r.model;
  out.dtype = r.dtype;
  out.options = setup;
  out.step_kind = r.step_kind;
  out.batch = r.batch;
  out.tokens = r.tokens;
  out.layout = page_layout(r);
  out.points = points_of(records, &out);
  std::vector<double> x, y;
  for (const ContextPoint& p : out.points) {
    x.push_back(static_cast<double>(p.context));
    y.push_back(p.step_ns);
  }
  out.time = fit_line(x, y);
  if (!out.time) return std::nullopt;
  mark_time(&out);
  const Result<Case> c = case_from_json(r.case_json, r.case_id);
  if (!c.ok()) {
    out.knee_flops.note = out.knee_bytes.note = out.largest.note = c.error().message;
    return out;
  }
  const double element = dtype_bits(c->dtypes()->kv) / 8.0;
  out.kv_bytes_per_token = c->model.kv_bytes_per_token(element) + c->model.index_bytes_per_token(element);
  out.window = c->model.window;
  out.kv_bytes_behind_window = kv_bytes_behind_window(c->model, element);
  const int64_t limit = c->model.max_context - c->tokens;
  mark_knees(*c, limit, &out);
  mark_largest(*c, limit, r.device_memory_bytes, &out);
  return out;
}

}  // namespace

std::optional<Line> fit_line(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  if (x.size() < 2) return std::nullopt;
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0, residual = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    mean_x += x[i] / n;
    mean_y += y[i] / n;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  if (xx <= 0) return std::nullopt;
  Line line;
  line.slope = xy / xx;
  line.intercept = mean_y - line.slope * mean_x;
  if (x.size() < 3) return line;
  for (size_t i = 0; i < x.size(); ++i) residual += std::pow(y[i] - line.intercept - line.slope * x[i], 2);
  const double half = student_two_sided(kConfidence, n - 2) * std::sqrt(residual / (n - 2) / xx);
  line.slope_interval = Interval{line.slope - half, line.slope + half};
  return line;
}

std::vector<ContextCurve> context_curves(const std::vector<Record>& records) {
  return context_curves(measured_records(records));
}

std::vector<ContextCurve> context_curves(const std::vector<MeasuredRecord>& records) {
  std::map<Key, std::vector<MeasuredRecord>> groups;
  const Setups setups(records);
  for (const MeasuredRecord& m : records) {
    const Record& r = *m.record;
    if (!takes_part(r)) continue;
    const std::string variant = (r.routing ? r.routing->distribution : "") + "/" + page_layout(r) + "/" + setups.of(r);
    groups[{r.device, r.suite, r.model, r.dtype, r.step_kind, variant, r.batch, r.tokens}].push_back(m);
  }
  std::vector<ContextCurve> out;
  for (auto& [key, group] : groups) {
    std::stable_sort(group.begin(), group.end(), [](const MeasuredRecord& a, const MeasuredRecord& b) {
      return a.record->context < b.record->context;
    });
    if (group.front().record->context == group.back().record->context) continue;
    std::optional<ContextCurve> curve = curve_of(group, setups.of(*group.front().record));
    if (curve) out.push_back(std::move(*curve));
  }
  return out;
}

}  // namespace assay
