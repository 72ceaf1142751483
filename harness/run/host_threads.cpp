#include "harness/run/host_threads.h"

#include <algorithm>
#include <thread>

#include "harness/measure/affinity.h"

namespace assay {

HostThreads::HostThreads(int count) {
  const Result<std::vector<int>> allowed = allowed_cpus();
  if (allowed.ok()) cpus_ = *allowed;
  const int cpus =
      cpus_.empty() ? static_cast<int>(std::thread::hardware_concurrency()) : static_cast<int>(cpus_.size());
  count_ = std::max(1, count > 0 ? count : cpus);
}

void HostThreads::adopt() const {
  // A cpuset that shrank meanwhile refuses the former set; the thread then keeps what it has.
  if (!cpus_.empty()) (void)restrict_this_thread(cpus_);
}

void HostThreads::run_unpinned(const std::function<void()>& work) const {
  std::thread thread([this, &work] {
    adopt();
    work();
  });
  thread.join();
}

}  // namespace assay
