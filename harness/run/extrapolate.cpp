#include "harness/run/extrapolate.h"

#include "harness/measure/clock.h"
#include "harness/run/load.h"
#include "harness/run/stop_rule.h"
#include "harness/run/timed_loop.h"

namespace assay {
namespace {

constexpr size_t kMinSteps = 3;
constexpr size_t kMaxSteps = 1000;

Result<double> median_step_ns(const Bench& bench, const Case& c, const LowerOptions& options, double limit_s) {
  Result<Graph> graph = lower(c, options);
  if (!graph.ok()) return graph.error();
  std::unique_ptr<Program> program;
  {
    InAdapter inside(bench.pulse, "program.prepare");
    Result<std::unique_ptr<Program>> prepared = bench.adapter.prepare(*graph, bench.device);
    if (!prepared.ok()) return prepared.error();
    program = std::move(prepared).value();
  }
  program->run_cold(c.cold);
  Status loaded = load_tensors(*graph, *program, bench.seed, bench.threads, bench.pulse);
  if (!loaded.ok()) return loaded.error();
  const std::vector<int64_t> scalars = scalars_of(c, *graph);
  const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
  std::vector<uint64_t> times;
  const uint64_t begin = now_ns();
  while (times.size() <= kMinSteps ||
         (times.size() < kMaxSteps && static_cast<double>(now_ns() - begin) < limit_s * 1e9)) {
    Step step;
    const StepFailure failure = run_step(*program, args, bench.pulse, &step);
    if (failure.status != ASSAY_OK) return program->last_error(failure.call, failure.status);
    if (bench.pulse.stop_asked()) return Error{ErrorKind::kTimeout, "stopped"};
    bench.pulse.beat();
    times.push_back(step.host_ns);
  }
  std::vector<double> scratch(times.size());
  return median_of(times.data() + 1, times.size() - 1, scratch.data());
}

std::string layers_text(const LayerPlan& plan, int64_t fewer) {
  std::string text = std::to_string(fewer) + " and " + std::to_string(plan.run) + " layers";
  if (plan.experts_run < plan.experts_total) text += " of " + std::to_string(plan.experts_run) + " experts";
  text += ", to " + std::to_string(plan.total) + " layers";
  return plan.experts_run < plan.experts_total ? text + " of " + std::to_string(plan.experts_total) + " experts" : text;
}

// Fills projected_step_ns and method.
Status project(const Case& c, const LayerPlan& plan, const Rates& rates, Extrapolation* out) {
  const double run_ns = *out->step_ns_run_layers, fewer_ns = *out->step_ns_fewer_layers;
  std::string by = "line through the median steps of ";
  if (layers_tell_all(c, plan)) {
    out->projected_step_ns = project_step_ns(run_ns, plan.run, fewer_ns, out->fewer_layers, plan.total);
  } else {
    by = "line by estimated cost through the median steps of ";
    Result<double> span = projection_span(c, plan, out->fewer_layers, rates);
    if (!span.ok()) return span.error();
    out->projected_step_ns = project_span_ns(run_ns, fewer_ns, *span);
  }
  out->method = by + layers_text(plan, out->fewer_layers) + "; basis projected";
  return out->projected_step_ns ? ok_status() : Status(Error{ErrorKind::kInternal, "more layers did not take longer"});
}

}  // namespace

Extrapolation extrapolate(const Bench& bench, const Case& c, const LayerPlan& plan, double run_median_ns,
                          double limit_s, const Rates& rates) {
  Extrapolation out;
  out.layers_run = plan.run;
  out.layers_total = plan.total;
  out.experts_run = plan.experts_run;
  out.experts_total = plan.experts_total;
  out.reason = plan.reason;
  out.step_ns_run_layers = run_median_ns;
  out.fewer_layers = fewer_layers(plan.run);
  if (out.fewer_layers == 0) {
    out.method = "none";
    out.reason += "; not projected: a line needs a second point, and only one layer was run";
    return out;
  }
  LowerOptions options = plan.options();
  options.layers = out.fewer_layers;
  Result<double> fewer = median_step_ns(bench, c, options, limit_s);
  if (!fewer.ok()) {
    out.method = "none";
    out.reason += "; not projected: " + fewer.error().message;
    return out;
  }
  out.step_ns_fewer_layers = *fewer;
  const Status projected = project(c, plan, rates, &out);
  if (!projected.ok()) {
    out.method = "none";
    out.reason += "; not projected: " + projected.error().message;
  }
  return out;
}

}  // namespace assay
