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

Result<uint64_t> needed_bytes(const Case& c, int64_t layers) {
  LowerOptions options;
  options.layers = layers;
  Result<Graph> graph = lower(c, options);
  if (!graph.ok()) return graph.error();
  return graph_memory(*graph).total();
}

// Relative cost of a step: seconds under rates, or FLOPs where they are unknown.
Result<double> step_cost(const Case& c, int64_t layers, const Rates& rates) {
  LowerOptions options;
  options.layers = layers;
  Result<Graph> graph = lower(c, options);
  if (!graph.ok()) return graph.error();
  const GraphCost cost = graph_cost(*graph, std::vector<int64_t>(graph->scalars.size(), c.context));
  if (rates.flops_per_s <= 0 || rates.bytes_per_s <= 0) return cost.flops;
  return cost.flops / rates.flops_per_s + (cost.weight_bytes + cost.kv_bytes) / rates.bytes_per_s;
}

}  // namespace

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

bool has_layers(const Case& c) { return c.kind == StepKind::kPrefill || c.kind == StepKind::kDecode; }

int64_t case_layers(const Case& c) { return has_layers(c) ? c.model.layers : 0; }

Result<LayerPlan> layers_by_memory(const Case& c, const DeviceInfo& device) {
  LayerPlan plan{case_layers(c), case_layers(c), ""};
  Result<uint64_t> whole = needed_bytes(c, plan.total);
  if (!whole.ok()) return whole.error();
  const std::optional<uint64_t> usable = usable_bytes(device);
  if (!usable || *whole <= *usable) return plan;
  const uint64_t free = device.memory_free_bytes != 0 ? device.memory_free_bytes : device.memory_bytes;
  const std::string needs = "needs " + bytes_text(*whole) + ", " + bytes_text(free) + " free";
  int64_t low = 0;  // fits
  int64_t high = plan.total;
  while (high - low > 1) {
    const int64_t mid = (low + high) / 2;
    Result<uint64_t> needed = needed_bytes(c, mid);
    if (!needed.ok()) return needed.error();
    (*needed <= *usable ? low : high) = mid;
  }
  if (low == 0) {
    std::string message = c.id() + " " + needs;
    if (plan.total > 1) {
      Result<uint64_t> one = needed_bytes(c, 1);
      if (one.ok()) message += "; a single layer needs " + bytes_text(*one);
    }
    return Error{ErrorKind::kOutOfMemory, message};
  }
  plan.run = low;
  plan.reason = "the whole model " + needs;
  return plan;
}

Result<double> estimate_step_s(const Case& c, int64_t layers, const MeasuredStep& measured, const Rates& rates) {
  Result<double> known = step_cost(measured.measured, measured.layers, rates);
  if (!known.ok()) return known.error();
  Result<double> wanted = step_cost(c, layers, rates);
  if (!wanted.ok()) return wanted.error();
  return *known > 0 ? measured.step_s * *wanted / *known : measured.step_s;
}

Result<double> estimate_step_s(const Case& c, int64_t layers, const Rates& rates) {
  if (rates.flops_per_s <= 0 || rates.bytes_per_s <= 0) return 0.0;
  return step_cost(c, layers, rates);
}

Status layers_by_time(const Case& c, const MeasuredStep& measured, const Rates& rates, double max_step_s,
                      LayerPlan* plan) {
  Result<double> estimate = estimate_step_s(c, plan->run, measured, rates);
  if (!estimate.ok()) return estimate.error();
  if (!has_layers(c) || *estimate <= max_step_s || plan->run <= 1) return ok_status();
  int64_t low = std::min<int64_t>(2, plan->run);
  int64_t high = plan->run;
  while (high - low > 1) {
    const int64_t mid = (low + high) / 2;
    Result<double> step = estimate_step_s(c, mid, measured, rates);
    if (!step.ok()) return step.error();
    (*step <= max_step_s ? low : high) = mid;
  }
  plan->run = low;
  plan->reason += (plan->reason.empty() ? "" : "; ") + std::string("a step of all planned layers would take about ") +
                  format("%.1f s", *estimate) + format(", the limit is %.1f s", max_step_s);
  return ok_status();
}

int64_t fewer_layers(int64_t run) { return run > 1 ? std::max<int64_t>(1, run / 2) : 0; }

std::optional<double> project_step_ns(double run_ns, int64_t run, double fewer_ns, int64_t fewer, int64_t total) {
  if (fewer < 1 || run <= fewer || total <= run) return std::nullopt;
  const double slope_ns = (run_ns - fewer_ns) / static_cast<double>(run - fewer);
  if (slope_ns <= 0) return std::nullopt;
  return run_ns + slope_ns * static_cast<double>(total - run);
}

}  // namespace assay
