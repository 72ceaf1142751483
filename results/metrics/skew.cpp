#include "results/metrics/skew.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <tuple>

#include "results/metrics/metrics.h"
#include "results/part.h"

namespace assay {
namespace {

constexpr int kPlacements = 400;
constexpr uint64_t kPlacementSeed = 1;

bool is_routed(const Record& r) {
  return r.status == "ok" && !cold_cache(r) && r.routing && !r.samples.host_ns.empty();
}

// Fisher-Yates by the engine's own words, the same in every standard library.
void shuffle(std::vector<double>* x, std::mt19937_64* engine) {
  for (size_t i = x->size(); i > 1; --i) std::swap((*x)[i - 1], (*x)[(*engine)() % i]);
}

std::vector<std::vector<double>> loads_of(const RoutingReport& r) {
  std::vector<std::vector<double>> out;
  const auto width = static_cast<size_t>(r.experts);
  for (size_t at = 0; at + width <= r.expert_rows.size(); at += width) {
    out.emplace_back(r.expert_rows.begin() + static_cast<std::ptrdiff_t>(at),
                     r.expert_rows.begin() + static_cast<std::ptrdiff_t>(at + width));
  }
  return out;
}

SkewPoint point_of(const MeasuredRecord& measured, bool projected, int64_t ranks) {
  const Record& r = *measured.record;
  const Metrics m = measured.metrics();
  SkewPoint p;
  p.record = r.id;
  p.case_id = r.case_id;
  p.routing = r.routing->distribution;
  if (!p.routing.starts_with("trace:")) p.seed = r.routing->seed;
  p.disturbed_by = disturbance(r);
  if (projected && r.extrapolation) {
    p.per_s = *m.projected_rate;
  } else {
    p.per_s = m.rate->per_s;
    if (m.rate->n > 1) p.interval = m.rate->interval;
  }
  const std::vector<std::vector<double>> loads = loads_of(*r.routing);
  p.active = active_experts(*r.routing);
  p.expected = r.routing->expected_active;
  p.expert_bytes = p.active * static_cast<double>(loads.size()) * r.routing->expert_bytes;
  p.imbalance = rank_imbalance(loads, ranks, kPlacements, kPlacementSeed);
  return p;
}

void rate(SkewCurve* curve) {
  for (const SkewPoint& p : curve->points) {
    const double behind = p.per_s / p.imbalance.mean;
    if (curve->rated_routing.empty() || behind < curve->rated_per_s) {
      curve->rated_per_s = behind;
      curve->rated_routing = p.routing;
    }
    if (curve->rated_one_rank_routing.empty() || p.per_s < curve->rated_one_rank_per_s) {
      curve->rated_one_rank_per_s = p.per_s;
      curve->rated_one_rank_routing = p.routing;
    }
  }
}

SkewCurve curve_of(const std::vector<MeasuredRecord>& records, const std::string& setup, int64_t ranks) {
  const Record& r = *records.front().record;
  SkewCurve out;
  out.device = r.device;
  out.model = r.model;
  out.dtype = r.dtype;
  out.options = setup;
  out.step_kind = r.step_kind;
  out.unit = work_units(r).unit;
  out.batch = r.batch;
  out.tokens = r.tokens;
  out.context = r.context;
  out.experts = r.routing->experts;
  out.top_k = r.routing->top_k;
  out.layers_run = static_cast<int64_t>(r.routing->expert_rows.size()) / std::max<int64_t>(1, r.routing->experts);
  out.ranks = ranks;
  out.basis = r.basis;
  const bool whole =
      std::all_of(records.begin(), records.end(), [](const MeasuredRecord& x) { return !x.record->extrapolation; });
  const bool projected = !whole && std::all_of(records.begin(), records.end(), [](const MeasuredRecord& x) {
    return !x.record->extrapolation || x.record->extrapolation->projected_step_ns;
  });
  out.form = whole ? "whole model" : "whole model projected";
  if (projected) out.basis = "projected";
  if (!whole && !projected) {
    out.form = is_part(r) ? part_text(r) : std::to_string(out.layers_run) + " layers";
  }
  for (const MeasuredRecord& x : records) out.points.push_back(point_of(x, projected, ranks));
  rate(&out);
  return out;
}

}  // namespace

double active_experts(const RoutingReport& r) {
  const std::vector<std::vector<double>> loads = loads_of(r);
  double active = 0;
  for (const auto& layer : loads) {
    active += static_cast<double>(std::count_if(layer.begin(), layer.end(), [](double rows) { return rows > 0; }));
  }
  return loads.empty() ? 0 : active / static_cast<double>(loads.size());
}

RankImbalance rank_imbalance(const std::vector<std::vector<double>>& loads, int64_t ranks, int placements,
                             uint64_t seed) {
  std::vector<double> gammas;
  std::mt19937_64 engine(seed);
  for (std::vector<double> layer : loads) {
    const double total = std::accumulate(layer.begin(), layer.end(), 0.0);
    if (ranks < 2 || total <= 0 || placements < 1) continue;
    for (int i = 0; i < placements; ++i) {
      shuffle(&layer, &engine);
      std::vector<double> rank(static_cast<size_t>(ranks), 0);
      for (size_t e = 0; e < layer.size(); ++e) rank[e % rank.size()] += layer[e];
      gammas.push_back(*std::max_element(rank.begin(), rank.end()) / (total / static_cast<double>(ranks)));
    }
  }
  if (gammas.empty()) return {};
  std::sort(gammas.begin(), gammas.end());
  const auto at = static_cast<size_t>(std::lround(0.95 * static_cast<double>(gammas.size() - 1)));
  return {std::accumulate(gammas.begin(), gammas.end(), 0.0) / static_cast<double>(gammas.size()), gammas[at]};
}

std::vector<SkewCurve> skew_curves(const std::vector<Record>& records, int64_t ranks) {
  return skew_curves(measured_records(records), ranks);
}

std::vector<SkewCurve> skew_curves(const std::vector<MeasuredRecord>& records, int64_t ranks) {
  using CurveKey =
      std::tuple<std::string, std::string, std::string, std::string, std::string, int64_t, int64_t, int64_t, int64_t>;
  std::vector<CurveKey> order;
  std::map<CurveKey, std::vector<MeasuredRecord>> groups;
  const Setups setups(records);
  for (const MeasuredRecord& m : records) {
    const Record& r = *m.record;
    if (!is_routed(r)) continue;
    // Experts that were cut down are another work.
    const CurveKey key{r.device,          r.suite, r.model,  r.dtype + "/" + page_layout(r) + "/" + setups.of(r),
                       r.step_kind,       r.batch, r.tokens, r.context,
                       r.routing->experts};
    if (!groups.contains(key)) order.push_back(key);
    groups[key].push_back(m);
  }
  std::vector<SkewCurve> out;
  for (const CurveKey& key : order) {
    const std::vector<MeasuredRecord>& group = groups[key];
    const bool differ = std::any_of(group.begin(), group.end(), [&](const MeasuredRecord& m) {
      return m.record->routing->distribution != group.front().record->routing->distribution;
    });
    if (differ) out.push_back(curve_of(group, setups.of(*group.front().record), ranks));
  }
  return out;
}

}  // namespace assay
