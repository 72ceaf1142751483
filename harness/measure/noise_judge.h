// From what was measured of the host to a verdict; no clocks, no files, so that each limit can be tested exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/measure/host_noise.h"
#include "results/record.h"

namespace assay {

struct HostGap {
  uint64_t start_ns = 0, length_ns = 0;  // start: of now_ns()
};

// Between start() and stop(). An absent value could not be read on this host.
struct TimedPart {
  uint64_t window_ns = 0;
  double tick_share = 0;                                  // one tick as a share of the window: what ticks can't resolve
  std::optional<double> steal_share, steal_share_max_1s;  // of the CPUs looked at
  std::optional<double> foreign_share, foreign_share_max_1s;
  std::optional<double> run_queue_wait_share;  // waited / (ran + waited), all our threads
  uint64_t wakes = 0, late_wakes = 0;          // of the sampler; late by over kLateWakeGapNs
  std::optional<uint64_t> lateness_p50_ns, lateness_p99_ns, lateness_max_ns;
  uint64_t involuntary_switches = 0;
  double sampler_cpu_share = 0;  // of one CPU: what looking cost
  std::vector<HostGap> gaps;
  uint64_t gaps_dropped = 0;  // beyond kMaxHostGaps
};
inline constexpr size_t kMaxHostGaps = 10'000;

struct NoiseMeasured {
  std::optional<SpinGaps> gaps_before, gaps_after;
  std::optional<double> mhz_before, mhz_after;
  std::optional<TimedPart> timed;
  double host_share = 1;  // of a step's time that passes on this host; the rest is the device's by its own clock
};

NoiseReport judge_noise(const NoiseMeasured& measured, uint64_t samples_zero_ns);

}  // namespace assay
