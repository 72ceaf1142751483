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
  // Waits until every thread has come here; only inside run, by all threads. Meanwhile idle() is called over and over.
  template <typename Idle>
  void barrier(Idle&& idle);
  void barrier() {
    barrier([] {});
  }

 private:
  // A thread that waits this many turns gives its CPU up: another one may need it to arrive.
  static constexpr int kSpinsPerYield = 1 << 16;
  static void give_up_cpu();
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

template <typename Idle>
void Pool::barrier(Idle&& idle) {
  if (size_ == 1) return;
  const uint32_t turn = turn_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
    arrived_.store(0, std::memory_order_relaxed);
    turn_.store(turn + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; turn_.load(std::memory_order_acquire) == turn; ++spins) {
    idle();
    __builtin_ia32_pause();
    if (spins == kSpinsPerYield) {
      give_up_cpu();
      spins = 0;
    }
  }
}

}  // namespace assay::cpu
