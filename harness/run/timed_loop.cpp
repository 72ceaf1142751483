#include "harness/run/timed_loop.h"

#include <algorithm>

#include "harness/run/warmup.h"

namespace assay {
namespace {

// Of a launch: one step has no interval unless there are other launches.
uint64_t fewest_steps(const RunPolicy& policy) { return policy.launches > 1 ? 1 : 2; }

}  // namespace

uint64_t sample_capacity(uint64_t step_ns, double time_limit_s) {
  const double steps = 1.5 * time_limit_s * 1e9 / static_cast<double>(std::max<uint64_t>(step_ns, 1));
  return std::clamp<uint64_t>(static_cast<uint64_t>(std::min(steps, 1e12)), 4096, kMaxSamples);
}

StepFailure run_step(Program& program, const assay_run_args& args, Pulse& pulse, Step* step) {
  assay_run* run = nullptr;
  step->result = {};
  step->result.struct_size = sizeof(assay_run_result);
  pulse.enter_submit();
  if (program.cold()) {
    const assay_status flushed = program.flush_caches();
    if (flushed != ASSAY_OK) {
      pulse.leave();
      return {flushed, "program.flush_caches"};
    }
  }
  step->start_ns = program.now_ns();
  const assay_status submitted = program.submit(&args, &run);
  if (submitted != ASSAY_OK) {
    pulse.leave();
    return {submitted, "program.submit"};
  }
  pulse.enter_wait();
  const assay_status waited = program.wait(run, &step->result);
  const uint64_t end_ns = program.now_ns();
  pulse.leave();
  if (waited != ASSAY_OK) return {waited, "program.wait"};
  if (end_ns < step->start_ns) return {ASSAY_INTERNAL, "clock.now, which went back during a step"};
  step->host_ns = end_ns - step->start_ns;
  return {};
}

LoopResult run_warmup(Program& program, const assay_run_args& args, const RunPolicy& policy, uint64_t min_steps,
                      uint64_t done_ns, Pulse& pulse) {
  LoopResult out;
  out.reason = "limit";
  const auto limit_ns = static_cast<uint64_t>(policy.time_limit_s * kWarmupShare * 1e9);
  std::vector<uint64_t> times(2 * kMaxWarmupWindow);
  std::vector<double> scratch(kMaxWarmupWindow);
  uint64_t window = 0;
  uint64_t in_window = 0;  // of the second half of `times`, after the first window
  bool have_before = false;
  uint64_t first_ns = 0;
  while (out.n < min_steps || done_ns + out.elapsed_ns < limit_ns) {
    Step step;
    out.failure = run_step(program, args, pulse, &step);
    if (out.failure.status != ASSAY_OK || pulse.stop_asked()) {
      out.reason = out.failure.status != ASSAY_OK ? "failed" : "interrupted";
      return out;
    }
    pulse.step(++out.n);
    if (out.n == 1) first_ns = step.start_ns;
    out.elapsed_ns = step.start_ns + step.host_ns - first_ns;  // what is between cold steps counts, too
    out.fastest_ns = out.n == 1 ? step.host_ns : std::min(out.fastest_ns, step.host_ns);
    if (window == 0) window = warmup_window(step.host_ns, policy.time_limit_s);
    times[kMaxWarmupWindow + in_window++] = step.host_ns;
    if (in_window < window) continue;
    uint64_t* before = times.data();
    const uint64_t* after = times.data() + kMaxWarmupWindow;
    if (have_before && out.n >= min_steps &&
        drift_ended(before, after, window, policy.target_half_width / 2, scratch.data())) {
      out.reason = "drift-ended";
      return out;
    }
    std::copy(after, after + window, before);
    have_before = true;
    in_window = 0;
  }
  return out;
}

LoopResult run_timed(Program& program, const assay_run_args& args, const RunPolicy& policy, StopRule& rule,
                     Pulse& pulse, StepBuffers& buffers) {
  LoopResult out;
  const auto limit_ns = static_cast<uint64_t>(policy.time_limit_s * 1e9);
  const uint64_t capacity = buffers.host_ns.size();
  Step step;
  out.reason = "fixed";
  while (out.n < capacity) {
    out.failure = run_step(program, args, pulse, &step);
    if (out.failure.status != ASSAY_OK) {
      out.reason = "failed";
      break;
    }
    buffers.start_ns[out.n] = step.start_ns;
    buffers.host_ns[out.n] = step.host_ns;
    buffers.device_ns[out.n] = step.result.device_ns;
    pulse.step(++out.n);
    out.elapsed_ns = step.start_ns + step.host_ns - buffers.start_ns[0];
    if (pulse.stop_asked()) {
      out.reason = "interrupted";
      break;
    }
    if (rule.due(out.n) && rule.precise(buffers.host_ns.data(), out.n, out.elapsed_ns)) {
      out.reason = "precision";
      break;
    }
    if (out.elapsed_ns >= limit_ns && out.n >= fewest_steps(policy)) {
      out.reason = "time-limit";
      break;
    }
  }
  out.device_clock = step.result.device_clock;
  out.device_clock_step_ns = step.result.device_clock_step_ns;
  return out;
}

}  // namespace assay
