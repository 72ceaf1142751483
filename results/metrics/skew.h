// What uneven routing costs: from records that differ in the routing of experts alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "results/metrics/metrics.h"
#include "results/metrics/throughput.h"
#include "results/record.h"

namespace assay {

// Imbalance gamma = fullest rank's load over the mean, of experts dealt to `ranks` at random in equal parts, none twice
// (facts C7); mean and 95th percentile over the placements.
struct RankImbalance {
  double mean = 1, p95 = 1;
};
// loads: one list per layer, one load per expert; an empty list or ranks < 2 gives 1. Deterministic for a seed.
RankImbalance rank_imbalance(const std::vector<std::vector<double>>& loads, int64_t ranks, int placements,
                             uint64_t seed);

// Experts with a row, mean of the layers that ran.
double active_experts(const RoutingReport& r);

struct SkewPoint {
  std::string case_id, routing, record;  // record: its id
  std::optional<uint64_t> seed;          // of the draw; absent where a trace is replayed
  std::string disturbed_by;              // "" where nothing disturbed the run
  double per_s = 0;
  std::optional<Interval> interval;  // of per_s; absent where projected
  double active = 0;                 // experts with a row, mean of the layers that ran
  std::optional<double> expected;    // the same by the distribution
  double expert_bytes = 0;           // of their weights, all layers that ran
  RankImbalance imbalance;
};

struct SkewCurve {
  std::string device, model, dtype, step_kind, unit;
  std::string options;  // Setups::of() among the given records
  int64_t batch = 0, tokens = 0, context = 0;
  int64_t experts = 0, top_k = 0, layers_run = 0, ranks = 0;
  std::string basis, form;        // as of ContextCurve
  std::vector<SkewPoint> points;  // in the order of the records
  // Skew-rated throughput: the least over the routings run of rate / gamma mean, as if the whole step waited for the
  // fullest rank; with one rank simply the least rate. Basis projected where ranks > 1.
  double rated_per_s = 0, rated_one_rank_per_s = 0;
  std::string rated_routing, rated_one_rank_routing;
};

// One curve for each group of ok records with at least two routings.
std::vector<SkewCurve> skew_curves(const std::vector<MeasuredRecord>& records, int64_t ranks);
std::vector<SkewCurve> skew_curves(const std::vector<Record>& records, int64_t ranks);

}  // namespace assay
