// Who used the CPUs: ticks of the whole machine, run-queue waits of our own threads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/measure/environment.h"
#include "suites/base/result.h"

namespace assay {

// Sums over some CPUs since boot, in ns (the kernel counts ticks of 10 ms as a rule).
struct CpuTicks {
  uint64_t busy_ns = 0;   // user, nice, system, irq, softirq: every process, ours included
  uint64_t steal_ns = 0;  // runnable but the hypervisor ran something else
};
uint64_t tick_ns();  // resolution of CpuTicks, per CPU
// From /proc/stat; a CPU that is not listed there (offline) counts nothing. None listed at all is an Error.
Result<CpuTicks> read_cpu_ticks(const SystemRoot& root, const std::vector<int>& cpus);

// What the process has used so far.
struct OwnUse {
  uint64_t cpu_ns = 0, involuntary_switches = 0;
};
OwnUse own_use();

// Time that threads of this process ran, and were runnable but waited for a CPU (/proc/self/task/*/schedstat, ns).
class ThreadWaits {
 public:
  struct Sum {
    uint64_t run_ns = 0, wait_ns = 0;
  };
  // Threads that exist now count from here on, later ones from their birth. skip_tid: a thread to leave out.
  explicit ThreadWaits(SystemRoot root, int skip_tid = -1);
  ~ThreadWaits();
  ThreadWaits(const ThreadWaits&) = delete;
  ThreadWaits& operator=(const ThreadWaits&) = delete;

  [[nodiscard]] bool available() const { return available_; }
  // Sum over all threads since construction; one read per thread. The list of threads is renewed by rescan().
  Sum poll();
  void rescan();

 private:
  struct Thread {
    int fd = -1;  // -1: it has ended, its last values stay
    Sum base, last;
  };
  void add_new_threads(bool from_birth);

  SystemRoot root_;
  int skip_tid_;
  bool available_ = false;
  std::map<int, Thread> threads_;
};
// One open schedstat file; nullopt when it can't be read or parsed.
std::optional<ThreadWaits::Sum> read_schedstat(int fd);

}  // namespace assay
