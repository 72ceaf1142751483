// The harness's own helper threads: filling weights, the reference. Never alive while a step is timed.
#pragma once

#include <functional>
#include <vector>

namespace assay {

// Made before an adapter is opened: adapters pin the calling thread, and threads started from a pinned one would all
// share its core.
class HostThreads {
 public:
  // `count` <= 0: one per allowed CPU.
  explicit HostThreads(int count);
  [[nodiscard]] int count() const { return count_; }
  // Gives the calling thread the CPUs that the process was started with.
  void adopt() const;
  // Runs `work` to its end on a thread that has adopted them.
  void run_unpinned(const std::function<void()>& work) const;

 private:
  std::vector<int> cpus_;
  int count_ = 1;
};

}  // namespace assay
