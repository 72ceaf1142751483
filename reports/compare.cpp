#include "reports/compare.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "reports/format.h"
#include "reports/partner.h"
#include "results/import/definitions.h"
#include "results/metrics/energy.h"
#include "results/metrics/launches.h"
#include "results/metrics/metrics.h"
#include "results/metrics/reported_rate.h"
#include "results/old_int8.h"
#include "results/part.h"

namespace assay {
namespace {

// What must be equal for two records to be of the same work. The definitions of measured figures are those of this
// program, which computes both from samples; reported figures carry theirs and are paired by them.
struct Key {
  std::string case_hash, dtype, tier, basis;
  int64_t layers_run = 0, experts_run = 0;
  std::string options;  // setup_text(): runs that differ in it are no repeats of each other
  [[nodiscard]] auto work() const { return std::tie(case_hash, dtype, tier, basis, layers_run, experts_run); }
  bool operator<(const Key& other) const {
    return std::tuple_cat(work(), std::tie(options)) < std::tuple_cat(other.work(), std::tie(other.options));
  }
};

Key key_of(const Record& r) {
  const Extrapolation run = r.extrapolation.value_or(Extrapolation{});
  return {r.case_hash, r.dtype, r.tier, r.basis, run.layers_run, run.experts_run, setup_text(r)};
}

bool usable(const Record& r) {
  return r.status == "ok" && !r.case_hash.empty() && (r.reported || !r.samples.host_ns.empty());
}

std::string unusable_reason(const Record& r) {
  if (r.status != "ok") return r.status + ": " + r.reason;
  return r.case_hash.empty() ? "the record names no case" : "the record has no samples";
}

using Group = std::vector<const Record*>;

std::map<Key, Group> groups_of(const CompareSide& side) {
  std::map<Key, Group> groups;
  for (const Record& r : side.records) {
    if (usable(r)) groups[key_of(r)].push_back(&r);
  }
  return groups;
}

// What weights in int8 meet: until 2026-11-26 it was f32.
std::string activations_of(const Record& r) {
  return r.dtype + " (activations and KV cache in " + (r.dtype.ends_with(kF32ActivationsMark) ? "f32" : "bf16") + ")";
}

// Why a record has no partner among the others: the nearest miss.
std::string miss_reason(const Key& key, const Record& r, const std::map<Key, Group>& others, const CompareSide& side) {
  const bool ran = std::any_of(side.records.begin(), side.records.end(),
                               [&](const Record& o) { return !usable(o) && o.case_hash == key.case_hash; });
  std::string reason = ran ? "the other side's run of it gives no figures" : "the other side has no such case";
  for (const auto& [other, group] : others) {
    const Record& o = *group.front();
    if (other.case_hash != key.case_hash) {
      const bool of_old = o.case_id != r.case_id && without_int8_mark(o.case_id) == without_int8_mark(r.case_id);
      if (of_old) reason = "other work: " + activations_of(r) + " against " + activations_of(o);
      if (o.case_id == r.case_id) reason = "same name, other case hash: model shape or lengths differ";
      continue;
    }
    if (other.basis != key.basis) return "basis " + key.basis + " against " + other.basis;
    if (other.tier != key.tier) return "tier " + key.tier + " against " + other.tier;
    if (other.dtype != key.dtype) return "dtype " + key.dtype + " against " + other.dtype;
    if (other.experts_run != key.experts_run) {
      return "experts run: " + std::to_string(key.experts_run) + " against " + std::to_string(other.experts_run);
    }
    if (other.layers_run != key.layers_run) {
      return "layers run: " + std::to_string(key.layers_run) + " against " + std::to_string(other.layers_run);
    }
    const auto named = [](const std::string& options) { return options.empty() ? "none" : options; };
    const std::string own = adapter_options_text(r), theirs = adapter_options_text(o);
    reason = own != theirs ? "adapter options " + named(own) + " against " + named(theirs)
                           : "threads " + std::to_string(r.threads) + " against " + std::to_string(o.threads);
  }
  return reason;
}

// All steps of the repeats of a case, one run after the other: where runs differ, the steps correlate over a run's
// length, and the intervals widen by it.
struct Steps {
  std::vector<double> in_order, sorted;
  double units = 0;  // of work, per step
  std::string unit;
  std::vector<double> rates, medians;  // of each run
  std::vector<const Record*> runs;
};

Steps steps_of(const Group& group) {
  Steps out;
  out.runs.assign(group.begin(), group.end());
  for (const Record* r : group) {
    const std::vector<double> x(r->samples.host_ns.begin(), r->samples.host_ns.end());
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
    std::vector<double> sorted = x;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
    out.medians.push_back(sorted[sorted.size() / 2]);
    out.rates.push_back(1 / mean);
    out.in_order.insert(out.in_order.end(), x.begin(), x.end());
  }
  out.sorted = out.in_order;
  std::sort(out.sorted.begin(), out.sorted.end());
  const WorkUnits work = work_units(*group.front());
  out.units = work.per_step;
  out.unit = work.unit;
  return out;
}

void settle(double margin, const std::vector<std::vector<double>>& repeats, MetricDifference* d) {
  d->margin = margin;
  for (const std::vector<double>& side : repeats) d->margin = margin_of_repeats(d->margin, side);
  if (d->margin > margin) d->note = "margin raised by the A/A control: repeats of one side differ by as much";
  d->ratio = ratio_of(d->a, d->b);
  d->verdict = decide(d->higher_is_better ? d->ratio : ratio_of(d->b, d->a), d->margin);
}

MetricDifference rate_difference(const Steps& a, const Steps& b, const CompareOptions& options) {
  MetricDifference d;
  d.metric = "rate";
  d.unit = a.unit;
  d.higher_is_better = true;
  const auto bounded = [&](const Steps& s) {
    const Throughput rate = rate_of_repeats(s.runs, s.units, options.confidence);
    const bool spread = s.in_order.size() > 1;
    return BoundedValue{rate.per_s, spread ? std::optional(rate.interval.low) : std::nullopt,
                        spread ? std::optional(rate.interval.high) : std::nullopt};
  };
  d.a = bounded(a);
  d.b = bounded(b);
  d.effect = probability_smaller(a.sorted, b.sorted);
  settle(options.margin, {a.rates, b.rates}, &d);
  if (!d.ratio.low) d.note = "a run of one step has no interval";
  return d;
}

std::optional<MetricDifference> quantile_difference(const Steps& a, const Steps& b, double p, const char* name,
                                                    const CompareOptions& options) {
  const auto qa = correlated_quantile(a.in_order, a.sorted, p, options.confidence);
  const auto qb = correlated_quantile(b.in_order, b.sorted, p, options.confidence);
  if (!qa || !qb) return std::nullopt;
  MetricDifference d;
  d.metric = std::string("step ") + name;
  d.unit = "ns";
  d.a = *qa;
  d.b = *qb;
  settle(options.margin, p == 0.5 ? std::vector{a.medians, b.medians} : std::vector<std::vector<double>>{}, &d);
  if (!d.ratio.low) {
    const auto independent = [](const Steps& s, double value) {  // as correlated_quantile() counts them
      std::vector<double> up_to(s.in_order.size());
      std::transform(s.in_order.begin(), s.in_order.end(), up_to.begin(), [&](double v) { return v <= value ? 1 : 0; });
      const double worth = std::max(1.0, static_cast<double>(up_to.size()) / autocorrelation_time(up_to));
      return std::to_string(static_cast<uint64_t>(worth)) + " of " + std::to_string(up_to.size());
    };
    d.note =
        "too few independent steps for a bound: " + independent(a, d.a.value) + " and " + independent(b, d.b.value);
  }
  return d;
}

// Of the last run of each side.
void add_energy(const Record& a, const Record& b, const CompareOptions& options, PairComparison* pair) {
  const std::optional<double> of_a = energy_figures(a).joules_per_token, of_b = energy_figures(b).joules_per_token;
  if (!of_a || !of_b) return;
  MetricDifference d;
  d.metric = "energy";
  d.unit = "J/token";
  d.a.value = *of_a;
  d.b.value = *of_b;
  settle(options.margin, {}, &d);
  d.note = "energy has no interval";
  pair->metrics.push_back(std::move(d));
}

void compare_measured(const Group& a, const Group& b, const CompareOptions& options, PairComparison* pair) {
  const Steps sa = steps_of(a), sb = steps_of(b);
  pair->metrics.push_back(rate_difference(sa, sb, options));
  for (const auto& [p, name] : {std::pair{0.5, "p50"}, {0.99, "p99"}, {0.999, "p99.9"}}) {
    if (auto d = quantile_difference(sa, sb, p, name, options)) pair->metrics.push_back(std::move(*d));
  }
  add_energy(*a.back(), *b.back(), options, pair);
  for (const auto& [side, group] : {std::pair{"A", &a}, {"B", &b}}) {
    for (const Record* r : *group) {
      const std::string not_checked =
          std::string(side) + ": numbers not checked" + (r->numerics.reason.empty() ? "" : ": " + r->numerics.reason);
      const bool told = !pair->unchecked.empty() && pair->unchecked.back() == not_checked;
      if (r->numerics.verdict == "not-run" && !told) pair->unchecked.push_back(not_checked);
      for (const std::string& cause : r->noise.causes) {
        if (r->noise.disturbed) pair->disturbed.push_back(std::string(side) + ": " + cause);
      }
    }
  }
}

// Figures of equal name, statistic, definition and unit. They carry no samples, so they differ and prove nothing.
void compare_reported(const Record& a, const Record& b, const CompareOptions& options, PairComparison* pair) {
  const std::optional<double> of_a = stated_accelerators(*a.reported), of_b = stated_accelerators(*b.reported);
  for (const ReportedFigure& fa : a.reported->figures) {
    const FigureDefinition* definition = find_definition(fa.definition);
    if (definition == nullptr || fa.statistic == "std") continue;
    for (const ReportedFigure& fb : b.reported->figures) {
      if (fa.name != fb.name || fa.statistic != fb.statistic || fa.definition != fb.definition || fa.unit != fb.unit)
        continue;
      if (fa.value <= 0 || fb.value <= 0) continue;
      MetricDifference d;
      d.metric = fa.name + " " + fa.statistic;
      d.unit = fa.unit;
      d.higher_is_better = definition->higher_is_better;
      d.a = {fa.value, fa.low, fa.high};
      d.b = {fb.value, fb.low, fb.high};
      settle(options.margin, {}, &d);
      if (!d.ratio.low) d.note = "reported without an interval";
      if (of_a && of_b && *of_a != *of_b)
        d.note += (d.note.empty() ? "of " : "; of ") + number_text(*of_a, 6) + " accelerators against " +
                  number_text(*of_b, 6);
      pair->metrics.push_back(std::move(d));
      break;
    }
  }
}

PairComparison compare_pair(const Key& key, const Group& a, const Group& b, const CompareOptions& options) {
  PairComparison pair;
  const Record &ra = *a.back(), &rb = *b.back();
  pair.case_id = ra.case_id;
  pair.dtype = key.dtype;
  pair.tier = key.tier;
  pair.basis = key.basis;
  pair.form = ra.form == rb.form ? ra.form : ra.form + " and " + rb.form;
  pair.device_a = ra.device_product.empty() ? ra.device : ra.device_product;
  pair.device_b = rb.device_product.empty() ? rb.device : rb.device_product;
  pair.part = part_text(ra);
  pair.piece = piece_text(ra);
  pair.runs_a = a.size();
  pair.runs_b = b.size();
  if (ra.reported) {
    compare_reported(ra, rb, options, &pair);
  } else {
    compare_measured(a, b, options, &pair);
  }
  return pair;
}

// Cases that failed or can't run on B, of which A has figures and no other run of B has. An interrupted run is none:
// its user ended it.
std::vector<Unmatched> failures(const CompareSide& b, const std::map<Key, Group>& of_a,
                                const std::map<Key, Group>& of_b) {
  const auto has = [](const std::map<Key, Group>& groups, const Record& r) {
    return std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
      return group.first.case_hash == r.case_hash && group.first.dtype == r.dtype;
    });
  };
  std::vector<Unmatched> out;
  std::set<std::pair<std::string, std::string>> known;
  for (const Record& r : b.records) {
    if (usable(r) || r.status == "interrupted" || !has(of_a, r) || has(of_b, r)) continue;
    if (known.emplace(r.case_hash, r.dtype).second) out.push_back({b.name, r.case_id, unusable_reason(r)});
  }
  return out;
}

// What neither side can run is no gap of either: out of the unmatched, into a list of its own, once per case.
void match_unsupported(const CompareSide& a, const CompareSide& b, Comparison* out) {
  using Work = std::tuple<std::string, std::string, std::string>;
  const auto work = [](const Record& r) { return Work{r.case_hash, r.dtype, r.tier}; };
  std::set<Work> run;
  std::map<Work, std::set<std::string>> refused_by;
  for (const CompareSide* side : {&a, &b}) {
    for (const Record& r : side->records) {
      if (usable(r)) run.insert(work(r));
      if (r.status == "unsupported" && !r.case_hash.empty()) refused_by[work(r)].insert(side == &a ? "a" : "b");
    }
  }
  std::set<Work> told;
  for (const CompareSide* side : {&a, &b}) {
    for (const Record& r : side->records) {
      if (usable(r)) continue;
      Unmatched refused{side->name, r.case_id, unusable_reason(r)};
      if (r.status != "unsupported" || refused_by[work(r)].size() < 2 || run.count(work(r)) != 0) {
        out->unmatched.push_back(std::move(refused));
      } else if (told.insert(work(r)).second) {
        refused.side = "both";
        out->unsupported_on_both.push_back(std::move(refused));
      }
    }
  }
}

}  // namespace

Comparison compare(const CompareSide& a, const CompareSide& b, const CompareOptions& options) {
  Comparison out;
  out.name_a = a.name;
  out.name_b = b.name;
  out.options = options;
  const std::map<Key, Group> of_a = groups_of(a), of_b = groups_of(b);
  match_unsupported(a, b, &out);
  std::vector<std::pair<const Record*, const Record*>> paired;
  std::vector<const Record*> all;
  for (const CompareSide* side : {&a, &b}) {
    for (const Record& r : side->records) all.push_back(&r);
  }
  const Setups setups(all);
  for (const auto& [key, group] : of_a) {
    const std::optional<Key> partner = partner_of(key, of_a, of_b);
    if (!partner) {
      out.unmatched.push_back({a.name, group.front()->case_id, miss_reason(key, *group.front(), of_b, b)});
      continue;
    }
    const Group& other = of_b.at(*partner);
    out.pairs.push_back(compare_pair(key, group, other, options));
    if (const std::string setup = setups.of(*group.back()), theirs = setups.of(*other.back()); setup != theirs) {
      out.pairs.back().setup = (setup.empty() ? "none" : setup) + " against " + (theirs.empty() ? "none" : theirs);
    } else {
      out.pairs.back().setup = setup;
    }
    paired.emplace_back(group.back(), other.back());
  }
  for (const auto& [key, group] : of_b) {
    if (!partner_of(key, of_b, of_a))
      out.unmatched.push_back({b.name, group.front()->case_id, miss_reason(key, *group.front(), of_a, a)});
  }
  out.failed_on_b = failures(b, of_a, of_b);
  std::sort(out.pairs.begin(), out.pairs.end(),
            [](const PairComparison& x, const PairComparison& y) { return x.case_id < y.case_id; });
  out.loads = compare_loads(a, b, options);
  out.environment = environment_differences(paired);
  return out;
}

std::vector<Record> paired_records(const CompareSide& side, const CompareSide& other) {
  const std::map<Key, Group> own = groups_of(side), others = groups_of(other);
  std::vector<Record> out;
  std::copy_if(side.records.begin(), side.records.end(), std::back_inserter(out),
               [&](const Record& r) { return usable(r) && partner_of(key_of(r), own, others); });
  return out;
}

size_t count_verdicts(const Comparison& comparison, Difference verdict) {
  size_t count = 0;
  for (const PairComparison& pair : comparison.pairs) {
    count += static_cast<size_t>(std::count_if(pair.metrics.begin(), pair.metrics.end(),
                                               [&](const MetricDifference& d) { return d.verdict == verdict; }));
  }
  return count;
}

}  // namespace assay
