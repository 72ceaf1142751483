// The worker's side of the shared page: phase, heartbeat, the call in hand. Cheap enough for the timed loop.
#pragma once

#include <cstring>

#include "harness/worker_protocol.h"

namespace assay {

// Every member is a plain store; none makes a system call. One thread writes.
class Pulse {
 public:
  explicit Pulse(SharedPage* page) : page_(page) {}

  void phase(Phase phase) {
    page_->phase.store(static_cast<uint32_t>(phase), std::memory_order_relaxed);
    page_->steps.store(0, std::memory_order_relaxed);
    page_->phase_share.store(0, std::memory_order_relaxed);
    beat();
  }
  void beat() { page_->heartbeat.store(++beats_, std::memory_order_relaxed); }
  void step(uint64_t finished) {
    page_->steps.store(finished, std::memory_order_relaxed);
    beat();
  }
  // 0..1: how far the phase is.
  void share(double share) { page_->phase_share.store(static_cast<uint64_t>(share * 1000), std::memory_order_relaxed); }
  // What a step of the case is expected to take.
  void expect_step(double seconds) {
    page_->step_ns.store(static_cast<uint64_t>(seconds * 1e9), std::memory_order_relaxed);
  }
  // What the adapter is about to allocate for the program in hand.
  void plan(uint64_t bytes) { page_->planned.store(bytes, std::memory_order_relaxed); }
  // Names the adapter call that follows; enter/leave bracket adapter code.
  void call(const char* name) {
    std::strncpy(page_->last_call, name, sizeof(page_->last_call) - 1);
    page_->last_call[sizeof(page_->last_call) - 1] = '\0';
  }
  void enter() { page_->in_adapter.store(kInLastCall, std::memory_order_relaxed); }
  void enter_submit() { page_->in_adapter.store(kInSubmit, std::memory_order_relaxed); }
  void enter_wait() { page_->in_adapter.store(kInWait, std::memory_order_relaxed); }
  void leave() { page_->in_adapter.store(kNotInAdapter, std::memory_order_relaxed); }
  [[nodiscard]] bool stop_asked() const { return page_->stop.load(std::memory_order_relaxed) != 0; }

 private:
  SharedPage* page_;
  uint64_t beats_ = 0;
};

// Marks a stretch of adapter code outside the timed loop.
class InAdapter {
 public:
  InAdapter(Pulse& pulse, const char* call) : pulse_(pulse) {
    pulse_.call(call);
    pulse_.enter();
    pulse_.beat();
  }
  ~InAdapter() {
    pulse_.leave();
    pulse_.beat();
  }
  InAdapter(const InAdapter&) = delete;
  InAdapter& operator=(const InAdapter&) = delete;

 private:
  Pulse& pulse_;
};

}  // namespace assay
