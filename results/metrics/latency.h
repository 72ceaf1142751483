// Latency determinism: order-statistic bounds that hold for any distribution (metrics.md, facts C1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assay {

// What tables bound percentiles with: each of the two bounds then holds at 99 %, so that p99 needs 459 steps and p99.9
// 4603 (metrics.md).
inline constexpr double kLatencyConfidence = 0.98;

// Ranks (1-based) l, u with P(X_(l) <= q_p) >= 1-a/2 and P(q_p <= X_(u)) >= 1-a/2; none where n is too small.
struct RankBounds {
  std::optional<uint64_t> lower, upper;
};
RankBounds quantile_rank_bounds(uint64_t n, double p, double confidence);

// Smallest n whose maximum (t = 0) bounds the p-quantile from above: early stopping of MLPerf, d = 0.
// n_min(0.99, 0.99, 0) = 459; (0.999, 0.99, 0) = 4603; (0.9, 0.99, 1) = 64.
uint64_t early_stopping_n(double p, double confidence, uint64_t failures);

struct Quantile {
  double p = 0;
  std::optional<double> value, low, high;  // value absent where n < 1/(1-p)
  std::string note;                        // "n = 120 < 459 needed for an upper bound"
};

struct Latency {
  uint64_t n = 0;
  double tau = 1;  // autocorrelation time in steps; bounds are those of n / tau independent steps
  [[nodiscard]] uint64_t independent() const { return static_cast<uint64_t>(static_cast<double>(n) / tau); }
  double min = 0, median = 0, mean = 0, max = 0;
  std::vector<Quantile> quantiles;  // p50, p90, p99, p99.9
  double cov = 0, qcd = 0, stall_rate = 0;
  std::optional<double> jitter_p99, tail_ratio;           // tail ratio p99.9/p50 needs n for p99.9
  double drift_per_s = 0, drift_low = 0, drift_high = 0;  // relative slope of step time per second, 95 %
  std::optional<double> period_steps;                     // autocorrelation peak, where one stands out
  bool bimodal = false;
};
// The values that would stand at these ranks (1-based, any order) if x were sorted; reorders x.
std::vector<double> values_at_ranks(std::vector<double>& x, const std::vector<uint64_t>& ranks);

// x: step times in ns in order; start_ns beside them (same length).
Latency latency(const std::vector<double>& x, const std::vector<double>& start_ns, double confidence);

}  // namespace assay
