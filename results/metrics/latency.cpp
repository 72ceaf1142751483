#include "results/metrics/latency.h"

#include <algorithm>
#include <array>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "results/metrics/student.h"
#include "results/metrics/throughput.h"

namespace assay {
namespace {

constexpr size_t kMaxSeriesForPeriod = 1 << 16;  // more says nothing new of a period and costs n x lags
constexpr size_t kMaxLag = 1000;
constexpr size_t kMaxSeriesForShape = 1 << 18;  // for two groups: more shows the same two

// In double throughout: long double costs five times as much and moves no rank.
using InDouble = boost::math::policies::policy<boost::math::policies::promote_double<false>>;

// P(Bin(n, p) <= k), exact.
double binomial_cdf(uint64_t k, uint64_t n, double p) {
  if (k >= n) return 1;
  return boost::math::ibetac(static_cast<double>(k) + 1, static_cast<double>(n - k), p, InDouble());
}

// Smallest k in [0, n] with P(Bin(n, p) <= k) >= level.
uint64_t binomial_quantile(uint64_t n, double p, double level) {
  uint64_t low = 0, high = n;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (binomial_cdf(middle, n, p) >= level) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// Nearest rank of the p-quantile, 1-based; the small term keeps 0.99 * 100 at 99.
uint64_t nearest_rank(uint64_t n, double p) {
  const double rank = std::ceil(p * static_cast<double>(n) - 1e-9);
  return std::clamp<uint64_t>(static_cast<uint64_t>(std::max(rank, 1.0)), 1, n);
}

bool enough_for_value(uint64_t n, double p) { return static_cast<double>(n) * (1 - p) >= 1 - 1e-9; }

// Ranks of a quantile and its bounds in n steps that are worth n / tau independent ones.
struct QuantileRanks {
  std::optional<uint64_t> value, low, high;
};

QuantileRanks quantile_ranks(uint64_t n, double tau, double p, double confidence) {
  QuantileRanks out;
  if (enough_for_value(n, p)) out.value = nearest_rank(n, p);
  const auto independent = static_cast<uint64_t>(static_cast<double>(n) / tau);
  const RankBounds bounds = quantile_rank_bounds(independent, p, confidence);
  // Rank r of m independent values stands for the r n/m smallest of n: rounded outwards.
  const double scale = independent > 0 ? static_cast<double>(n) / static_cast<double>(independent) : 1;
  if (bounds.lower) out.low = std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(*bounds.lower) * scale));
  if (bounds.upper) {
    out.high = std::min(n, static_cast<uint64_t>(std::ceil(static_cast<double>(*bounds.upper) * scale)));
  }
  return out;
}

std::string too_few(uint64_t n, double tau, double p, double confidence) {
  // Asked for the same few quantiles of every record.
  thread_local std::map<std::pair<double, double>, uint64_t> known;
  const auto [at, fresh] = known.try_emplace({p, confidence}, 0);
  if (fresh) at->second = early_stopping_n(p, 1 - (1 - confidence) / 2, 0);
  const uint64_t needed = at->second;
  std::string out = "n = " + std::to_string(n);
  if (tau > 1) {
    const auto independent = static_cast<uint64_t>(static_cast<double>(n) / tau);
    out += ", worth " + std::to_string(independent) + " independent steps,";
  }
  return out + " < " + std::to_string(needed) + " needed for an upper bound";
}

double percentile(std::vector<double> values, double p) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(nearest_rank(values.size(), p) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// Least squares of x on time; the interval widened by the autocorrelation of the residuals.
void add_drift(const std::vector<double>& x, const std::vector<double>& start_ns, Latency* out) {
  const size_t n = x.size();
  if (n < 8) return;
  double mean_t = 0;
  for (const double t : start_ns) mean_t += t / 1e9 / static_cast<double>(n);
  double tt = 0, tx = 0;
  for (size_t i = 0; i < n; ++i) {
    const double t = start_ns[i] / 1e9 - mean_t;
    tt += t * t;
    tx += t * (x[i] - out->mean);
  }
  if (tt <= 0) return;
  const double slope = tx / tt;
  std::vector<double> residuals(n);
  double squares = 0;
  for (size_t i = 0; i < n; ++i) {
    residuals[i] = x[i] - out->mean - slope * (start_ns[i] / 1e9 - mean_t);
    squares += residuals[i] * residuals[i];
  }
  const double independent = static_cast<double>(n) / autocorrelation_time(residuals);
  const double dof = std::max(1.0, independent - 2);
  const double error = std::sqrt(squares / tt / dof);
  const double reach = student_two_sided(0.95, dof) * error;
  out->drift_per_s = slope / out->median;
  out->drift_low = (slope - reach) / out->median;
  out->drift_high = (slope + reach) / out->median;
}

// The first lag whose autocorrelation stands out as a peak after a dip.
std::optional<double> period(const std::vector<double>& x) {
  const size_t n = std::min(x.size(), kMaxSeriesForPeriod);
  if (n < 32) return std::nullopt;
  const double mean =
      std::accumulate(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n), 0.0) / static_cast<double>(n);
  double variance = 0;
  for (size_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean);
  if (variance <= 0) return std::nullopt;
  const size_t lags = std::min(n / 4, kMaxLag);
  std::vector<double> rho(lags + 1, 1.0);
  for (size_t lag = 1; lag <= lags; ++lag) {
    double sum = 0;
    for (size_t i = lag; i < n; ++i) sum += (x[i] - mean) * (x[i - lag] - mean);
    rho[lag] = sum / variance;
  }
  const double threshold = std::max(0.3, 4 / std::sqrt(static_cast<double>(n)));
  double lowest = rho[1];
  for (size_t lag = 2; lag + 1 <= lags; ++lag) {
    const bool peak = rho[lag] > rho[lag - 1] && rho[lag] >= rho[lag + 1];
    if (peak && rho[lag] > threshold && rho[lag] - lowest > 0.2) return static_cast<double>(lag);
    lowest = std::min(lowest, rho[lag]);
  }
  return std::nullopt;
}

// Two groups by the split that separates best (Otsu), between the 1st and 99th percentile: bimodal when their means are
// over 5 pooled spreads apart (Ashman's D; one normal split at its middle gives 2.65, a uniform 3.46) and each holds 5
// %.
bool is_bimodal(std::vector<double> sorted) {
  std::sort(sorted.begin(), sorted.end());
  const size_t skip = sorted.size() / 100;
  const std::vector<double> x(sorted.begin() + static_cast<std::ptrdiff_t>(skip),
                              sorted.end() - static_cast<std::ptrdiff_t>(skip));
  const size_t n = x.size();
  if (n < 50) return false;
  std::vector<double> sums(n + 1, 0), squares(n + 1, 0);
  for (size_t i = 0; i < n; ++i) {
    const double d = x[i] - x[0];
    sums[i + 1] = sums[i] + d;
    squares[i + 1] = squares[i] + d * d;
  }
  double best = -1;
  double best_d = 0;
  for (size_t k = n / 20; k <= n - n / 20; ++k) {
    if (k == 0 || k == n) continue;
    const auto a = static_cast<double>(k);
    const auto b = static_cast<double>(n - k);
    const double mean_a = sums[k] / a, mean_b = (sums[n] - sums[k]) / b;
    const double between = a * b * (mean_b - mean_a) * (mean_b - mean_a);
    if (between <= best) continue;
    best = between;
    const double var_a = std::max(0.0, squares[k] / a - mean_a * mean_a);
    const double var_b = std::max(0.0, (squares[n] - squares[k]) / b - mean_b * mean_b);
    const double spread = std::sqrt((var_a + var_b) / 2);
    best_d = spread > 0 ? (mean_b - mean_a) / spread : (mean_b > mean_a ? 1e9 : 0);
  }
  return best_d > 5;
}

// All values, or of very many a random part that shows the same shape.
std::vector<double> shape_sample(const std::vector<double>& x) {
  if (x.size() <= kMaxSeriesForShape) return x;
  std::mt19937_64 random(1);
  std::vector<double> out(kMaxSeriesForShape);
  for (double& v : out) v = x[static_cast<size_t>(random() % x.size())];
  return out;
}

// Puts the values of the ranks order[first, last) where they would stand if x[begin, end) were sorted.
void place_ranks(std::vector<double>& x, size_t begin, size_t end, const std::vector<uint64_t>& order, size_t first,
                 size_t last) {
  if (first >= last || end - begin < 2) return;
  const size_t middle = first + (last - first) / 2;
  const size_t at = order[middle] - 1;
  const auto place = [&](size_t i) { return x.begin() + static_cast<std::ptrdiff_t>(i); };
  std::nth_element(place(begin), place(at), place(end));
  place_ranks(x, begin, at, order, first, middle);
  place_ranks(x, at + 1, end, order, middle + 1, last);
}

void add_order_statistics(const std::vector<double>& x, double confidence, Latency* out) {
  constexpr std::array<double, 4> kQuantiles{0.5, 0.9, 0.99, 0.999};
  const uint64_t n = x.size();
  std::vector<uint64_t> ranks{1, (n + 1) / 2, n / 2 + 1, n, nearest_rank(n, 0.25), nearest_rank(n, 0.75)};
  std::vector<QuantileRanks> of;
  for (const double p : kQuantiles) {
    of.push_back(quantile_ranks(n, out->tau, p, confidence));
    for (const auto& rank : {of.back().value, of.back().low, of.back().high}) ranks.push_back(rank.value_or(1));
  }
  std::vector<double> values = x;
  const std::vector<double> at = values_at_ranks(values, ranks);
  out->min = at[0];
  out->median = n % 2 == 1 ? at[1] : (at[1] + at[2]) / 2;
  out->max = at[3];
  if (at[4] + at[5] > 0) out->qcd = (at[5] - at[4]) / (at[5] + at[4]);
  for (size_t i = 0; i < kQuantiles.size(); ++i) {
    Quantile q;
    q.p = kQuantiles[i];
    if (of[i].value) q.value = at[6 + 3 * i];
    if (of[i].low) q.low = at[7 + 3 * i];
    if (of[i].high) q.high = at[8 + 3 * i];
    if (!q.high) q.note = too_few(n, out->tau, q.p, confidence);
    out->quantiles.push_back(std::move(q));
  }
}

}  // namespace

RankBounds quantile_rank_bounds(uint64_t n, double p, double confidence) {
  RankBounds out;
  if (n == 0) return out;
  const double tail = (1 - confidence) / 2;
  // P(X_(l) <= q) = 1 - F(l - 1) >= 1 - tail: the largest such l.
  const uint64_t first_above = binomial_quantile(n, p, tail);
  const uint64_t lower = binomial_cdf(first_above, n, p) <= tail ? first_above + 1 : first_above;
  if (lower >= 1) out.lower = lower;
  // P(q <= X_(u)) = F(u - 1) >= 1 - tail: the smallest such u, if it is not beyond the sample.
  const uint64_t upper = binomial_quantile(n, p, 1 - tail) + 1;
  if (upper <= n) out.upper = upper;
  return out;
}

uint64_t early_stopping_n(double p, double confidence, uint64_t failures) {
  uint64_t high = failures + 1;
  const auto enough = [&](uint64_t n) { return binomial_cdf(failures, n, 1 - p) <= 1 - confidence; };
  while (!enough(high)) high *= 2;
  uint64_t low = failures + 1;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (enough(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

std::vector<double> values_at_ranks(std::vector<double>& x, const std::vector<uint64_t>& ranks) {
  std::vector<uint64_t> order = ranks;
  std::sort(order.begin(), order.end());
  order.erase(std::unique(order.begin(), order.end()), order.end());
  place_ranks(x, 0, x.size(), order, 0, order.size());
  std::vector<double> out;
  out.reserve(ranks.size());
  for (const uint64_t rank : ranks) out.push_back(x[rank - 1]);
  return out;
}

Latency latency(const std::vector<double>& x, const std::vector<double>& start_ns, double confidence) {
  Latency out;
  out.n = x.size();
  if (x.empty()) return out;
  const auto n = static_cast<double>(x.size());
  out.tau = significant_autocorrelation_time(x);
  out.mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  add_order_statistics(x, confidence, &out);
  double squares = 0;
  for (const double v : x) squares += (v - out.mean) * (v - out.mean);
  if (x.size() > 1 && out.mean > 0) out.cov = std::sqrt(squares / (n - 1)) / out.mean;
  const auto stalls = std::count_if(x.begin(), x.end(), [&](double v) { return v > 2 * out.median; });
  out.stall_rate = static_cast<double>(stalls) / n;
  if (enough_for_value(out.n - 1, 0.99)) {
    std::vector<double> changes(x.size() - 1);
    for (size_t i = 1; i < x.size(); ++i) changes[i - 1] = std::abs(x[i] - x[i - 1]);
    out.jitter_p99 = percentile(std::move(changes), 0.99);
  }
  if (const Quantile& tail = out.quantiles.back(); tail.value && out.median > 0)
    out.tail_ratio = *tail.value / out.median;
  add_drift(x, start_ns, &out);
  out.period_steps = period(x);
  out.bimodal = is_bimodal(shape_sample(x));
  return out;
}

}  // namespace assay
