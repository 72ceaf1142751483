#include "harness/measure/periodic.h"

#include <sys/prctl.h>
#include <time.h>

#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

#include "harness/measure/affinity.h"
#include "harness/measure/clock.h"

namespace assay {

bool PeriodicThread::start(uint64_t period_ns, std::vector<int> cpus, Tick tick) {
  stop();
  stopping_ = false;
  try {
    thread_ = std::thread([this, period_ns, cpus = std::move(cpus), tick = std::move(tick)] {
      try {
        loop(period_ns, cpus, tick);
      } catch (const std::exception&) {  // out of memory while noting a sample: what was noted so far stands
      }
    });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void PeriodicThread::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool PeriodicThread::sleep_until(uint64_t deadline_ns) {
  // steady_clock is CLOCK_MONOTONIC, as now_ns() is.
  const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(deadline_ns)};
  std::unique_lock lock(mutex_);
  return !wake_.wait_until(lock, until, [this] { return stopping_; });
}

void PeriodicThread::loop(uint64_t period_ns, const std::vector<int>& cpus, const Tick& tick) {
  if (!cpus.empty()) static_cast<void>(restrict_this_thread(cpus));
  prctl(PR_SET_TIMERSLACK, 1UL);  // lateness is then the host's, not the 50 us that the kernel may add
  tick(0, 0);
  uint64_t deadline = now_ns() + period_ns;
  while (sleep_until(deadline)) {
    const uint64_t woken = now_ns();
    tick(deadline, woken);
    deadline += period_ns;
    if (deadline <= now_ns()) deadline = now_ns() + period_ns;  // after a long gap, no burst of missed ticks
  }
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  cpu_ns_ = static_cast<uint64_t>(used.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(used.tv_nsec);
}

}  // namespace assay
