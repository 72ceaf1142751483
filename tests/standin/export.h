// Functions under the names that the vendor's header gives. Those that it maps to `none` all land on one symbol of that
// name, which nobody asks for.
#pragma once

#include <functional>

#define GPU_TEXT_OF(x) #x
#define GPU_TEXT(x) GPU_TEXT_OF(x)
#define EXPORTED __attribute__((visibility("default"), used))
#define IMPLEMENTATION __attribute__((visibility("hidden"), used))
#define EXPORT(neutral, implementation) \
  __asm__(".globl " GPU_TEXT(neutral) "\n.set " GPU_TEXT(neutral) ", " #implementation "\n");
#define ENTRY_AS(neutral, implementation, ...) \
  EXPORT(neutral, implementation)              \
  IMPLEMENTATION int implementation(__VA_ARGS__)
#define ENTRY(name, ...) ENTRY_AS(gpu##name, standin_##name, __VA_ARGS__)

namespace standin {
// Runs when somebody waits for the stream.
int enqueue(void* stream, std::function<void()> work);
}  // namespace standin
