#include "harness/run/profile_run.h"

#include <algorithm>

#include "harness/run/ceilings.h"
#include "harness/run/load.h"
#include "harness/run/timed_loop.h"

namespace assay {
namespace {

constexpr double kPassSeconds = 1;
constexpr uint64_t kFewestTraced = 5, kMostTraced = 200;

double median_seconds(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Host times of steps for about kPassSeconds.
Result<std::vector<double>> run_steps(const Bench& bench, Program& program, const std::vector<int64_t>& scalars) {
  const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
  std::vector<double> seconds;
  double sum = 0;
  while (seconds.size() < kFewestTraced || (sum < kPassSeconds && seconds.size() < kMostTraced)) {
    Step step;
    const StepFailure failure = run_step(program, args, bench.pulse, &step);
    if (failure.status != ASSAY_OK) return program.last_error(failure.call, failure.status);
    seconds.push_back(static_cast<double>(step.host_ns) / 1e9);
    sum += seconds.back();
  }
  return seconds;
}

Status trace_status(const char* call, assay_status status) {
  if (status == ASSAY_OK) return ok_status();
  return Error{ErrorKind::kAdapter, std::string("trace.") + call + ": status " + std::to_string(status)};
}

// Spans come in the order in which they ran, as many of every step.
Status sum_up(std::vector<ProfiledSpan> spans, ProfileRun* run) {
  if (spans.size() % run->steps != 0) {
    return Error{ErrorKind::kAdapter, "trace.drain: " + std::to_string(spans.size()) + " activities of " +
                                          std::to_string(run->steps) + " equal steps"};
  }
  run->op_seconds.assign(run->graph.ops.size(), 0);
  run->op_calls.assign(run->graph.ops.size(), 0);
  for (const ProfiledSpan& s : spans) {
    const double seconds = static_cast<double>(s.end_ns - s.begin_ns) / 1e9 / static_cast<double>(run->steps);
    run->op_seconds[s.op] += seconds;
    run->busy_s += seconds;
  }
  run->last.assign(spans.end() - static_cast<std::ptrdiff_t>(spans.size() / run->steps), spans.end());
  const uint64_t from = run->last.front().begin_ns;
  for (ProfiledSpan& s : run->last) {
    s.begin_ns -= from;
    s.end_ns -= from;
    ++run->op_calls[s.op];
  }
  return ok_status();
}

}  // namespace

Result<ProfileRun> profile_run(const Bench& bench, const Case& c, const DeviceInfo& device) {
  const assay_trace_table* table = bench.adapter.trace_table();
  if (table == nullptr) return Error{ErrorKind::kUnsupported, "the adapter can't say what ran when (no table trace/1)"};
  assay_ctx* ctx = bench.adapter.ctx();
  ProfileRun run;
  if (!is_ceiling(c)) run.ceiling = measure_ceilings(bench, c.dtype, device);
  Result<LayerPlan> plan = layers_by_memory(c, device);
  if (!plan.ok()) return plan.error();
  run.layers = plan->run;
  run.layers_total = plan->total;
  Result<Graph> graph = lower(c, plan->options());
  if (!graph.ok()) return graph.error();
  run.graph = std::move(graph).value();
  run.scalars = scalars_of(c, run.graph);
  if (Status supported = bench.adapter.supports(run.graph, device.index); !supported.ok()) return supported.error();
  Result<std::unique_ptr<Program>> program = bench.adapter.prepare(run.graph, device.index);
  if (!program.ok()) return program.error();
  Status loaded = load_tensors(run.graph, **program, bench.seed, bench.threads, bench.pulse);
  if (!loaded.ok()) return loaded.error();

  for (int pass = 0; pass < 2; ++pass) {  // the first warms up
    Result<std::vector<double>> plain = run_steps(bench, **program, run.scalars);
    if (!plain.ok()) return plain.error();
    run.plain_step_s = median_seconds(std::move(plain).value());
  }
  Status status = trace_status("start", table->start(ctx, device.index));
  if (!status.ok()) return status.error();
  Result<std::vector<double>> seconds = run_steps(bench, **program, run.scalars);
  status = trace_status("stop", table->stop(ctx, device.index, &run.dropped));
  if (!seconds.ok()) return seconds.error();
  if (!status.ok()) return status.error();
  run.steps = seconds->size();
  run.traced_step_s = median_seconds(std::move(seconds).value());
  struct Collected {
    std::vector<ProfiledSpan> spans;
    uint64_t ops;
    bool valid = true;
  } collected{{}, run.graph.ops.size()};
  const auto emit = [](void* arg, const assay_activity* a) {
    auto* to = static_cast<Collected*>(arg);
    to->valid = to->valid && a->correlation < to->ops && a->end_ns >= a->begin_ns;
    if (to->valid) {
      to->spans.push_back(
          {static_cast<uint32_t>(a->correlation), a->name == nullptr ? "" : a->name, a->begin_ns, a->end_ns});
    }
  };
  status = trace_status("drain", table->drain(ctx, emit, &collected));
  if (!status.ok()) return status.error();
  if (!collected.valid)
    return Error{ErrorKind::kAdapter, "trace.drain: an activity of no op, or one that ends before it begins"};
  if (collected.spans.empty()) return Error{ErrorKind::kAdapter, "trace.drain: nothing was traced"};
  status = sum_up(std::move(collected.spans), &run);
  if (!status.ok()) return status.error();
  return run;
}

}  // namespace assay
