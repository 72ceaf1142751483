#include "results/metrics/two_sample.h"

#include <algorithm>
#include <cmath>

#include "results/metrics/latency.h"
#include "results/metrics/throughput.h"

namespace assay {
namespace {

bool has_log_interval(const BoundedValue& x) { return x.value > 0 && x.low && x.high && *x.low > 0 && *x.high > 0; }

}  // namespace

Ratio ratio_of(const BoundedValue& a, const BoundedValue& b) {
  Ratio out;
  out.value = b.value / a.value;
  if (!has_log_interval(a) || !has_log_interval(b)) return out;
  const auto below = [](const BoundedValue& x) { return std::log(x.value / *x.low); };
  const auto above = [](const BoundedValue& x) { return std::log(*x.high / x.value); };
  out.low = out.value * std::exp(-std::hypot(below(b), above(a)));
  out.high = out.value * std::exp(std::hypot(above(b), below(a)));
  return out;
}

const char* difference_name(Difference d) {
  switch (d) {
    case Difference::kSame:
      return "SAME";
    case Difference::kFaster:
      return "FASTER";
    case Difference::kSlower:
      return "SLOWER";
    case Difference::kAmbiguous:
      break;
  }
  return "AMBIGUOUS";
}

Difference decide(const Ratio& speed, double margin) {
  if (!speed.low || !speed.high) return Difference::kAmbiguous;
  const double most = 1 + margin, least = 1 / most;
  if (*speed.low > most) return Difference::kFaster;
  if (*speed.high < least) return Difference::kSlower;
  if (*speed.low >= least && *speed.high <= most) return Difference::kSame;
  return Difference::kAmbiguous;
}

double margin_of_repeats(double margin, const std::vector<double>& repeats) {
  if (repeats.size() < 2) return margin;
  const auto [least, most] = std::minmax_element(repeats.begin(), repeats.end());
  return *least > 0 ? std::max(margin, *most / *least - 1) : margin;
}

std::optional<BoundedValue> correlated_quantile(const std::vector<double>& x, const std::vector<double>& sorted,
                                                double p, double confidence) {
  const auto n = static_cast<double>(sorted.size());
  if (n * (1 - p) < 1 - 1e-9) return std::nullopt;
  const auto rank = static_cast<size_t>(std::max(1.0, std::ceil(p * n - 1e-9)));
  BoundedValue out;
  out.value = sorted[rank - 1];
  std::vector<double> indicator(x.size());
  std::transform(x.begin(), x.end(), indicator.begin(), [&](double v) { return v <= out.value ? 1.0 : 0.0; });
  const double worth = std::max(1.0, std::floor(n / autocorrelation_time(indicator)));
  const RankBounds ranks = quantile_rank_bounds(static_cast<uint64_t>(worth), p, confidence);
  // Rank r of the fewer values stands for the n / worth ranks up to it: the outer one of them bounds.
  const double each = n / worth;
  if (ranks.lower) out.low = sorted[static_cast<size_t>(std::floor(static_cast<double>(*ranks.lower - 1) * each))];
  if (ranks.upper) {
    const double upper = std::min(n, std::ceil(static_cast<double>(*ranks.upper) * each));
    out.high = sorted[static_cast<size_t>(upper) - 1];
  }
  return out;
}

double probability_smaller(const std::vector<double>& sorted_a, const std::vector<double>& sorted_b) {
  if (sorted_a.empty() || sorted_b.empty()) return 0.5;
  double wins = 0;  // of b, in pairs; half for a tie
  size_t less = 0, up_to = 0;
  for (const double b : sorted_b) {
    while (less < sorted_a.size() && sorted_a[less] < b) ++less;
    up_to = std::max(up_to, less);
    while (up_to < sorted_a.size() && sorted_a[up_to] <= b) ++up_to;
    wins += static_cast<double>(sorted_a.size() - up_to) + static_cast<double>(up_to - less) / 2;
  }
  return wins / static_cast<double>(sorted_a.size()) / static_cast<double>(sorted_b.size());
}

}  // namespace assay
