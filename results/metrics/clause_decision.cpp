#include <algorithm>
#include <cmath>

#include "results/metrics/clause.h"
#include "results/metrics/launches.h"
#include "results/metrics/metrics.h"
#include "results/metrics/two_sample.h"

namespace assay {
namespace {

std::vector<double> step_times(const Record& r) { return {r.samples.host_ns.begin(), r.samples.host_ns.end()}; }

bool is_over(Compare c) { return c == Compare::kAtMost || c == Compare::kBelow; }

// Whether one value keeps the limit.
bool keeps(double value, Compare compare, double limit) {
  switch (compare) {
    case Compare::kAtMost:
      return value <= limit;
    case Compare::kAtLeast:
      return value >= limit;
    case Compare::kBelow:
      return value < limit;
    case Compare::kAbove:
      break;
  }
  return value > limit;
}

// Low and high of a rate scaled to `value` in its unit.
SubjectValue scaled(const Throughput& rate, double value) {
  const double factor = rate.per_s > 0 ? value / rate.per_s : 0;
  return {value, rate.interval.low * factor, rate.interval.high * factor, ""};
}

SubjectValue rate_value(const Metrics& m, const Record& r, Quantity quantity, const Throughput& rate) {
  switch (quantity) {
    case Quantity::kRate:
      return scaled(rate, rate.per_s);
    case Quantity::kRatePerUser:
      if (r.batch > 0 && m.unit == "tokens/s") return scaled(rate, rate.per_s / static_cast<double>(r.batch));
      return {{}, {}, {}, "the record has no users: not a step of a model"};
    case Quantity::kMfu:
      if (m.mfu_attainable) return scaled(rate, *m.mfu_attainable);
      return {{}, {}, {}, m.mfu_note};
    case Quantity::kMbu:
      if (m.mbu_attainable) return scaled(rate, *m.mbu_attainable);
      return {{}, {}, {}, m.mfu_note};
    default:
      // The mean step in ns: the units of a step over the rate.
      return {1e9 / rate.per_s, 1e9 / rate.interval.high, 1e9 / rate.interval.low, ""};
  }
}

SubjectValue percentile_value(const Record& r, double p, double confidence) {
  const std::vector<double> x = step_times(r);
  std::vector<double> sorted = x;
  std::sort(sorted.begin(), sorted.end());
  const std::optional<BoundedValue> found = correlated_quantile(x, sorted, p, 2 * confidence - 1);
  if (!found) return {{}, {}, {}, "too few steps for a value"};
  return {found->value, found->low, found->high, ""};
}

// Steps that count as independent, how many of them break the limit, and the share that may.
struct Trials {
  uint64_t n = 0, broken = 0;
  size_t stride = 1;
  double tolerated = 0;
};

Trials trials_of(const Record& r, const Clause& clause) {
  const std::vector<double> x = step_times(r);
  Clause limit = clause;
  Trials out;
  if (clause.subject.quantity == Quantity::kPercentile) {
    // "p99 <= L": at most 1 % over L. "p5 >= L": at most 5 % under it.
    out.tolerated = is_over(clause.compare) ? 1 - clause.subject.p : clause.subject.p;
  } else {
    std::vector<double> sorted = x;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
    out.tolerated = clause.limit;
    limit.compare = Compare::kAtMost;
    limit.limit = 2 * sorted[sorted.size() / 2];
  }
  out.stride = static_cast<size_t>(std::ceil(significant_autocorrelation_time(x)));
  for (size_t i = 0; i < x.size(); i += out.stride) {
    ++out.n;
    out.broken += keeps(x[i], limit.compare, limit.limit) ? 0 : 1;
  }
  return out;
}

ClauseOutcome by_counting(const Record& r, const Clause& clause, double confidence) {
  ClauseOutcome out;
  out.found = subject_value(r, clause.subject, clause.unit, confidence);
  if (r.samples.host_ns.empty()) return out.note = out.found.note, out;
  const Trials trials = trials_of(r, clause);
  if (trials.tolerated <= 0 || trials.tolerated >= 1) return out.note = "a share of 0 or 1 can't be proven", out;
  out.counted = accept(trials.n, trials.broken, 1 - trials.tolerated, confidence);
  out.outcome = out.counted->verdict;
  out.note = std::to_string(trials.broken) + " of " + std::to_string(trials.n) + " steps break it";
  if (trials.stride > 1) {
    out.note += ", one in " + std::to_string(trials.stride) + " counted because they correlate over as many";
  }
  if (out.outcome == Accepted::kInconclusive) {
    out.note += "; " + std::to_string(out.counted->n_needed) + " with " + std::to_string(trials.broken) + " would pass";
  }
  return out;
}

ClauseOutcome by_bounds(const Record& r, const Clause& clause, double confidence) {
  ClauseOutcome out;
  out.found = subject_value(r, clause.subject, clause.unit, confidence);
  if (!out.found.value) return out.note = out.found.note, out;
  if (!out.found.low || !out.found.high) {
    out.outcome = keeps(*out.found.value, clause.compare, clause.limit) ? Accepted::kPass : Accepted::kFail;
    out.note = "by its value: it has no interval";
    return out;
  }
  const double worst = is_over(clause.compare) ? *out.found.high : *out.found.low;
  const double best = is_over(clause.compare) ? *out.found.low : *out.found.high;
  if (keeps(worst, clause.compare, clause.limit)) {
    out.outcome = Accepted::kPass;
  } else if (!keeps(best, clause.compare, clause.limit)) {
    out.outcome = Accepted::kFail;
  } else {
    out.note = "the limit lies within the interval: a longer run would tell";
  }
  return out;
}

}  // namespace

SubjectValue subject_value(const Record& r, const Subject& subject, const std::string& unit, double confidence) {
  const Metrics m = metrics(r);
  const bool rate_asked = subject.quantity == Quantity::kRate || subject.quantity == Quantity::kRatePerUser;
  if (!m.step || !m.rate) {
    const std::string why = r.reported ? "reported: there are no steps to judge" : r.status + ": " + r.reason;
    return {{}, {}, {}, why};
  }
  if (rate_asked && unit != m.unit) return {{}, {}, {}, "the record's rate is in " + m.unit + ", not in " + unit};
  switch (subject.quantity) {
    case Quantity::kPercentile:
      return percentile_value(r, subject.p, confidence);
    case Quantity::kMax:
      return {m.step->max, {}, {}, ""};
    case Quantity::kJitter:
      return {m.step->jitter_p99, {}, {}, m.step->jitter_p99 ? "" : "too few steps"};
    case Quantity::kTailRatio:
      return {m.step->tail_ratio, {}, {}, m.step->tail_ratio ? "" : "too few steps for p99.9"};
    case Quantity::kStallRate:
      return {m.step->stall_rate, {}, {}, ""};
    case Quantity::kJoulesPerToken:
      return {m.joules_per_token, {}, {}, m.joules_per_token ? "" : "no energy: " + m.energy_note};
    default:
      break;
  }
  const double units = subject.quantity == Quantity::kMean ? 1 : m.rate->per_s * m.step->mean / 1e9;
  // Both bounds hold at `confidence` each: a two-sided interval of twice the doubt.
  const Throughput rate = record_rate(r, units, 2 * confidence - 1);
  return rate_value(m, r, subject.quantity, rate);
}

ClauseOutcome decide_clause(const Record& record, const Clause& clause, double confidence) {
  const double held = clause.confidence.value_or(confidence);
  const Quantity quantity = clause.subject.quantity;
  // A stall rate of at least something is no promise that a count could break.
  const bool counted =
      quantity == Quantity::kPercentile || (quantity == Quantity::kStallRate && is_over(clause.compare));
  return counted ? by_counting(record, clause, held) : by_bounds(record, clause, held);
}

}  // namespace assay
