// Which CPUs this thread may use, and whether a run really used as many as it has threads.
#pragma once

#include <cstdint>
#include <vector>

#include "suites/base/result.h"

namespace assay {

// CPUs the calling thread may run on, ascending. Machines of any size (no 1024-CPU limit).
Result<std::vector<int>> allowed_cpus();
// Affinity of the calling thread; threads created later inherit it. An empty or forbidden set is an Error.
Status restrict_this_thread(const std::vector<int>& cpus);
inline Status pin_this_thread(int cpu) { return restrict_this_thread({cpu}); }

// Pins for a scope, then gives the thread its former CPUs back.
class ScopedPin {
 public:
  explicit ScopedPin(int cpu);  // cpu < 0: does nothing
  ~ScopedPin();
  ScopedPin(const ScopedPin&) = delete;
  ScopedPin& operator=(const ScopedPin&) = delete;
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  std::vector<int> former_;
  Status status_ = ok_status();
};

// CPU seconds per wall second of this process: N busy threads that share one core show 1, not N. That is how threads
// that inherited a pinned affinity (OMP_PROC_BIND=true, say) are caught.
class CpuUse {
 public:
  CpuUse();  // starts now
  void restart();
  [[nodiscard]] double cpus_used() const;  // mean since the start; 0 for an empty interval

 private:
  uint64_t wall_ns_ = 0, cpu_ns_ = 0;
};
// Below this share of `threads` a run that should keep all of them busy has lost CPUs to affinity or to others.
inline constexpr double kCpuUseShare = 0.75;
inline bool fewer_cpus_than_threads(double cpus_used, int threads) { return cpus_used < kCpuUseShare * threads; }

}  // namespace assay
