#include "adapters/cpu/pool.h"

#include <sched.h>

#include <chrono>
#include <system_error>
#include <utility>

#include "adapters/cpu/failure.h"
#include "adapters/cpu/isa.h"

namespace assay::cpu {

namespace {

// A worker that finds no new step within this time sleeps until one is there.
constexpr auto kSpin = std::chrono::milliseconds(2);
constexpr int kSpinsPerClock = 256;

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);  // refused: the thread stays where the system puts it
}

// Pins the calling thread, and lets oneDNN work on it alone, until the end of the scope.
class CallerScope {
 public:
  explicit CallerScope(int cpu) {
    pinned_ = sched_getaffinity(0, sizeof(old_), &old_) == 0;
    if (pinned_) pin(cpu);
  }
  ~CallerScope() {
    if (pinned_) sched_setaffinity(0, sizeof(old_), &old_);
  }
  CallerScope(const CallerScope&) = delete;
  CallerScope& operator=(const CallerScope&) = delete;

 private:
  OnednnAlone alone_;
  bool pinned_ = false;
  cpu_set_t old_{};
};

}  // namespace

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

Pool::Pool(std::vector<int> cpus, unsigned size) : cpus_(std::move(cpus)), size_(size) {
  try {
    for (unsigned id = 1; id < size_; ++id) threads_.emplace_back([this, id] { serve(id); });
  } catch (const std::system_error& error) {
    stop_ = true;
    epoch_.fetch_add(1);
    epoch_.notify_all();
    for (auto& thread : threads_) thread.join();
    throw Failure(ASSAY_INTERNAL, std::string("cannot start a thread: ") + error.what());
  }
}

Pool::~Pool() {
  stop_ = true;
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Pool::wait_for(uint32_t epoch) {
  const auto give_up = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kSpinsPerClock; ++i) {
      if (epoch_.load(std::memory_order_acquire) == epoch) return;
      __builtin_ia32_pause();
    }
  } while (std::chrono::steady_clock::now() < give_up);
  sleeping_.fetch_add(1);
  while (epoch_.load() != epoch) epoch_.wait(epoch - 1);
  sleeping_.fetch_sub(1);
}

void Pool::serve(unsigned id) {
  pin(cpus_[id % cpus_.size()]);
  const OnednnAlone alone;
  for (uint32_t epoch = 1;; ++epoch) {
    wait_for(epoch);
    if (stop_) return;
    (*work_)(id);
    barrier();
  }
}

void Pool::run(const std::function<void(unsigned)>& work) {
  const CallerScope scope(cpus_[0]);
  if (size_ > 1) {
    work_ = &work;
    epoch_.fetch_add(1);
    if (sleeping_.load() > 0) epoch_.notify_all();
  }
  work(0);
  barrier();
}

void Pool::give_up_cpu() { sched_yield(); }

}  // namespace assay::cpu
