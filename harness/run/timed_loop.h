// The loops that run steps: warm-up and the timed part. All their memory is made before the first step; between two
// steps there is no allocation and no system call (the clock is read in the vDSO).
#pragma once

#include <cstdint>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "harness/loader/adapter.h"
#include "harness/run/pulse.h"
#include "harness/run/stop_rule.h"
#include "suites/suite.h"

namespace assay {

inline constexpr uint64_t kMaxSamples = uint64_t{1} << 22;

// Samples to make room for: what the time limit allows at the speed of the warm-up, with a reserve of half.
uint64_t sample_capacity(uint64_t step_ns, double time_limit_s);

// Preallocated and touched, so that the loop takes no page fault either.
struct StepBuffers {
  explicit StepBuffers(uint64_t capacity) : start_ns(capacity), host_ns(capacity), device_ns(capacity) {}
  std::vector<uint64_t> start_ns, host_ns, device_ns;  // start_ns on now_ns()
};

// One step as the host sees it.
struct Step {
  uint64_t start_ns = 0, host_ns = 0;
  assay_run_result result{};
};

// A step's failure: which call gave which status. OK: none.
struct StepFailure {
  assay_status status = ASSAY_OK;
  const char* call = "";
};

// Submits, waits and takes the time of one step (or of args.repeat steps). Of a cold program the caches are flushed
// before.
StepFailure run_step(Program& program, const assay_run_args& args, Pulse& pulse, Step* step);

struct LoopResult {
  uint64_t n = 0;           // finished steps in the buffers
  uint64_t elapsed_ns = 0;  // first start to last end; warm-up: sum of the steps
  uint64_t fastest_ns = 0;  // warm-up only
  const char* reason =
      "";  // precision, time-limit, interrupted, failed, fixed (buffers full); warm-up: drift-ended, limit
  uint32_t device_clock = ASSAY_CLOCK_NONE;
  uint64_t device_clock_step_ns = 0;
  StepFailure failure;
};

// Runs steps until drift has ended (warmup.h), `done_ns` of it being behind already, or the limit. At least
// `min_steps`. Uses the buffers as its windows.
LoopResult run_warmup(Program& program, const assay_run_args& args, const RunPolicy& policy, uint64_t min_steps,
                      uint64_t done_ns, Pulse& pulse);

// Runs steps until the stop rule says so or the time limit is behind: two at least, as one has no interval, or one of
// a case that is launched more than once.
LoopResult run_timed(Program& program, const assay_run_args& args, const RunPolicy& policy, StopRule& rule,
                     Pulse& pulse, StepBuffers& buffers);

}  // namespace assay
