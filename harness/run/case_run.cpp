#include "harness/run/case_run.h"

#include <algorithm>
#include <optional>

#include "harness/measure/affinity.h"
#include "harness/measure/clock.h"
#include "harness/measure/device_condition.h"
#include "harness/measure/host_noise.h"
#include "harness/measure/telemetry.h"
#include "harness/run/ceilings.h"
#include "harness/run/device_fields.h"
#include "harness/run/extrapolate.h"
#include "harness/run/launches.h"
#include "harness/run/load.h"
#include "harness/run/numerics_check.h"
#include "harness/run/outputs_check.h"
#include "harness/run/routing_report.h"
#include "harness/run/timed_loop.h"
#include "harness/run/timing_truth.h"
#include "results/metrics/launches.h"

namespace assay {
namespace {

// A trace program may take as much memory as the timed one, or this where that is less.
constexpr uint64_t kMinTraceBytes = uint64_t{512} << 20;
// One layer alone may exceed the longest step by this much; beyond it the case is refused.
constexpr double kMaxLayerStepFactor = 6;
constexpr double kLongStepS = 0.25;  // the slope of longer steps is checked in the first launch alone
constexpr uint64_t kIdleTelemetryNs = 200'000'000;

class CaseRun {
 public:
  CaseRun(const Job& job, const RunContext& context)
      : job_(job), context_(context), pulse_(context.pulse), record_(blank_record(job, "")) {}
  Record run();

 private:
  using Stage = Status (CaseRun::*)();
  Status request();
  Status peaks();
  Status trace();
  Status load();
  Status first_step();
  Status warm_up();
  Status timed();
  Status outputs_after(const LoopResult& loop, const StepBuffers& buffers);
  Status device_after();
  Status judge();
  Status whole_model();
  Status unsupported(const std::string& reason);
  [[nodiscard]] uint64_t free_bytes() const;
  [[nodiscard]] Bench bench() const { return {context_.adapter, device_.index, context_.threads, pulse_, job_.seed}; }
  [[nodiscard]] assay_run_args args() const { return {sizeof(assay_run_args), 1, scalars_.data()}; }
  // Times of the adapter's own clock: what happens on this host meanwhile says nothing about them.
  [[nodiscard]] bool own_time() const { return context_.adapter.clock_table() != nullptr; }
  // Times that are played back say nothing of how long to wait.
  void expect_step(double seconds) {
    if (!own_time()) pulse_.expect_step(seconds);
  }
  [[nodiscard]] bool on_cpu() const { return record_.adapter == "cpu"; }

  const Job& job_;
  const RunContext& context_;
  Pulse& pulse_;
  Record record_;
  bool refused_ = false;  // the case can't run here: unsupported, not failed
  Case case_;
  DeviceInfo device_;
  LayerPlan plan_;
  Rates rates_;
  Graph graph_;
  std::optional<KnownRows> known_;  // of the first step
  TruthVerdict truth_;              // of what the timed steps left
  std::vector<int64_t> scalars_;
  std::unique_ptr<Program> program_;
  std::optional<TelemetrySampler> telemetry_;
  HostNoise noise_;
  uint64_t step_ns_ = 0;      // the latest known
  uint64_t free_before_ = 0;  // of the device's memory, before the program was prepared
};

Status CaseRun::unsupported(const std::string& reason) {
  refused_ = true;
  return Error{ErrorKind::kUnsupported, reason};
}

Status CaseRun::request() {
  pulse_.phase(Phase::kOpen);
  Result<Case> c = case_from_json(job_.case_json, "job");
  if (!c.ok()) return c.error();
  case_ = std::move(c).value();
  Result<uint32_t> index = device_index(job_.device);
  if (!index.ok()) return index.error();
  set_adapter_fields(*context_.adapter.core(), &record_);
  std::vector<DeviceInfo> devices;
  {
    InAdapter inside(pulse_, "device_info");
    Result<std::vector<DeviceInfo>> found = context_.adapter.devices();
    if (!found.ok()) return found.error();
    devices = std::move(found).value();
  }
  if (*index >= devices.size()) {
    return bad_input("device " + job_.device + ": " + no_such_device(record_.adapter, devices.size()));
  }
  device_ = devices[*index];
  set_device_fields(device_, &record_);
  set_library_hash(job_.adapter_library, &record_);
  note_state(device_.state, &record_);
  if (own_time() && device_.basis != "simulated") {
    return Error{ErrorKind::kAdapter,
                 "the adapter brings its own clock (clock/1), which only a simulated device may; " + job_.device +
                     " is " + device_.basis};
  }
  if (context_.adapter.program_table() == nullptr) return unsupported("the adapter has no table program/1");
  if (case_.cold && !ASSAY_HAS(context_.adapter.program_table(), assay_program_table, flush_caches)) {
    return unsupported("cold: the adapter can't flush the device's caches (no program.flush_caches)");
  }

  Result<LayerPlan> plan = layers_by_memory(case_, device_, job_.policy.max_layers);
  if (!plan.ok()) {
    refused_ = plan.error().kind == ErrorKind::kOutOfMemory;
    return plan.error();
  }
  plan_ = std::move(plan).value();
  Result<Graph> graph = lower(case_, plan_.options());
  if (!graph.ok()) return graph.error();
  InAdapter inside(pulse_, "program.supports");
  Status supported = context_.adapter.supports(*graph, device_.index);
  refused_ = !supported.ok() && supported.error().kind == ErrorKind::kUnsupported;
  return supported;
}

Status CaseRun::peaks() {
  if (is_ceiling(case_)) {
    record_.ceiling.reason = "this case measures a ceiling itself";
    return ok_status();
  }
  if (const std::optional<EarlierLaunch>& earlier = job_.earlier) {
    rates_ = {earlier->flops_per_s, earlier->bytes_per_s};
    record_.ceiling = measure_ceilings_again(bench(), case_.dtype, *earlier);
    expect_step(earlier->step_s);
    return ok_status();
  }
  record_.ceiling = measure_ceilings(bench(), case_.dtype, device_);
  rates_ = rates_of(record_.ceiling);
  Result<double> layer_s = estimate_step_s(case_, has_layers(case_) ? 1 : 0, rates_, plan_.experts_run);
  if (!layer_s.ok()) return layer_s.error();
  const double limit_s = job_.policy.max_step_s * kMaxLayerStepFactor;
  if (*layer_s > limit_s) {
    return unsupported((has_layers(case_) ? "one layer alone" : "the whole") + std::string(" would take about ") +
                       std::to_string(static_cast<int64_t>(*layer_s)) + " s a step, over " +
                       std::to_string(static_cast<int64_t>(limit_s)) +
                       " s: six of the longest steps that the suite's max_step_s and --time-limit allow");
  }
  Result<double> step_s = estimate_step_s(case_, plan_.run, rates_, plan_.experts_run);
  if (!step_s.ok()) return step_s.error();
  expect_step(std::min(*step_s, std::max(job_.policy.max_step_s, 2 * *layer_s)));
  return ok_status();
}

Status CaseRun::trace() {
  pulse_.phase(Phase::kCheck);
  if (job_.earlier) return run_as_before(job_.earlier->layers, job_.earlier->experts, &plan_);
  Result<Graph> timed_graph = lower(case_, plan_.options());
  if (!timed_graph.ok()) return timed_graph.error();
  uint64_t bytes = std::max(graph_memory(*timed_graph).total(), kMinTraceBytes);
  bytes = std::min(bytes, usable_bytes(device_).value_or(bytes));
  Result<Case> traced = trace_case(case_, bytes, rates_, job_.policy.max_step_s, plan_.experts_run);
  if (!traced.ok()) return traced.error();
  Result<TraceRun> run = run_trace(bench(), *traced, job_.check_numerics, plan_.experts_run);
  if (!run.ok()) return run.error();
  record_.numerics = std::move(run->numerics);
  if (traced->hash() != case_.hash() && record_.numerics.verdict == "pass") {
    record_.numerics.reason = "ops checked at " + traced->id() + " to bound memory and time";
    record_.warnings.push_back(record_.numerics.reason);
  }
  if (record_.numerics.verdict == "fail") return Error{ErrorKind::kAdapter, "numerics: " + record_.numerics.reason};
  // Times that are played back do not grow with the work.
  if (own_time()) return ok_status();
  Status narrowed = layers_by_time(case_, run->measured, rates_, job_.policy.max_step_s, &plan_);
  if (!narrowed.ok()) return narrowed;
  Result<double> step_s = estimate_step_s(case_, plan_.run, run->measured, rates_, plan_.experts_run);
  if (!step_s.ok()) return step_s.error();
  expect_step(*step_s);
  return ok_status();
}

// Of the device, now; 0: unknown.
uint64_t CaseRun::free_bytes() const {
  InAdapter inside(pulse_, "device_info");
  const Result<DeviceInfo> now = context_.adapter.device(device_.index);
  return now.ok() ? now->memory_free_bytes : 0;
}

Status CaseRun::load() {
  pulse_.phase(Phase::kPrepare);
  Result<Graph> graph = lower(case_, plan_.options());
  if (!graph.ok()) return graph.error();
  graph_ = std::move(graph).value();
  scalars_ = scalars_of(case_, graph_);
  const GraphCost cost = graph_cost(graph_, scalars_);
  record_.step_flops = cost.flops;
  record_.step_weight_bytes = cost.weight_bytes;
  record_.step_kv_bytes = cost.kv_bytes;
  record_.step_activation_bytes = cost.activation_bytes;
  record_.routing = routing_report(graph_, case_);

  TelemetryOptions telemetry;
  telemetry.cpu_device = on_cpu();
  telemetry.power_limit_w = device_.board_power_limit_w;
  telemetry.neutral_throttle = context_.adapter.core()->abi_minor >= 2;
  telemetry_.emplace(context_.adapter.telemetry_table(), context_.adapter.ctx(), device_.index, telemetry);
  if (telemetry_->has_source()) telemetry_->measure_idle(kIdleTelemetryNs);

  record_.planned_bytes = graph_memory(graph_).total();
  pulse_.plan(record_.planned_bytes);
  free_before_ = free_bytes();
  const uint64_t begin = now_ns();
  {
    InAdapter inside(pulse_, "program.prepare");
    Result<std::unique_ptr<Program>> prepared = context_.adapter.prepare(graph_, device_.index);
    if (!prepared.ok() && prepared.error().kind == ErrorKind::kOutOfMemory) {
      return Error{ErrorKind::kOutOfMemory, "planned " + bytes_text(record_.planned_bytes) + ", " +
                                                (free_before_ > 0 ? bytes_text(free_before_) : "unknown") +
                                                " free: " + prepared.error().message};
    }
    if (!prepared.ok()) return prepared.error();
    program_ = std::move(prepared).value();
  }
  program_->run_cold(case_.cold);
  const uint64_t prepared_ns = now_ns();
  record_.prepare_s = static_cast<double>(prepared_ns - begin) / 1e9;
  pulse_.phase(Phase::kLoad);
  Status loaded = load_tensors(graph_, *program_, job_.seed, context_.threads, pulse_);
  record_.load_s = static_cast<double>(now_ns() - prepared_ns) / 1e9;
  return loaded;
}

Status CaseRun::first_step() {
  pulse_.phase(Phase::kCheck);
  const assay_run_args once = args();
  Step step;
  const StepFailure failure = run_step(*program_, once, pulse_, &step);
  if (failure.status != ASSAY_OK) return program_->last_error(failure.call, failure.status);
  step_ns_ = step.host_ns;
  expect_step(static_cast<double>(step_ns_) / 1e9);
  record_.stop.warmup_steps = 1;
  pulse_.beat();
  if (job_.check_numerics) {
    Result<std::optional<KnownRows>> known = known_rows(bench(), case_, graph_, *program_);
    if (!known.ok()) return known.error();
    known_ = std::move(known).value();
    Status checked = check_whole(bench(), case_, graph_, *program_, whole_check_budget_s(job_.form, job_.policy),
                                 &record_.numerics, &record_.stop.warmup_steps);
    if (!checked.ok()) return checked;
    if (record_.numerics.verdict == "fail") return Error{ErrorKind::kAdapter, "numerics: " + record_.numerics.reason};
  }
  set_program_fields(program_->info(), &record_);
  const uint64_t free_now = free_bytes();
  // A CPU's free memory is everybody's.
  if (!on_cpu() && free_before_ > 0 && free_now > 0) {
    record_.taken_bytes = free_before_ > free_now ? free_before_ - free_now : 0;
  }
  return ok_status();
}

Status CaseRun::warm_up() {
  pulse_.phase(Phase::kWarmup);
  if (!own_time()) noise_.before();
  const LoopResult warm = run_warmup(*program_, args(), job_.policy, 1, step_ns_, pulse_);
  record_.stop.warmup_steps += warm.n;
  record_.stop.warmup_s = static_cast<double>(warm.elapsed_ns + step_ns_) / 1e9;
  record_.stop.warmup_end = warm.reason;
  if (warm.failure.status != ASSAY_OK) return program_->last_error(warm.failure.call, warm.failure.status);
  if (warm.fastest_ns > 0) step_ns_ = warm.fastest_ns;
  return ok_status();
}

Status CaseRun::timed() {
  StepBuffers buffers(sample_capacity(step_ns_, job_.policy.time_limit_s));
  StopRule rule(job_.policy, buffers.host_ns.size());
  pulse_.phase(Phase::kTimed);
  if (!own_time()) noise_.start();
  telemetry_->start();
  context_.counters.start();
  CpuUse cpu_use;
  const LoopResult loop = run_timed(*program_, args(), job_.policy, rule, pulse_, buffers);
  const double cpus = cpu_use.cpus_used();
  record_.counters = context_.counters.stop();
  telemetry_->stop();
  if (!own_time()) noise_.stop();
  pulse_.phase(Phase::kFinish);
  Status outputs = outputs_after(loop, buffers);
  if (!own_time()) noise_.after();

  keep_samples(loop, buffers, job_.policy.launches, &record_);
  record_.stop.reason = loop.reason;
  record_.stop.timed_s = static_cast<double>(loop.elapsed_ns) / 1e9;
  record_.stop.achieved_half_width = rule.relative_half_width(buffers.host_ns.data(), loop.n);
  if (own_time()) {
    record_.warnings.push_back("times are the adapter's own (clock/1); host noise and energy were not watched");
  } else {
    record_.noise = noise_.report(buffers.start_ns[0], on_cpu() ? 1 : host_share(record_.samples));
  }
  if (case_.cold) {
    record_.energy.reason = "cold: the flushing between the steps takes energy, too";
  } else if (loop.n > 0 && !own_time()) {
    record_.energy = telemetry_->energy(buffers.start_ns[0], buffers.start_ns[0] + loop.elapsed_ns);
  }
  if (loop.n > 0 && !own_time()) {
    judge_readings(telemetry_->readings(), buffers.start_ns[0], buffers.start_ns[0] + loop.elapsed_ns, &record_);
    if (telemetry_->unread_throttle()) {
      record_.warnings.emplace_back(
          "the adapter tells that clocks were held down, or idle, in bits of its vendor (ABI before 1.2): why is "
          "unknown");
    }
  }
  if (loop.reason == std::string("fixed")) {
    record_.warnings.push_back("stopped at " + std::to_string(loop.n) + " steps: the sample buffer is full");
  }
  if (on_cpu() && fewer_cpus_than_threads(cpus, record_.threads)) {
    record_.warnings.push_back("used " + std::to_string(cpus).substr(0, 4) + " CPUs for " +
                               std::to_string(record_.threads) + " threads: affinity or other load took the rest");
  }
  if (loop.failure.status != ASSAY_OK) return program_->last_error(loop.failure.call, loop.failure.status);
  return outputs;
}

Status CaseRun::outputs_after(const LoopResult& loop, const StepBuffers& buffers) {
  if (!known_ || loop.n == 0 || loop.failure.status != ASSAY_OK || pulse_.stop_asked()) return ok_status();
  OutputsPlan plan;
  std::vector<double> scratch(loop.n);
  plan.step_ns = median_of(buffers.host_ns.data(), loop.n, scratch.data());
  plan.own_time = own_time();
  plan.other_inputs = plan.step_ns < kLongStepS * 1e9 || (job_.form == "full" && !job_.earlier);
  return check_outputs(bench(), graph_, *program_, args(), *known_, plan, &truth_);
}

Status CaseRun::device_after() {
  InAdapter inside(pulse_, "device_info");
  const Result<DeviceInfo> after = context_.adapter.device(device_.index);
  return after.ok() ? judge_state(device_.state, after->state, &record_) : after.error();
}

Status CaseRun::judge() {
  TruthVerdict verdict = truth_;
  if (verdict.failure.empty()) check_intervals(record_.samples, &verdict);
  Status slope = ok_status();
  if (verdict.failure.empty() && !(job_.earlier && job_.earlier->step_s > kLongStepS)) {
    slope = run_slope_test(*program_, scalars_, record_.samples, pulse_, &verdict);
  }
  check_plausible_rates(record_, device_.cache_bytes, &verdict);
  record_.timing_truth = verdict.outcomes;
  record_.warnings.insert(record_.warnings.end(), verdict.warnings.begin(), verdict.warnings.end());
  if (!verdict.failure.empty()) return Error{ErrorKind::kAdapter, verdict.failure};
  return slope;
}

Status CaseRun::whole_model() {
  program_.reset();
  if (plan_.whole() || job_.earlier) return ok_status();
  std::vector<double> scratch(record_.samples.host_ns.size());
  const double median_ns = median_of(record_.samples.host_ns.data(), scratch.size(), scratch.data());
  record_.extrapolation = extrapolate(bench(), case_, plan_, median_ns, job_.policy.time_limit_s / 10, rates_);
  return ok_status();
}

Record CaseRun::run() {
  constexpr Stage kStages[] = {&CaseRun::request,    &CaseRun::peaks,      &CaseRun::trace, &CaseRun::load,
                               &CaseRun::first_step, &CaseRun::warm_up,    &CaseRun::timed, &CaseRun::device_after,
                               &CaseRun::judge,      &CaseRun::whole_model};
  record_.status = "ok";
  for (const Stage stage : kStages) {
    const Status status = (this->*stage)();
    // A stop request also cuts stages short, whose error then only says so.
    if (pulse_.stop_asked()) {
      record_.status = record_.stop.reason = "interrupted";
      record_.reason = "stopped on request";
      break;
    }
    if (!status.ok()) {
      refused_ = refused_ || status.error().kind == ErrorKind::kUnsupported;  // an adapter's, as it prepared
      record_.status = refused_ ? "unsupported" : "failed";
      record_.reason = status.error().message;
      record_.stop.reason = "failed";
      break;
    }
  }
  // The adapter may hang or crash here too: still under the supervisor's eye.
  program_.reset();
  return std::move(record_);
}

}  // namespace

Record run_case(const Job& job, const RunContext& context) { return CaseRun(job, context).run(); }

}  // namespace assay
