// The run's one host clock, and how to wait for a point of it.
#pragma once

#include <time.h>

#include <cstdint>
#include <string>

namespace assay {

// CLOCK_MONOTONIC, ns. Not RAW: an absolute clock_nanosleep exists only for MONOTONIC, so schedule and samples share
// one axis; RAW left the vDSO on older kernels; and the rate correction that RAW avoids is at most 500 ppm, a tenth
// of the 0.5 % a case is measured to. CPUTIME clocks are system calls (16 x dearer) and never used per step.
inline uint64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

// The calendar's: "2026-01-31T12:00:00Z".
std::string utc_now();

struct ClockQuality {
  double read_ns = 0;          // cost of one now_ns(), minimum over batches
  uint64_t resolution_ns = 0;  // smallest difference seen between two reads that is not 0
  double cputime_read_ns = 0;  // cost of one read of CLOCK_THREAD_CPUTIME_ID, for comparison
};
// Measures for about 5 ms on the calling thread.
ClockQuality clock_quality();

// A sleeping thread wakes 0.1 ms late as a rule (timer slack, idle states), so sleep to this long before and spin.
inline constexpr uint64_t kSpinBeforeDeadlineNs = 150'000;

// Returns at or after deadline_ns (on now_ns), at once if it has passed; the value is now_ns() at the return.
uint64_t wait_until_ns(uint64_t deadline_ns, uint64_t spin_ns = kSpinBeforeDeadlineNs);
// The same by sleeping alone: cheap, late by the timer slack and the host's wake-up. Survives signals.
uint64_t sleep_until_ns(uint64_t deadline_ns);

}  // namespace assay
