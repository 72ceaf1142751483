// Which thread takes which task of a stage.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace assay::cpu {

class TaskQueue {
 public:
  // In order: `tasks` follow each other in memory, so that a thread takes neighbours, and of other threads' shares only
  // when its own is done, from their ends. Else `tasks` is not used and every thread takes the next one.
  TaskQueue(bool in_order, uint32_t tasks, unsigned threads) : tasks_(tasks), threads_(threads) {
    if (in_order && threads > 1) shares_ = std::make_unique<Share[]>(threads);
    for (unsigned t = 0; t < threads; ++t) reset(t);
  }

  // A task below `tasks` that nobody took yet; `tasks` or more: there is none.
  uint32_t take(unsigned thread, uint32_t tasks) {
    if (shares_ == nullptr) return next_.fetch_add(1);
    for (unsigned i = 0; i < threads_; ++i) {
      std::atomic<uint64_t>& share = shares_[(thread + i) % threads_].range;
      for (uint64_t range = share.load(); first(range) < end(range);) {
        const uint64_t rest = i == 0 ? packed(first(range) + 1, end(range)) : packed(first(range), end(range) - 1);
        if (share.compare_exchange_weak(range, rest)) return i == 0 ? first(range) : end(range) - 1;
      }
    }
    return tasks;
  }

  // The first of the thread's own tasks, in order.
  [[nodiscard]] uint32_t first_of(unsigned thread) const {
    return static_cast<uint32_t>(uint64_t{tasks_} * thread / threads_);
  }
  // What is this thread's, for the next step; by every thread, while none takes.
  void reset(unsigned thread) {
    if (shares_ == nullptr) {
      if (thread == 0) next_.store(0, std::memory_order_relaxed);
      return;
    }
    shares_[thread].range.store(packed(first_of(thread), first_of(thread + 1)), std::memory_order_relaxed);
  }

 private:
  // Tasks [first, end) in the high and the low half.
  struct alignas(64) Share {
    std::atomic<uint64_t> range{0};
  };
  static uint64_t packed(uint32_t first, uint32_t end) { return uint64_t{first} << 32 | end; }
  static uint32_t first(uint64_t range) { return static_cast<uint32_t>(range >> 32); }
  static uint32_t end(uint64_t range) { return static_cast<uint32_t>(range); }

  std::unique_ptr<Share[]> shares_;
  uint32_t tasks_;
  unsigned threads_;
  alignas(64) std::atomic<uint32_t> next_{0};
};

}  // namespace assay::cpu
