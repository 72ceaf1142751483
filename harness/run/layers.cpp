#include "harness/run/layers.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace assay {
namespace {

std::string format(const char* pattern, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, value);
  return text.data();
}

Result<uint64_t> needed_bytes(const Case& c, int64_t layers, int64_t experts) {
  LowerOptions options;
  options.layers = layers;
  options.experts = experts;
  Result<Graph> graph = lower(c, options);
  if (!graph.ok()) return graph.error();
  return graph_memory(*graph).total();
}

// Relative cost of a step: seconds under rates, or FLOPs where they are unknown.
Result<double> step_cost(const Case& c, int64_t layers, const Rates& rates, int64_t experts) {
  LowerOptions options;
  options.layers = layers;
  options.experts = experts;
  Result<Graph> graph = lower(c, options);
  if (!graph.ok()) return graph.error();
  const GraphCost cost = graph_cost(*graph, step_scalars(c, *graph));
  if (rates.flops_per_s <= 0 || rates.bytes_per_s <= 0) return cost.flops;
  return cost.flops / rates.flops_per_s + (cost.weight_bytes + cost.kv_bytes) / rates.bytes_per_s;
}

// Experts that a layer may be cut down to, most first; a trace names all of them.
std::vector<int64_t> expert_choices(const Case& c) {
  if (!has_layers(c) || !c.model.has_moe()) return {0};
  const MoeShape& moe = c.model.moe;
  std::vector<int64_t> choices{moe.experts};
  if (c.routing.kind == Routing::Kind::kTrace) return choices;
  for (int64_t n = moe.experts; n % 2 == 0 && n / 2 >= min_experts(c) && n / 2 % moe.groups == 0;) {
    choices.push_back(n /= 2);
  }
  return choices;
}

// The most layers, up to `most`, that stay within `usable`; 0: none.
Result<int64_t> fitting_layers(const Case& c, int64_t most, int64_t experts, uint64_t usable) {
  int64_t low = 0;  // fits
  int64_t high = most + 1;
  while (high - low > 1) {
    const int64_t mid = (low + high) / 2;
    Result<uint64_t> needed = needed_bytes(c, mid, experts);
    if (!needed.ok()) return needed.error();
    (*needed <= usable ? low : high) = mid;
  }
  return low;
}

Error does_not_fit(const Case& c, int64_t least_experts, const std::string& needs) {
  std::string message = c.id() + " " + needs;
  Result<uint64_t> one = needed_bytes(c, std::min<int64_t>(1, case_layers(c)), least_experts);
  if (case_layers(c) > 1 && one.ok()) message += "; a single layer needs " + bytes_text(*one);
  return {ErrorKind::kOutOfMemory, message};
}

}  // namespace

LowerOptions LayerPlan::options() const {
  LowerOptions options;
  options.layers = run;
  options.experts = experts_run;
  return options;
}

std::string bytes_text(uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return format(unit == 0 ? "%.0f " : "%.1f ", value) + kUnits[unit];
}

std::optional<uint64_t> usable_bytes(const DeviceInfo& device) {
  const uint64_t free = device.memory_free_bytes != 0 ? device.memory_free_bytes : device.memory_bytes;
  if (free == 0) return std::nullopt;
  const uint64_t margin = std::max<uint64_t>(free / 33, uint64_t{64} << 20);
  return free > margin ? free - margin : 0;
}

bool has_layers(const Case& c) { return c.layers() > 0; }

bool is_ceiling(const Case& c) {
  return c.kind == StepKind::kGemm || c.kind == StepKind::kRead || c.kind == StepKind::kCopy;
}

int64_t case_layers(const Case& c) { return c.layers(); }

Result<LayerPlan> layers_by_memory(const Case& c, const DeviceInfo& device, int64_t max_layers) {
  const int64_t experts = has_layers(c) ? c.model.moe.experts : 0;
  LayerPlan plan{case_layers(c), case_layers(c), "", experts, experts};
  if (max_layers > 0 && plan.total > max_layers) {
    plan.run = max_layers;
    plan.reason = "the suite runs at most " + std::to_string(max_layers) + " layers";
  }
  Result<uint64_t> wanted = needed_bytes(c, plan.run, 0);
  if (!wanted.ok()) return wanted.error();
  const std::optional<uint64_t> usable = usable_bytes(device);
  if (!usable || *wanted <= *usable) return plan;
  Result<uint64_t> whole = needed_bytes(c, plan.total, 0);
  if (!whole.ok()) return whole.error();
  const uint64_t free = device.memory_free_bytes != 0 ? device.memory_free_bytes : device.memory_bytes;
  const std::string needs = "needs " + bytes_text(*whole) + ", " + bytes_text(free) + " free";
  const std::vector<int64_t> choices = expert_choices(c);
  LayerPlan best = plan;
  best.run = 0;
  for (const int64_t n : choices) {
    Result<int64_t> layers = fitting_layers(c, plan.run, n, *usable);
    if (!layers.ok()) return layers.error();
    if (*layers > best.run) {
      best.run = *layers;
      best.experts_run = n;
    }
    if (best.run >= std::min<int64_t>(2, plan.run)) break;  // a projection needs two points
  }
  if (best.run == 0) return does_not_fit(c, choices.back(), needs);
  best.reason += (best.reason.empty() ? "" : "; ") + std::string("the whole model ") + needs;
  if (best.experts_run < best.experts_total) {
    best.reason += "; each layer has " + std::to_string(best.experts_run) + " of its " +
                   std::to_string(best.experts_total) + " experts";
  }
  return best;
}

Result<double> estimate_step_s(const Case& c, int64_t layers, const MeasuredStep& measured, const Rates& rates,
                               int64_t experts) {
  Result<double> known = step_cost(measured.measured, measured.layers, rates, measured.experts);
  if (!known.ok()) return known.error();
  Result<double> wanted = step_cost(c, layers, rates, experts);
  if (!wanted.ok()) return wanted.error();
  return *known > 0 ? measured.step_s * *wanted / *known : measured.step_s;
}

Result<double> estimate_step_s(const Case& c, int64_t layers, const Rates& rates, int64_t experts) {
  if (rates.flops_per_s <= 0 || rates.bytes_per_s <= 0) return 0.0;
  return step_cost(c, layers, rates, experts);
}

Status layers_by_time(const Case& c, const MeasuredStep& measured, const Rates& rates, double max_step_s,
                      LayerPlan* plan) {
  Result<double> estimate = estimate_step_s(c, plan->run, measured, rates, plan->experts_run);
  if (!estimate.ok()) return estimate.error();
  if (!has_layers(c) || *estimate <= max_step_s || plan->run <= 1) return ok_status();
  int64_t low = std::min<int64_t>(2, plan->run);
  int64_t high = plan->run;
  while (high - low > 1) {
    const int64_t mid = (low + high) / 2;
    Result<double> step = estimate_step_s(c, mid, measured, rates, plan->experts_run);
    if (!step.ok()) return step.error();
    (*step <= max_step_s ? low : high) = mid;
  }
  plan->run = low;
  plan->reason += (plan->reason.empty() ? "" : "; ") + std::string("a step of all planned layers would take about ") +
                  format("%.1f s", *estimate) + format(", the limit is %.1f s", max_step_s);
  return ok_status();
}

Status run_as_before(int64_t layers, int64_t experts, LayerPlan* plan) {
  if (layers > plan->run || experts > plan->experts_run) {
    return Error{ErrorKind::kOutOfMemory, std::to_string(layers) + " layers ran in an earlier launch, " +
                                              std::to_string(plan->run) + " fit now: " + plan->reason};
  }
  plan->run = layers;
  plan->experts_run = experts;
  return ok_status();
}

int64_t fewer_layers(int64_t run) { return run > 1 ? std::max<int64_t>(1, run / 2) : 0; }

bool layers_tell_all(const Case& c, const LayerPlan& plan) {
  const bool alike = c.model.window == 0 && (!c.model.has_moe() || c.model.moe.dense_layers == 0);
  return alike && plan.experts_run == plan.experts_total;
}

Result<double> projection_span(const Case& c, const LayerPlan& plan, int64_t fewer, const Rates& rates) {
  Result<double> whole = step_cost(c, plan.total, rates, 0);
  if (!whole.ok()) return whole.error();
  Result<double> run = step_cost(c, plan.run, rates, plan.experts_run);
  if (!run.ok()) return run.error();
  Result<double> less = step_cost(c, fewer, rates, plan.experts_run);
  if (!less.ok()) return less.error();
  if (*run <= *less) return Error{ErrorKind::kInternal, "more layers do not cost more"};
  return (*whole - *run) / (*run - *less);
}

std::optional<double> project_span_ns(double run_ns, double fewer_ns, double span) {
  if (run_ns <= fewer_ns || span < 0) return std::nullopt;
  return run_ns + (run_ns - fewer_ns) * span;
}

std::optional<double> project_step_ns(double run_ns, int64_t run, double fewer_ns, int64_t fewer, int64_t total) {
  if (fewer < 1 || run <= fewer || total <= run) return std::nullopt;
  const double slope_ns = (run_ns - fewer_ns) / static_cast<double>(run - fewer);
  if (slope_ns <= 0) return std::nullopt;
  return run_ns + slope_ns * static_cast<double>(total - run);
}

}  // namespace assay
