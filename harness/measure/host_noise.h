// What the host did to a measurement: looked at before, during and after the timed part, never inside a step.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/measure/environment.h"
#include "results/record.h"

namespace assay {

// Time that a spinning thread did not get: intervals between two clock reads longer than the threshold.
struct SpinGaps {
  uint64_t window_ns = 0, count = 0, lost_ns = 0, max_ns = 0, p99_ns = 0;
  [[nodiscard]] double share() const {
    return window_ns == 0 ? 0 : static_cast<double>(lost_ns) / static_cast<double>(window_ns);
  }
};
inline constexpr uint64_t kSpinGapNs = 1000;  // an undisturbed loop takes about 30 ns a turn
// Spins on the calling thread for window_ns.
SpinGaps spin_gaps(uint64_t window_ns, uint64_t threshold_ns = kSpinGapNs);

struct HostNoiseOptions {
  SystemRoot root;
  uint64_t period_ns = 15'000'000;  // of the sampler thread while timing; 10 to 20 ms keeps it under 0.5 % of a core
  uint64_t spin_ns = 50'000'000;    // of each spin-gap look
};

// before() -> start() -> the timed part -> stop() -> after() -> report(). All from one thread; any of them may be left
// out, and report() then has no value for it. start() makes one thread that sleeps nearly always.
class HostNoise {
 public:
  // The CPUs that the constructing thread may use are those looked at: construct before pinning it.
  explicit HostNoise(HostNoiseOptions options = {});
  ~HostNoise();  // stops the thread
  HostNoise(const HostNoise&) = delete;
  HostNoise& operator=(const HostNoise&) = delete;

  // Spin gaps and core clock on `cpu` (pinned there for about 70 ms, then back); cpu < 0: where the thread runs.
  void before(int cpu = -1);
  void start();
  void stop();
  void after();

  // Values, causes and gaps. samples_zero_ns: now_ns() of the first timed step's start, zero of the samples' axis.
  // host_share: of a step's time that passes on this host, by the device's own clock.
  // Gaps: a wake of the sampler that came late for no reason inside this machine (exact), and a sampler period in which
  // our threads waited for a CPU for over kRunQueueGapNs (given as that whole period: its place inside is unknown).
  [[nodiscard]] NoiseReport report(uint64_t samples_zero_ns, double host_share = 1) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// When a run counts as disturbed. Reasons: measured on an idle shared two-core VM.
namespace noise_limits {
inline constexpr double kSteal = 0.02;         // 0.3 % is ordinary there; runs near 4 % were visibly slower
inline constexpr double kForeignCpu = 0.05;    // of the CPUs we may use; tick accounting resolves 1-2 % in a second
inline constexpr double kClockDrift = 0.03;    // the loop repeats within 1 %
inline constexpr double kGapShare = 0.10;      // a busy core there loses 5.8 % to gaps over 1 us on its own
inline constexpr double kGapGrowth = 3.0;      // after against before, and then over kGapGrowthMin
inline constexpr double kGapGrowthMin = 0.03;  // below this a growth is chance: some 50 ms windows have none at all
inline constexpr double kRunQueueWait = 0.02;  // of the threads' time; alone on its CPUs a thread waits under 0.5 %
inline constexpr double kLateWake = 0.05;      // share of the sampler's wakes; p99 is 4 ms late, p50 0.13 ms
inline constexpr uint64_t kLateWakeGapNs = 1'000'000;  // eight times the ordinary lateness
inline constexpr uint64_t kRunQueueGapNs = 1'000'000;  // half of a default scheduler slice or more
}  // namespace noise_limits

}  // namespace assay
