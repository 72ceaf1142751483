#include "harness/run/recheck.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <tuple>

#include "harness/run/ceilings.h"
#include "harness/run/layers.h"
#include "harness/run/numerics_check.h"
#include "harness/run/routing_report.h"
#include "harness/run/stop_rule.h"
#include "results/metrics/energy.h"
#include "results/metrics/launches.h"
#include "suites/suite.h"

namespace assay {
namespace {

constexpr const char* kOfSamples = "its samples";
constexpr const char* kOfCase = "its case";
constexpr double kRounding = 1e-9;
constexpr double kOfEstimates = 1e-6;  // sums in another order, a root of a difference
constexpr double kOfReadings = 1e-3;   // a record keeps them in whole mW and uJ

std::string digits(double value) {
  std::array<char, 40> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

// Figures of one record and what they should be.
class Held {
 public:
  void fault(std::string text) { faults_.push_back(std::move(text)); }
  void number(const std::string& name, double stated, double expected, const char* of, double within = kRounding) {
    if (std::abs(stated - expected) <= within * std::max(std::abs(stated), std::abs(expected))) return;
    differs(name, digits(stated), digits(expected), of);
  }
  void number(const std::string& name, const std::optional<double>& stated, const std::optional<double>& expected,
              const char* of, double within = kRounding, const std::string& why_none = "") {
    if (stated && expected) return number(name, *stated, *expected, of, within);
    if (!stated && !expected) return;
    const std::string none = why_none.empty() ? "none" : "none (" + why_none + ")";
    differs(name, stated ? digits(*stated) : "none", expected ? digits(*expected) : none, of);
  }
  void text(const std::string& name, const std::string& stated, const std::string& expected) {
    if (stated != expected) differs(name, "\"" + stated + "\"", "\"" + expected + "\"", kOfCase);
  }
  std::vector<std::string> take() && { return std::move(faults_); }

 private:
  void differs(const std::string& name, const std::string& stated, const std::string& expected, const char* of) {
    fault(name + ": expected " + expected + ", which " + of + (of == kOfCase ? " comes to" : " come to") + ", found " +
          stated);
  }
  std::vector<std::string> faults_;
};

// Steps of a launch: its first, and how many.
struct Stretch {
  size_t first = 0, count = 0;
};

std::vector<Stretch> stretches(const Record& r) {
  if (!r.run_launches) return {{0, r.samples.host_ns.size()}};
  std::vector<Stretch> out;
  size_t first = 0;
  for (const RunLaunch& l : r.run_launches->each) {
    out.push_back({first, l.steps});
    first += l.steps;
  }
  return out;
}

std::vector<double> step_times(const Samples& s, const Stretch& of) {
  const auto begin = s.host_ns.begin() + static_cast<std::ptrdiff_t>(of.first);
  return {begin, begin + static_cast<std::ptrdiff_t>(of.count)};
}

// Steps follow one another, and the timed part lasts from a launch's first to its last.
void hold_steps(const Record& r, Held* held) {
  const Samples& s = r.samples;
  for (size_t i = 0; i + 1 < s.host_ns.size(); ++i) {
    if (s.start_ns[i + 1] >= s.start_ns[i] + s.host_ns[i]) continue;
    held->fault("samples: expected step " + std::to_string(i + 1) + " to begin when the one before had ended, at " +
                std::to_string(s.start_ns[i] + s.host_ns[i]) + " ns or later, found " +
                std::to_string(s.start_ns[i + 1]) + " ns");
    break;
  }
  double timed_s = 0;
  for (const Stretch& l : stretches(r)) {
    if (l.count == 0) continue;
    const size_t last = l.first + l.count - 1;
    timed_s += static_cast<double>(s.start_ns[last] + s.host_ns[last] - s.start_ns[l.first]) / 1e9;
  }
  held->number("stop.timed_s", r.stop.timed_s, timed_s, kOfSamples);
}

void hold_launches(const Record& r, Held* held) {
  if (!r.run_launches) return;
  const RunLaunches& launches = *r.run_launches;
  const std::vector<Stretch> parts = stretches(r);
  for (size_t i = 0; i < launches.each.size(); ++i) {
    const std::string name = "run_launches.each[" + std::to_string(i) + "].";
    const RunLaunch &stated = launches.each[i], again = launch_of(step_times(r.samples, parts[i]));
    held->number(name + "mean_step_ns", stated.mean_step_ns, again.mean_step_ns, kOfSamples);
    held->number(name + "relative_error", stated.relative_error, again.relative_error, kOfSamples, kOfEstimates);
    held->number(name + "error_dof", stated.error_dof, again.error_dof, kOfSamples, kOfEstimates);
    held->number(name + "start_ns", static_cast<double>(stated.start_ns - launches.each[0].start_ns),
                 static_cast<double>(r.samples.start_ns[parts[i].first]), kOfSamples);
  }
  if (!launches.between || launches.between->cases != 1) return;  // pooled over other records
  const std::optional<BetweenLaunches> again = between_launches({launches.each});
  held->number("run_launches.between.relative_sd", launches.between->relative_sd, again ? again->relative_sd : 0,
               kOfSamples, kOfEstimates);
}

void hold_energy(const Record& r, Held* held) {
  if (r.energy.samples.empty()) return;
  const Energy again = energy_again(r.energy);
  held->number("energy.joules", r.energy.joules, again.joules, kOfSamples, kOfReadings, again.reason);
  held->number("energy.watts_mean", r.energy.watts_mean, again.watts_mean, kOfSamples, kOfReadings, again.reason);
}

double mean_of(const std::vector<double>& x) { return launch_of(x).mean_step_ns; }

// The first launch tells the line through the layers; the pace of all launches scales it.
void hold_projection(const Record& r, const Case& c, Held* held) {
  const Extrapolation& e = *r.extrapolation;
  const Stretch first = stretches(r).front();
  std::vector<double> scratch(first.count);
  const double median = median_of(r.samples.host_ns.data(), first.count, scratch.data());
  if (e.step_ns_run_layers) held->number("extrapolation.step_ns_run_layers", *e.step_ns_run_layers, median, kOfSamples);
  if (!e.projected_step_ns || !e.step_ns_fewer_layers) return;
  LayerPlan plan;
  plan.run = e.layers_run;
  plan.total = e.layers_total;
  plan.experts_run = e.experts_run;
  plan.experts_total = e.experts_total;
  std::optional<double> projected =
      project_step_ns(median, e.layers_run, *e.step_ns_fewer_layers, e.fewer_layers, e.layers_total);
  if (!layers_tell_all(c, plan)) {
    const Result<double> span = projection_span(c, plan, e.fewer_layers, rates_of(r.ceiling));
    if (!span.ok()) return;
    projected = project_span_ns(median, *e.step_ns_fewer_layers, *span);
  }
  if (projected)
    *projected *= mean_of(step_times(r.samples, {0, r.samples.host_ns.size()})) / mean_of(step_times(r.samples, first));
  held->number("extrapolation.projected_step_ns", e.projected_step_ns, projected, kOfSamples, kOfEstimates);
}

void hold_names(const Record& r, const Case& c, Held* held) {
  held->text("suite", r.suite, c.suite);
  held->text("suite_hash", r.suite_hash, c.suite_hash);
  held->text("case_id", r.case_id, c.id());
  held->text("case_hash", r.case_hash, c.hash());
  held->text("model", r.model, c.model_name());
  held->text("dtype", r.dtype, c.dtype_label());
  held->text("step_kind", r.step_kind, step_kind_name(c.kind));
  held->text("token_class", r.token_class, c.token_class());
  for (const auto& [name, stated, expected] :
       {std::tuple{"batch", r.batch, c.batch}, std::tuple{"tokens", r.tokens, c.tokens},
        std::tuple{"context", r.context, c.context},
        std::tuple{"tokens_per_step", r.tokens_per_step, c.tokens_per_step()}}) {
    held->number(name, static_cast<double>(stated), static_cast<double>(expected), kOfCase, 0);
  }
}

void hold_routing(const Record& r, const std::optional<RoutingReport>& again, Held* held) {
  if (!r.routing || !again) return;
  if (r.routing->expert_rows != again->expert_rows)
    held->fault("routing.expert_rows: expected the rows that its case and seed come to, found others");
  held->number("routing.expert_bytes", r.routing->expert_bytes, again->expert_bytes, kOfCase);
  held->number("routing.expected_active", r.routing->expected_active, again->expected_active, kOfCase, kOfEstimates);
}

// The graph that ran: all layers, or those that the projection is from.
void hold_costs(const Record& r, const Case& c, Held* held) {
  LowerOptions options;
  if (r.extrapolation) {
    options.layers = r.extrapolation->layers_run;
    options.experts = r.extrapolation->experts_run;
  }
  const Result<Graph> graph = lower(c, options);
  if (!graph.ok()) {
    // A trace of routing lies in a file of its own, which need not be here.
    if (c.routing.kind != Routing::Kind::kTrace) held->fault("case: " + graph.error().message);
    return;
  }
  const GraphCost cost = graph_cost(*graph, scalars_of(c, *graph));
  held->number("step_flops", r.step_flops, cost.flops, kOfCase);
  held->number("step_weight_bytes", r.step_weight_bytes, cost.weight_bytes, kOfCase);
  held->number("step_kv_bytes", r.step_kv_bytes, cost.kv_bytes, kOfCase);
  held->number("step_activation_bytes", r.step_activation_bytes, cost.activation_bytes, kOfCase);
  hold_routing(r, routing_report(*graph, c), held);
}

void hold_numerics(const Record& r, Held* held) {
  if (r.numerics.verdict != "pass") return;
  for (const OpNumerics& op : r.numerics.ops) {
    if (!op.pass || op.error > op.limit)
      held->fault("numerics: expected each op to pass, as its verdict says, found " + op.op + " with an error of " +
                  digits(op.error) + " of " + digits(op.limit));
  }
}

}  // namespace

std::vector<std::string> record_disagreements(const Record& r) {
  Held held;
  if (r.basis == "reported") return {};
  const bool timed = !r.samples.host_ns.empty();
  hold_numerics(r, &held);
  if (timed) {
    hold_steps(r, &held);
    hold_launches(r, &held);
    hold_energy(r, &held);
  }
  const Result<Case> c = case_from_json(r.case_json, "case");
  if (!c.ok()) {
    held.fault(c.error().message);
    return std::move(held).take();
  }
  hold_names(r, *c, &held);
  if (timed) hold_costs(r, *c, &held);
  if (timed && r.extrapolation) hold_projection(r, *c, &held);
  return std::move(held).take();
}

}  // namespace assay
