#include "results/metrics/launches.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "results/metrics/student.h"

namespace assay {
namespace {

constexpr uint64_t kSeed = 1;

double square(double x) { return x * x; }

// Mean of the launches' own relative variances; none where no launch has one.
std::optional<double> own_variance(const std::vector<RunLaunch>& launches) {
  double sum = 0, count = 0;
  for (const RunLaunch& l : launches) {
    if (!l.relative_error) continue;
    sum += square(*l.relative_error);
    ++count;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

// What the launches of a case differ by.
struct CaseSpread {
  double squares = 0;  // S_i
  double dof = 0;
  double own = 0;  // w_i
};

CaseSpread spread_of(const std::vector<RunLaunch>& launches) {
  const auto k = static_cast<double>(launches.size());
  CaseSpread out{0, k - 1, own_variance(launches).value_or(0)};
  double mean = 0;
  for (const RunLaunch& l : launches) mean += std::log(l.mean_step_ns) / k;
  for (const RunLaunch& l : launches) out.squares += square(std::log(l.mean_step_ns) - mean);
  return out;
}

// s_b^2 of the header; the sum falls with it, and is at most `dof` from sum S_i / dof on.
double paule_mandel(const std::vector<CaseSpread>& spreads, double dof) {
  const auto too_small = [&](double variance) {
    double sum = 0;
    for (const CaseSpread& s : spreads) sum += s.squares > 0 ? s.squares / (variance + s.own) : 0;
    return sum > dof;
  };
  if (!too_small(0)) return 0;
  double low = 0, high = 0;
  for (const CaseSpread& s : spreads) high += s.squares / dof;
  constexpr int kHalvings = 60;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (too_small(middle) ? low : high) = middle;
  }
  return high;
}

}  // namespace

RunLaunch launch_of(const std::vector<double>& step_ns) {
  RunLaunch out;
  const auto n = static_cast<double>(step_ns.size());
  out.steps = step_ns.size();
  out.mean_step_ns = std::accumulate(step_ns.begin(), step_ns.end(), 0.0) / n;
  if (step_ns.size() < 2 || !(out.mean_step_ns > 0)) return out;
  double squares = 0;
  for (const double x : step_ns) squares += square(x - out.mean_step_ns);
  const double tau = std::min(autocorrelation_time(step_ns), n / 2);  // two values of information at the least
  out.relative_error = std::sqrt(squares / (n - 1) * tau / n) / out.mean_step_ns;
  out.error_dof = std::max(1.0, n / tau - 1);
  return out;
}

std::optional<BetweenLaunches> between_launches(const std::vector<std::vector<RunLaunch>>& cases) {
  std::vector<CaseSpread> spreads;
  BetweenLaunches out;
  for (const std::vector<RunLaunch>& launches : cases) {
    const bool timed =
        std::all_of(launches.begin(), launches.end(), [](const RunLaunch& l) { return l.mean_step_ns > 0; });
    if (launches.size() < 2 || !timed) continue;
    spreads.push_back(spread_of(launches));
    out.dof += spreads.back().dof;
  }
  if (spreads.empty()) return std::nullopt;
  const double variance = paule_mandel(spreads, out.dof);
  double information = 0;  // without bound where nothing varies
  for (const CaseSpread& s : spreads) information += s.dof / (variance + s.own);
  out.formula = kLaunchFormula;
  out.relative_sd = std::sqrt(variance);
  out.variance_error = std::sqrt(2 * out.dof) / information;
  out.cases = static_cast<int64_t>(spreads.size());
  return out;
}

LaunchUncertainty launch_uncertainty(const std::vector<RunLaunch>& launches, const BetweenLaunches& between) {
  double total = 0, shares = 0, own = 0, own_spread = 0;
  for (const RunLaunch& l : launches) total += l.mean_step_ns * static_cast<double>(l.steps);
  const std::optional<double> usual = own_variance(launches);
  for (const RunLaunch& l : launches) {
    const double share = square(l.mean_step_ns * static_cast<double>(l.steps) / total);
    const double variance = l.relative_error ? square(*l.relative_error) : usual.value_or(0);
    shares += share;
    own += share * variance;
    if (l.relative_error) own_spread += square(share * variance) / l.error_dof;
  }
  const double variance = square(between.relative_sd) * shares + own;
  const double spread = square(between.variance_error * shares) / 2 + own_spread;
  return {std::sqrt(variance), spread > 0 ? std::max(1.0, square(variance) / spread) : between.dof};
}

Throughput record_rate(const Record& record, double units_per_step, double confidence) {
  return rate_of_repeats({&record}, units_per_step, confidence);
}

Throughput rate_of_repeats(const std::vector<const Record*>& records, double units_per_step, double confidence) {
  std::vector<double> steps;
  std::vector<RunLaunch> launches;
  double squares = 0, errors = 0;
  BetweenLaunches between;
  bool known = !records.empty();
  for (const Record* r : records) {
    steps.insert(steps.end(), r->samples.host_ns.begin(), r->samples.host_ns.end());
    known = known && r->run_launches && r->run_launches->between;
    if (!known) continue;
    const BetweenLaunches& b = *r->run_launches->between;
    launches.insert(launches.end(), r->run_launches->each.begin(), r->run_launches->each.end());
    squares += b.dof * square(b.relative_sd);
    errors += square(b.dof * b.variance_error);
    between.dof += b.dof;
  }
  if (!known) return throughput(steps, units_per_step, confidence, kSeed);
  Throughput out;
  out.n = steps.size();
  const double mean = std::accumulate(steps.begin(), steps.end(), 0.0) / static_cast<double>(steps.size());
  if (!(mean > 0)) return out;
  between.relative_sd = std::sqrt(squares / between.dof);
  between.variance_error = std::sqrt(errors) / between.dof;
  const LaunchUncertainty u = launch_uncertainty(launches, between);
  const double factor = std::exp(student_two_sided(confidence, u.dof) * u.relative);
  out.per_s = units_per_step / mean * 1e9;
  out.interval = {out.per_s / factor, out.per_s * factor};
  return out;
}

}  // namespace assay
