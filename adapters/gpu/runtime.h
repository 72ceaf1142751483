// The vendor's runtime and driver as a table of functions under neutral names, and what every call of them needs:
// failures with their text, memory, streams and events with an owner. Own declarations: no vendor header is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/gpu/library.h"

namespace assay::gpu {

// A launch with attributes, as the CUDA driver takes it.
struct LaunchAttribute {
  int id = 0, pad = 0;
  union {
    int value;
    char bytes[64];
  };
};
struct LaunchConfig {
  unsigned grid[3], block[3], shared;
  void* stream;
  LaunchAttribute* attributes;
  unsigned n;
};
inline constexpr int kProgrammaticSerialization = 6;  // the kernel may start before those of the stream have ended

// X(name, result, parameters): gpu<name> of vendors/*.h. Handles are pointers in all of these stacks.
#define ASSAY_GPU_RUNTIME(X)                                                \
  X(GetDeviceCount, int, (int*))                                            \
  X(SetDevice, int, (int))                                                  \
  X(DeviceGetAttribute, int, (int*, int attribute, int device))             \
  X(DeviceGetPCIBusId, int, (char*, int, int device))                       \
  X(MemGetInfo, int, (size_t * free, size_t * total))                       \
  X(Malloc, int, (void**, size_t))                                          \
  X(Free, int, (void*))                                                     \
  X(HostAlloc, int, (void**, size_t, unsigned flags))                       \
  X(FreeHost, int, (void*))                                                 \
  X(MemcpyAsync, int, (void*, const void*, size_t, int kind, void* stream)) \
  X(MemsetAsync, int, (void*, int, size_t, void* stream))                   \
  X(StreamCreateWithFlags, int, (void**, unsigned))                         \
  X(StreamSynchronize, int, (void*))                                        \
  X(StreamDestroy, int, (void*))                                            \
  X(EventCreateWithFlags, int, (void**, unsigned))                          \
  X(EventRecord, int, (void* event, void* stream))                          \
  X(EventSynchronize, int, (void*))                                         \
  X(EventElapsedTime, int, (float* ms, void* from, void* to))               \
  X(EventDestroy, int, (void*))                                             \
  X(GetErrorString, const char*, (int))
#define ASSAY_GPU_RUNTIME_OPTIONAL(X)                                           \
  X(StreamBeginCapture, int, (void* stream, int mode))                          \
  X(StreamEndCapture, int, (void* stream, void** graph))                        \
  X(GraphInstantiateWithFlags, int, (void** exec, void* graph, uint64_t flags)) \
  X(GraphLaunch, int, (void* exec, void* stream))                               \
  X(GraphExecDestroy, int, (void*))                                             \
  X(GraphDestroy, int, (void*))                                                 \
  X(RuntimeGetVersion, int, (int*))                                             \
  X(DriverGetVersion, int, (int*))
#define ASSAY_GPU_DRIVER(X)                                                                                    \
  X(Init, int, (unsigned))                                                                                     \
  X(ModuleLoadData, int, (void**, const void* image, size_t only_where_taken))                                 \
  X(ModuleGetFunction, int, (void**, void* module, const char*))                                               \
  X(ModuleLaunchKernel, int,                                                                                   \
    (void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned shared, void* stream, void**, \
     void**))                                                                                                  \
  X(ModuleUnload, int, (void*))
#define ASSAY_GPU_DRIVER_OPTIONAL(X)          \
  X(DeviceGetName, int, (char*, int, int))    \
  X(CtxGetCurrent, int, (void**))             \
  X(FuncSetAttribute, int, (void*, int, int)) \
  X(LaunchKernelEx, int, (const LaunchConfig*, void*, void**, void**))

inline constexpr int kHostToDevice = 1, kDeviceToHost = 2, kDeviceToDevice = 3;
inline constexpr int kErrorOutOfMemory = 2, kErrorNoDevice = 100;
inline constexpr int kCaptureThreadLocal = 1;
inline constexpr unsigned kNonBlocking = 1, kMapped = 2;

// Everything of the vendor's runtime that is found; opening throws Failure (UNSUPPORTED) with what is missing.
class Runtime {
 public:
  // `folder`: where to look for the libraries first, "" for the usual places alone.
  explicit Runtime(const std::string& folder);

// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define ASSAY_GPU_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  ASSAY_GPU_RUNTIME(ASSAY_GPU_MEMBER)
  ASSAY_GPU_RUNTIME_OPTIONAL(ASSAY_GPU_MEMBER)
  ASSAY_GPU_DRIVER(ASSAY_GPU_MEMBER)
  ASSAY_GPU_DRIVER_OPTIONAL(ASSAY_GPU_MEMBER)
#undef ASSAY_GPU_MEMBER

  // Throws Failure with the vendor's text if `code` is an error; `what` is the call.
  void check(int code, const char* what) const;
  // value, or -1 where the vendor's number of the attribute is unknown or the call fails
  [[nodiscard]] int attribute(int number, int device) const;
  [[nodiscard]] bool has_graphs() const { return graphs_; }
  // The libraries are a stand-in that says so: everything measured on it is simulated.
  [[nodiscard]] bool simulated() const { return simulated_; }
  [[nodiscard]] std::string versions() const;  // "runtime 13.0, driver 13.0"; "" where neither is known
  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  void demand_recent_driver() const;

  std::string folder_;
  bool graphs_ = false, simulated_ = false;
};

// Device memory with an owner.
class Memory {
 public:
  Memory() = default;
  Memory(const Runtime& runtime, uint64_t bytes);
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    swap(other);
    return *this;
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();
  [[nodiscard]] char* data() const { return data_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

 private:
  void swap(Memory& other) noexcept {
    std::swap(runtime_, other.runtime_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  const Runtime* runtime_ = nullptr;
  char* data_ = nullptr;
  uint64_t bytes_ = 0;
};

// A stream, an event or a piece of pinned memory: made by one call, destroyed by another.
class Handle {
 public:
  using Destroy = int (*)(void*);
  Handle() = default;
  Handle(void* value, Destroy destroy) : value_(value), destroy_(destroy) {}
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, nullptr)), destroy_(other.destroy_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    std::swap(destroy_, other.destroy_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (value_ != nullptr && destroy_ != nullptr) destroy_(value_);
  }
  [[nodiscard]] void* get() const { return value_; }

 private:
  void* value_ = nullptr;
  Destroy destroy_ = nullptr;
};
Handle make_stream(const Runtime& runtime);
Handle make_event(const Runtime& runtime);
Handle make_pinned(const Runtime& runtime, size_t bytes);

}  // namespace assay::gpu
