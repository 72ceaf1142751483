#include "harness/run/profile_run.h"

#include <algorithm>
#include <thread>

#include "harness/measure/host_noise.h"
#include "harness/run/ceilings.h"
#include "harness/run/load.h"
#include "harness/run/timed_loop.h"
#include "harness/run/timing_truth.h"

namespace assay {
namespace {

constexpr double kPassSeconds = 1;
constexpr uint64_t kFewestTraced = 5, kMostTraced = 200;
constexpr double kLongPassSeconds = 3;  // then two steps are enough
constexpr double kMaxStepSeconds = 2;   // of fewer layers where all take longer

double median_seconds(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

bool pass_goes_on(size_t steps, double seconds) {
  if (steps < 2) return true;
  return steps < kFewestTraced ? seconds < kLongPassSeconds : seconds < kPassSeconds && steps < kMostTraced;
}

struct HostTimes {  // of each step
  std::vector<uint64_t> start_ns;
  std::vector<double> seconds;
  Samples clocks;  // the same by host and, where there is one, device
};

// Steps for about kPassSeconds.
Result<HostTimes> run_steps(const Bench& bench, Program& program, const std::vector<int64_t>& scalars) {
  const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
  HostTimes out;
  double sum = 0;
  while (pass_goes_on(out.seconds.size(), sum)) {
    Step step;
    const StepFailure failure = run_step(program, args, bench.pulse, &step);
    if (failure.status != ASSAY_OK) return program.last_error(failure.call, failure.status);
    bench.pulse.step(out.seconds.size() + 1);
    if (bench.pulse.stop_asked()) return Error{ErrorKind::kTimeout, "stopped on request"};
    out.start_ns.push_back(step.start_ns);
    out.seconds.push_back(static_cast<double>(step.host_ns) / 1e9);
    out.clocks.host_ns.push_back(step.host_ns);
    if (step.result.device_clock != ASSAY_CLOCK_NONE) out.clocks.device_ns.push_back(step.result.device_ns);
    sum += out.seconds.back();
  }
  return out;
}

Status trace_status(const char* call, assay_status status) {
  if (status == ASSAY_OK) return ok_status();
  return Error{ErrorKind::kAdapter, std::string("trace.") + call + ": status " + std::to_string(status)};
}

struct TracedPass;

// Looks at the counters whenever the adapter asks for the time on this thread.
class CounterMarks {
 public:
  CounterMarks(Adapter& adapter, Counters& counters) : adapter_(adapter), counters_(counters) {}
  void start() {
    counters_.start();
    adapter_.watch_clock([this, thread = std::this_thread::get_id()](uint64_t t_ns) {
      if (std::this_thread::get_id() != thread) return;
      times_.push_back(t_ns);
      values_.emplace_back();
      counters_.peek(values_.back());
    });
  }
  void stop() {
    adapter_.watch_clock({});
    found_ = counters_.stop();
  }
  void sum_up(const TracedPass& pass, ProfileRun* run) const;

 private:
  [[nodiscard]] const std::vector<double>* at(uint64_t t_ns) const {
    const auto found = std::lower_bound(times_.begin(), times_.end(), t_ns);
    return found == times_.end() || *found != t_ns ? nullptr : &values_[static_cast<size_t>(found - times_.begin())];
  }

  Adapter& adapter_;
  Counters& counters_;
  std::vector<uint64_t> times_;
  std::vector<std::vector<double>> values_;
  std::vector<Counter> found_;
};

struct TracedPass {
  std::vector<ProfiledSpan> spans;  // of all steps, times as the adapter gave them
  HostTimes steps;
  uint64_t dropped = 0;
};

void CounterMarks::sum_up(const TracedPass& pass, ProfileRun* run) const {
  std::vector<OpCounter> out;
  for (const Counter& c : found_) out.push_back({c.name, c.reason, {}});
  for (OpCounter& c : out) c.by_op.assign(c.reason.empty() ? run->graph.ops.size() : 0, 0);
  for (const ProfiledSpan& s : pass.spans) {
    if (s.op == kNoOp) continue;
    const std::vector<double>*begin = at(s.begin_ns), *end = at(s.end_ns);
    if (begin == nullptr || end == nullptr) {
      run->counters_reason =
          "the adapter's ops do not run on this host, or it "
          "does not say when each begins and ends";
      return;
    }
    for (size_t i = 0; i < out.size(); ++i) {
      if (out[i].by_op.empty()) continue;
      out[i].by_op[s.op] += ((*end)[i] - (*begin)[i]) / static_cast<double>(pass.steps.seconds.size());
    }
  }
  for (OpCounter& c : out) {
    if (c.name.find("ENERGY") == std::string::npos) run->counters.push_back(std::move(c));
  }
}

// Traced steps for about kPassSeconds.
Result<TracedPass> traced_pass(const Bench& bench, Program& program, const ProfileRun& run, CounterMarks* marks) {
  const assay_trace_table& table = *bench.adapter.trace_table();
  assay_ctx* ctx = bench.adapter.ctx();
  TracedPass pass;
  Status status = trace_status("start", table.start(ctx, bench.device));
  if (!status.ok()) return status.error();
  if (marks != nullptr) marks->start();
  Result<HostTimes> steps = run_steps(bench, program, run.scalars);
  if (marks != nullptr) marks->stop();
  status = trace_status("stop", table.stop(ctx, bench.device, &pass.dropped));
  if (!steps.ok()) return steps.error();
  if (!status.ok()) return status.error();
  if (pass.dropped > 0) {  // what is left would be spread over all steps, as if each took less
    return Error{ErrorKind::kAdapter, "trace.stop: " + std::to_string(pass.dropped) +
                                          " records or launches were lost: how long each op takes can't be told"};
  }
  pass.steps = std::move(steps).value();
  struct Collected {
    std::vector<ProfiledSpan>& spans;
    uint64_t ops;
    bool valid = true;
  } collected{pass.spans, run.graph.ops.size()};
  const auto emit = [](void* arg, const assay_activity* a) {
    auto* to = static_cast<Collected*>(arg);
    const bool no_op = a->correlation == ASSAY_NO_OP;
    to->valid = to->valid && (no_op || a->correlation < to->ops) && a->end_ns >= a->begin_ns;
    if (to->valid) {
      to->spans.push_back({no_op ? kNoOp : static_cast<uint32_t>(a->correlation), a->name == nullptr ? "" : a->name,
                           a->begin_ns, a->end_ns, a->kind, a->bytes});
    }
  };
  status = trace_status("drain", table.drain(ctx, emit, &collected));
  if (!status.ok()) return status.error();
  if (!collected.valid)
    return Error{ErrorKind::kAdapter, "trace.drain: an activity of no op, or one that ends before it begins"};
  if (pass.spans.empty()) return Error{ErrorKind::kAdapter, "trace.drain: nothing was traced"};
  return pass;
}

// What belongs to no op, of one step.
std::vector<Moved> moved_of(const std::vector<ProfiledSpan>& spans, double steps) {
  std::vector<Moved> out;
  for (const ProfiledSpan& s : spans) {
    if (s.op != kNoOp) continue;
    auto same = std::find_if(out.begin(), out.end(), [&](const Moved& m) { return m.name == s.name; });
    if (same == out.end()) same = out.insert(out.end(), {s.name});
    same->count += 1 / steps;
    same->seconds += static_cast<double>(s.end_ns - s.begin_ns) / 1e9 / steps;
    same->bytes += static_cast<double>(s.bytes) / steps;
  }
  return out;
}

// By op, of each step: for how long nothing ran before its activities. Before a step's first the host is at work, which
// is no gap between two of them.
std::vector<double> gaps_of(const std::vector<std::vector<ProfiledSpan>>& steps, size_t n_ops) {
  std::vector<std::vector<double>> all(n_ops, std::vector<double>(steps.size(), 0));
  for (size_t i = 0; i < steps.size(); ++i) {
    uint64_t busy_until = steps[i].front().end_ns;
    for (const ProfiledSpan& s : steps[i]) {
      if (s.op != kNoOp && s.begin_ns > busy_until) all[s.op][i] += static_cast<double>(s.begin_ns - busy_until) / 1e9;
      busy_until = std::max(busy_until, s.end_ns);
    }
  }
  std::vector<double> out;
  out.reserve(n_ops);
  for (std::vector<double>& gaps : all) out.push_back(median_seconds(std::move(gaps)));
  return out;
}

// Activities come in the order in which they began, and those of ops are as many in every step.
Status sum_up(std::vector<ProfiledSpan> spans, const std::vector<uint64_t>& start_ns, ProfileRun* run) {
  const auto of_ops = static_cast<size_t>(
      std::count_if(spans.begin(), spans.end(), [](const ProfiledSpan& s) { return s.op != kNoOp; }));
  if (of_ops == 0 || of_ops % run->steps != 0) {
    return Error{ErrorKind::kAdapter, "trace.drain: " + std::to_string(of_ops) + " activities of " +
                                          std::to_string(run->steps) + " equal steps"};
  }
  const auto n_steps = static_cast<double>(run->steps);
  run->op_seconds.assign(run->graph.ops.size(), 0);
  run->op_calls.assign(run->graph.ops.size(), 0);
  for (const ProfiledSpan& s : spans) {
    const double seconds = static_cast<double>(s.end_ns - s.begin_ns) / 1e9 / n_steps;
    if (s.op != kNoOp) run->op_seconds[s.op] += seconds;
    run->busy_s += seconds;
  }
  run->moved = moved_of(spans, n_steps);
  const std::vector<std::vector<ProfiledSpan>> steps = steps_of(std::move(spans), of_ops / run->steps, start_ns);
  run->op_gap_seconds = gaps_of(steps, run->graph.ops.size());
  run->last = steps.back();
  const uint64_t from = run->last.front().begin_ns;
  for (ProfiledSpan& s : run->last) {
    s.begin_ns -= from;
    s.end_ns -= from;
    if (s.op != kNoOp) ++run->op_calls[s.op];
  }
  return ok_status();
}

// The program of as many layers as the plan says, loaded; its graph and scalars go to `run`.
Result<std::unique_ptr<Program>> prepared(const Bench& bench, const Case& c, uint32_t device, const LayerPlan& plan,
                                          ProfileRun* run) {
  run->layers = plan.run;
  run->layers_reason = plan.reason;
  Result<Graph> graph = lower(c, plan.options());
  if (!graph.ok()) return graph.error();
  run->graph = std::move(graph).value();
  run->scalars = scalars_of(c, run->graph);
  if (Status supported = bench.adapter.supports(run->graph, device); !supported.ok()) return supported.error();
  bench.pulse.phase(Phase::kPrepare);
  Result<std::unique_ptr<Program>> program = bench.adapter.prepare(run->graph, device);
  if (!program.ok()) return program.error();
  bench.pulse.phase(Phase::kLoad);
  Status loaded = load_tensors(run->graph, **program, bench.seed, bench.threads, bench.pulse);
  if (!loaded.ok()) return loaded.error();
  return program;
}

// As many layers as a step of kMaxStepSeconds has: by the attainable peaks before anything runs, then by its first
// step.
Result<std::unique_ptr<Program>> program_within_time(const Bench& bench, const Case& c, const DeviceInfo& device,
                                                     LayerPlan plan, ProfileRun* run, double* first_s) {
  const Rates rates = rates_of(run->ceiling);
  const auto narrow = [&](double step_s) {
    return step_s > 0 ? layers_by_time(c, {c, plan.run, step_s, plan.experts_run}, rates, kMaxStepSeconds, &plan)
                      : ok_status();
  };
  Result<double> expected = estimate_step_s(c, plan.run, rates, plan.experts_run);
  if (!expected.ok()) return expected.error();
  if (Status status = narrow(*expected); !status.ok()) return status.error();
  Result<std::unique_ptr<Program>> program = prepared(bench, c, device.index, plan, run);
  if (!program.ok()) return program;
  const assay_run_args args{sizeof(assay_run_args), 1, run->scalars.data()};
  Step step;
  const StepFailure failure = run_step(**program, args, bench.pulse, &step);
  if (failure.status != ASSAY_OK) return (*program)->last_error(failure.call, failure.status);
  *first_s = static_cast<double>(step.host_ns) / 1e9;
  const int64_t before = plan.run;
  if (*first_s < 2 * kMaxStepSeconds || bench.pulse.stop_asked()) return program;
  if (Status status = narrow(*first_s); !status.ok()) return status.error();
  if (plan.run == before) return program;
  program->reset();  // its memory first
  return prepared(bench, c, device.index, plan, run);
}

}  // namespace

std::vector<std::vector<ProfiledSpan>> steps_of(std::vector<ProfiledSpan> spans, size_t each,
                                                const std::vector<uint64_t>& start_ns) {
  std::vector<std::vector<ProfiledSpan>> out(1);
  size_t ops = 0;
  for (ProfiledSpan& s : spans) {
    const bool has_next = ops == each && out.size() < start_ns.size();
    if (has_next && (s.op != kNoOp || s.begin_ns >= start_ns[out.size()])) {
      out.emplace_back();
      ops = 0;
    }
    ops += s.op == kNoOp ? 0 : 1;
    out.back().push_back(std::move(s));
  }
  return out;
}

Result<ProfileRun> profile_run(const Bench& bench, const Case& c, const DeviceInfo& device, Counters* counters,
                               const std::string& counted_ops) {
  HostNoise noise;
  if (bench.adapter.trace_table() == nullptr)
    return Error{ErrorKind::kUnsupported, "the adapter can't say what ran when (no table trace/1)"};
  ProfileRun run;
  run.basis = device.basis;
  bench.pulse.phase(Phase::kCeiling);
  if (!is_ceiling(c)) run.ceiling = measure_ceilings(bench, c.dtype, device);
  Result<LayerPlan> plan = layers_by_memory(c, device);
  if (!plan.ok()) return plan.error();
  run.layers_total = plan->total;
  run.experts = plan->experts_run;
  double first_s = 0;
  Result<std::unique_ptr<Program>> program =
      program_within_time(bench, c, device, std::move(plan).value(), &run, &first_s);
  if (!program.ok()) return program.error();

  bench.pulse.phase(Phase::kTimed);
  if (first_s < kPassSeconds) {  // a long step warmed up
    const Result<HostTimes> warm = run_steps(bench, **program, run.scalars);
    if (!warm.ok()) return warm.error();
  }
  // As of a run: times of the adapter's own clock say nothing of this host.
  const bool watched = bench.adapter.clock_table() == nullptr;
  if (watched) noise.before();
  if (watched) noise.start();
  Result<HostTimes> plain = run_steps(bench, **program, run.scalars);
  if (!plain.ok()) return plain.error();
  Result<TracedPass> times = traced_pass(bench, **program, run, nullptr);
  if (!times.ok()) return times.error();
  if (watched) noise.stop();
  if (watched) noise.after();
  const bool on_cpu = std::string(bench.adapter.core()->name) == "cpu";
  if (watched) run.noise = noise.report(plain->start_ns.front(), on_cpu ? 1 : host_share(plain->clocks));
  if (!watched) run.noise_reason = "times are the adapter's own (clock/1)";
  run.plain_step_s = median_seconds(std::move(plain->seconds));
  run.steps = times->steps.seconds.size();
  run.dropped = times->dropped;
  run.traced_step_s = median_seconds(std::move(times->steps.seconds));
  if (counters != nullptr) {
    // A pass of its own: reading counters takes time, which would be counted to
    // the ops.
    CounterMarks marks(bench.adapter, *counters);
    Result<TracedPass> counted = traced_pass(bench, **program, run, &marks);
    if (!counted.ok()) return counted.error();
    marks.sum_up(*counted, &run);
  } else {
    run.counters_reason = "not asked for";
  }
  count_ops(**program, counted_ops, &run);
  const Status summed = sum_up(std::move(times->spans), times->steps.start_ns, &run);
  if (!summed.ok()) return summed.error();
  return run;
}

}  // namespace assay
