// A thread that does a little at a fixed period and can be stopped at once.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace assay {

class PeriodicThread {
 public:
  // Called in the thread: once at its start with both 0, then at each deadline. Times of now_ns().
  using Tick = std::function<void(uint64_t deadline_ns, uint64_t woken_ns)>;

  PeriodicThread() = default;
  ~PeriodicThread() { stop(); }
  PeriodicThread(const PeriodicThread&) = delete;
  PeriodicThread& operator=(const PeriodicThread&) = delete;

  // The thread may use `cpus` (empty: those of the caller), so that it does not inherit a pinned core. False: no
  // thread.
  bool start(uint64_t period_ns, std::vector<int> cpus, Tick tick);
  // Waits for the thread; what the ticks wrote may then be read. Nothing if not started.
  void stop();
  // CPU time that the thread used, once stopped.
  [[nodiscard]] uint64_t cpu_ns() const { return cpu_ns_; }

 private:
  void loop(uint64_t period_ns, const std::vector<int>& cpus, const Tick& tick);
  bool sleep_until(uint64_t deadline_ns);  // false: stop was asked for

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  uint64_t cpu_ns_ = 0;
  std::thread thread_;
};

}  // namespace assay
