// A recorded step on Level Zero, and the memory it works in.
#pragma once

#include <algorithm>
#include <vector>

#include "adapters/spirv/handle.h"
#include "adapters/spirv/level_zero_api.h"
#include "adapters/spirv/runtime.h"

namespace assay::spirv {

template <typename T>
using Owned = Handle<T, ze_result_t>;

// How to turn a device's timestamps into ns; 0: it tells no resolution.
struct Clock {
  double ns_per_cycle = 0;
  uint64_t mask = ~0ull;  // of the bits that count
};

class ZeMemory : public Memory {
 public:
  ZeMemory(ze_context_handle_t context, void* data) : context_(context), data_(data) {}
  ~ZeMemory() override { level_zero().zeMemFree(context_, data_); }
  [[nodiscard]] char* data() const { return static_cast<char*>(data_); }

 private:
  ze_context_handle_t context_;
  void* data_;
};

inline char* data_of(const Memory& memory) { return static_cast<const ZeMemory&>(memory).data(); }

// The step is one closed command list, between two that take the time.
class ZeStep : public Step {
 public:
  ZeStep(ze_command_queue_handle_t queue, Clock clock) : queue_(queue), clock_(clock) {}
  ~ZeStep() override {
    if (running_) level_zero().zeCommandQueueSynchronize(queue_, UINT64_MAX);
  }
  void start(uint32_t repeat) override {
    const LevelZero& api = level_zero();
    check_ze(api.zeEventHostReset(begin.get()), "event");
    check_ze(api.zeEventHostReset(end.get()), "event");
    execute(opening.get());
    running_ = true;
    for (uint32_t r = 0; r < repeat; ++r) execute(body.get());
    execute(closing.get());
  }
  void finish(assay_run_result& result) override {
    const LevelZero& api = level_zero();
    running_ = false;
    check_ze(api.zeCommandQueueSynchronize(queue_, UINT64_MAX), "wait");
    ze_kernel_timestamp_result_t first{};
    ze_kernel_timestamp_result_t last{};
    if (clock_.ns_per_cycle <= 0 || api.zeEventQueryKernelTimestamp(begin.get(), &first) != ZE_RESULT_SUCCESS ||
        api.zeEventQueryKernelTimestamp(end.get(), &last) != ZE_RESULT_SUCCESS) {
      return;
    }
    const uint64_t cycles = (last.global.kernelEnd - first.global.kernelStart) & clock_.mask;  // right across a wrap
    result.device_clock = ASSAY_CLOCK_DEVICE_TIMESTAMP;
    result.device_ns = static_cast<uint64_t>(static_cast<double>(cycles) * clock_.ns_per_cycle);
    result.device_clock_step_ns = std::max<uint64_t>(1, static_cast<uint64_t>(clock_.ns_per_cycle));
  }

  Owned<ze_event_pool_handle_t> pool;
  Owned<ze_event_handle_t> begin, end;
  std::vector<Owned<ze_kernel_handle_t>> kernels;
  Owned<ze_command_list_handle_t> opening, body, closing;

 private:
  void execute(ze_command_list_handle_t list) {
    check_ze(level_zero().zeCommandQueueExecuteCommandLists(queue_, 1, &list, nullptr), "submit");
  }
  ze_command_queue_handle_t queue_;
  Clock clock_;
  bool running_ = false;
};

}  // namespace assay::spirv
