// Functions under the names that the vendor's header gives. Those that it maps to `none` all land on one symbol of that
// name, which nobody asks for.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#define GPU_TEXT_OF(x) #x
#define GPU_TEXT(x) GPU_TEXT_OF(x)
#define EXPORTED __attribute__((visibility("default"), used))
#define IMPLEMENTATION __attribute__((visibility("hidden"), used))
#define EXPORT(neutral, implementation) \
  __asm__(".weak " GPU_TEXT(neutral) "\n.set " GPU_TEXT(neutral) ", " #implementation "\n");
#define ENTRY_AS(neutral, implementation, ...) \
  EXPORT(neutral, implementation)              \
  IMPLEMENTATION int implementation(__VA_ARGS__)
#define ENTRY(name, ...) ENTRY_AS(gpu##name, standin_##name, __VA_ARGS__)

namespace standin {
// Runs when somebody waits for the stream.
int enqueue(void* stream, const char* name, std::function<void()> work);
int64_t& setting(const char* key);
void spend_ns(uint64_t ns);  // time of the device that passes without work
uint64_t device_now_ns();

// What the profiler (cupti.cpp) is told: a launch, whose number it gives, and what ran for it; node 0: not of a graph.
struct Ran {
  std::string name;
  uint64_t begin_ns = 0, end_ns = 0;
  uint32_t launch = 0;
  uint64_t node = 0;
  int kind = 10;  // CUPTI's number: a kernel, a memcpy (1), a memset (2)
  uint64_t bytes = 0;
  int copy_kind = 0;  // the runtime's: 1 to the device, 2 to the host, 3 on the device
};
uint32_t launched();
void ran(const Ran& what);
void ran_in_range();  // and its counters (cupti_ranges.cpp): a kernel ran
}  // namespace standin
