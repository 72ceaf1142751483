// A Level Zero driver for tests, loaded by the stock loader through ZE_ENABLE_ALT_DRIVERS. Memory is the host's; a
// module's kernels are found by name among its entry points and run, from the source that its SPIR-V was made of, on an
// OpenCL CPU driver: so the kernels themselves are tried with the groups and arguments that the adapter gives them, and
// not ops that stand for them. The ops' tests hold what comes out against the reference.
//
// ASSAY_STANDIN_FAULTS, a comma-separated list read at every call, breaks it on purpose:
//   none        no device                      alloc        no allocation above 1 MiB
//   tiles       two tiles                      lost         the device is lost at the next submission
//   half_clock  timestamps at half the pace    wrap         the 32-bit counter wraps within the next step
//   tick0       timer resolution 0             no_timestamp timestamps can't be read
//   stuck       the energy counter stands      no_sensors   no Sysman domains
//   hot         throttled by heat              npu          the device takes no kernels
//   no_modules  the entries of modules are not filled in
#pragma once

#include <level_zero/ze_api.h>
#include <level_zero/ze_ddi.h>
#include <level_zero/zes_api.h>
#include <level_zero/zes_ddi.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "adapters/spirv/opencl_api.h"

#define STANDIN_EXPORT extern "C" __attribute__((visibility("default")))

namespace standin {

bool faulty(const char* fault);
uint64_t now_ns();

constexpr uint64_t kCyclesPerSecond = 25'000'000;
constexpr uint32_t kTimestampBits = 32;
constexpr uint64_t kMemoryBytes = 4ull << 30;
constexpr uint64_t kCacheBytes = 40u << 20;  // more than a quarter of the least that a flush sweeps
constexpr double kIdleW = 40, kBusyW = 160;

// Handles are addresses.
template <typename H>
H handle(void* object) {
  return reinterpret_cast<H>(object);
}
using Places = std::vector<void*>;

// A list's length first, then its items.
template <typename H>
ze_result_t list_of(const Places& all, uint32_t* count, H* out) {
  if (out != nullptr) {
    *count = std::min(*count, static_cast<uint32_t>(all.size()));
    for (uint32_t i = 0; i < *count; ++i) out[i] = handle<H>(all[i]);
  } else {
    *count = static_cast<uint32_t>(all.size());
  }
  return ZE_RESULT_SUCCESS;
}

// Time spent in submissions, for the energy counter.
extern std::atomic<uint64_t> busy_ns;
extern std::atomic<uint64_t> used_bytes;

// Objects that were made and not yet destroyed, by kind: for tests that ask for leaks.
enum Kind { kContexts, kQueues, kLists, kMemory, kPools, kEvents, kModules, kKernels, kKinds };
extern std::array<std::atomic<int64_t>, kKinds> alive;

struct Event {
  uint64_t cycles = 0;
};
struct List {
  std::vector<std::function<ze_result_t()>> commands;
  bool closed = false;
};
struct Module {
  std::vector<std::string> names;  // entry points of the SPIR-V
  bool cpu_form = false;
};
struct Kernel {
  cl_kernel kernel = nullptr;
  std::vector<bool> pointer;  // per argument
  std::vector<std::vector<char>> arguments;
  size_t local[3] = {1, 1, 1};
};

// kernels.cpp
ze_result_t create_module(const ze_module_desc_t& desc, Module* out);
ze_result_t create_kernel(const Module& module, const char* name, Kernel* out);
void destroy_kernel(Kernel& kernel);
ze_result_t launch(const Kernel& kernel, const ze_group_count_t& groups);
void* allocate(size_t bytes, size_t align);
void release(void* data);

}  // namespace standin
