// The one set of threads that all work runs on: the caller and size-1 pinned workers of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace assay::cpu {

// CPUs that this thread may run on, ascending.
std::vector<int> allowed_cpus();

class Pool {  // NOLINT(clang-analyzer-optin.performance.Padding): hot words on lines of their own
 public:
  // Threads run on the first `size` of `cpus`, one each. Throws Failure if threads cannot be made.
  Pool(std::vector<int> cpus, unsigned size);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] unsigned size() const { return size_; }
  // Runs work(id) on every thread, id 0 on the caller, which is pinned meanwhile. work must not throw.
  void run(const std::function<void(unsigned)>& work);
  // Waits until every thread has come here; only inside run, by all threads.
  void barrier();

 private:
  void serve(unsigned id);
  void wait_for(uint32_t epoch);

  std::vector<int> cpus_;
  unsigned size_;
  std::vector<std::thread> threads_;
  const std::function<void(unsigned)>* work_ = nullptr;
  alignas(64) std::atomic<uint32_t> epoch_{0};
  std::atomic<uint32_t> sleeping_{0};
  alignas(64) std::atomic<uint32_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> turn_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace assay::cpu
