#include "harness/run/extrapolate.h"

#include "harness/measure/clock.h"
#include "harness/run/load.h"
#include "harness/run/stop_rule.h"
#include "harness/run/timed_loop.h"

namespace assay {
namespace {

constexpr size_t kMinSteps = 3;
constexpr size_t kMaxSteps = 1000;

Result<double> median_step_ns(const Bench& bench, const Case& c, int64_t layers, double limit_s) {
  LowerOptions options;
  options.layers = layers;
  Result<Graph> graph = lower(c, options);
  if (!graph.ok()) return graph.error();
  std::unique_ptr<Program> program;
  {
    InAdapter inside(bench.pulse, "program.prepare");
    Result<std::unique_ptr<Program>> prepared = bench.adapter.prepare(*graph, bench.device);
    if (!prepared.ok()) return prepared.error();
    program = std::move(prepared).value();
  }
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

}  // namespace

Extrapolation extrapolate(const Bench& bench, const Case& c, const LayerPlan& plan, double run_median_ns,
                          double limit_s) {
  Extrapolation out;
  out.layers_run = plan.run;
  out.layers_total = plan.total;
  out.reason = plan.reason;
  out.step_ns_run_layers = run_median_ns;
  out.fewer_layers = fewer_layers(plan.run);
  if (out.fewer_layers == 0) {
    out.method = "none";
    out.reason += "; not projected: a line needs a second point, and only one layer was run";
    return out;
  }
  Result<double> fewer = median_step_ns(bench, c, out.fewer_layers, limit_s);
  if (!fewer.ok()) {
    out.method = "none";
    out.reason += "; not projected: " + fewer.error().message;
    return out;
  }
  out.step_ns_fewer_layers = *fewer;
  out.projected_step_ns = project_step_ns(run_median_ns, plan.run, *fewer, out.fewer_layers, plan.total);
  out.method = "line through the median steps of " + std::to_string(out.fewer_layers) + " and " +
               std::to_string(plan.run) + " layers, to " + std::to_string(plan.total) + " layers; basis projected";
  if (!out.projected_step_ns) {
    out.method = "none";
    out.reason += "; not projected: more layers did not take longer";
  }
  return out;
}

}  // namespace assay
