// A stand-in of a vendor's stack: every function that the adapter asks for, under the vendor's own names, on the CPU.
// Streams are lazy: what is put into one runs when somebody waits for it, so that a missing wait shows.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/execute.h"
#include "tests/standin/export.h"

namespace {

using Work = std::function<void()>;

constexpr int kOk = 0, kInvalid = 1, kNoMemory = 2, kNoDevice = 100, kLost = 719, kNotFound = 500, kNoImage = 209;
constexpr size_t kGuard = 256;  // bytes around each allocation that nobody may write
// Shared memory that a launch may add without asking, what a block may have at most, and what some kernels declare.
constexpr unsigned kSharedUnasked = 48 << 10;
constexpr int kSharedOptIn = 232448, kSharedOfTiles = 64, kMaxDynamicShared = 8;
constexpr unsigned char kGuardByte = 0xa5, kFreshByte = 0xcb;

struct Stream {
  std::vector<Work> queue;
  std::vector<Work>* capture = nullptr;
};
struct Event {
  Stream* stream = nullptr;
  uint64_t at_ns = 0;
};
struct Graph {
  std::vector<Work> work;
};

std::recursive_mutex lock;
std::map<std::string, int64_t> settings{{"memory_bytes", int64_t{2} << 30},
                                        {"devices", 1},
                                        {"driver_version", 13000},
                                        {"runtime_version", 13000},
                                        {"lose_after", -1},
                                        {"fast_algorithm", 0},
                                        {"last_algorithm", -1},
                                        {"outer_scales", 1},
                                        {"integer_matrix", 1},
                                        {"blaslt_version", 130101}};
std::map<char*, size_t> allocations;
std::map<const void*, int> dynamic_shared;  // that a kernel's launches may add, where it was asked for
size_t allocated = 0;
int64_t launches = 0, set_bytes = 0;
bool lost = false;

// Time that a test lets the device spend without working.
uint64_t spent_ns = 0;
uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) + spent_ns;
}

void drain(Stream& stream) {
  std::vector<Work> queue;
  queue.swap(stream.queue);
  for (const Work& work : queue) work();
}

uint64_t graph_nodes = 0;
uint32_t running_launch = 0;  // of a graph, while its nodes run

// Work that the profiler sees, if one listens.
Work watched(void* stream, const standin::Ran& what, Work work) {
  const bool captured = static_cast<Stream*>(stream)->capture != nullptr;
  const uint64_t node = captured ? ++graph_nodes : 0;
  const uint32_t own = captured ? 0 : standin::launched();
  return [=, work = std::move(work)] {
    spent_ns += static_cast<uint64_t>(settings["idle_ns"]);
    const uint64_t begin = now_ns();
    work();
    standin::Ran ran = what;
    ran.begin_ns = begin;
    ran.end_ns = now_ns();
    ran.launch = node != 0 ? running_launch : own;
    ran.node = node;
    standin::ran(ran);
  };
}

int put(void* stream, Work work) {
  auto& s = *static_cast<Stream*>(stream);
  (s.capture != nullptr ? *s.capture : s.queue).push_back(std::move(work));
  return lost ? kLost : kOk;
}

bool guards_whole(const char* p, size_t bytes) {
  const auto* low = reinterpret_cast<const unsigned char*>(p) - kGuard;
  const auto* high = reinterpret_cast<const unsigned char*>(p) + bytes;
  for (size_t i = 0; i < kGuard; ++i) {
    if (low[i] != kGuardByte || high[i] != kGuardByte) return false;
  }
  return true;
}

// Whether [p, p + bytes) lies in one allocation.
bool ours(const void* pointer, size_t bytes) {
  auto* p = const_cast<char*>(static_cast<const char*>(pointer));
  auto after = allocations.upper_bound(p);
  if (after == allocations.begin()) return false;
  --after;
  return p + bytes <= after->first + after->second;
}

}  // namespace

extern "C" {

// Test's side: sets a setting and gives what it was; "allocated", "launches", "set_bytes" and "overrun" only tell.
EXPORTED int64_t assay_standin(const char* key, int64_t value) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  const std::string name = key;
  if (name == "allocated") return static_cast<int64_t>(allocated);
  if (name == "launches") return launches;
  if (name == "set_bytes") return set_bytes;
  if (name == "overrun") {
    for (const auto& [p, bytes] : allocations) {
      if (!guards_whole(p, bytes)) return 1;
    }
    return 0;
  }
  if (name == "lose_after") lost = false;
  const int64_t was = settings[name];
  settings[name] = value;
  return was;
}

ENTRY(GetDeviceCount, int* n) {
  *n = static_cast<int>(settings["devices"]);
  return *n > 0 ? kOk : kNoDevice;
}
ENTRY(SetDevice, int device) { return device < settings["devices"] ? kOk : kInvalid; }
ENTRY(DeviceGetAttribute, int* value, int attribute, int device) {
  if (device >= settings["devices"]) return kInvalid;
  const std::map<int, int> known{{GPU_ATTRIBUTE_MULTIPROCESSORS, 4},
                                 {GPU_ATTRIBUTE_L2_BYTES, 1 << 20},
                                 {GPU_ATTRIBUTE_MAJOR, 9},
                                 {GPU_ATTRIBUTE_MINOR, 0},
                                 {GPU_ATTRIBUTE_ECC, 1},
                                 {GPU_ATTRIBUTE_SHARED_OPTIN, kSharedOptIn}};
  const auto found = known.find(attribute);
  if (found == known.end()) return kInvalid;
  *value = found->second;
  return kOk;
}
ENTRY(DeviceGetPCIBusId, char* text, int size, int device) {
  std::snprintf(text, static_cast<size_t>(size), "0000:%02x:00.0",
                device + 1 + static_cast<int>(settings["first_visible"]));
  return kOk;
}
ENTRY(MemGetInfo, size_t* free_bytes, size_t* total) {
  settings["contexts"] = 1;
  *total = static_cast<size_t>(settings["memory_bytes"]);
  *free_bytes = *total - std::min(*total, allocated);
  return kOk;
}
ENTRY(Malloc, void** out, size_t bytes) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  // What is free need not lie in one piece: "scattered_bytes" of it can't be had.
  const auto scattered = static_cast<size_t>(settings["scattered_bytes"]);
  if (allocated + bytes + scattered > static_cast<size_t>(settings["memory_bytes"])) return kNoMemory;
  auto* whole = static_cast<char*>(std::aligned_alloc(256, (bytes + 2 * kGuard + 255) / 256 * 256));
  if (whole == nullptr) return kNoMemory;
  std::memset(whole, kGuardByte, bytes + 2 * kGuard);
  std::memset(whole + kGuard, kFreshByte, bytes);
  allocations[whole + kGuard] = bytes;
  allocated += bytes;
  *out = whole + kGuard;
  return kOk;
}
ENTRY(Free, void* pointer) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  settings["contexts"] = 1;
  if (pointer == nullptr) return kOk;
  const auto found = allocations.find(static_cast<char*>(pointer));
  if (found == allocations.end() || !guards_whole(found->first, found->second)) return kInvalid;
  allocated -= found->second;
  std::free(found->first - kGuard);
  allocations.erase(found);
  return kOk;
}
ENTRY(HostAlloc, void** out, size_t bytes, unsigned) {
  *out = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  return *out == nullptr ? kNoMemory : kOk;
}
ENTRY(FreeHost, void* pointer) {
  std::free(pointer);
  return kOk;
}
ENTRY(MemcpyAsync, void* to, const void* from, size_t bytes, int kind, void* stream) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  const bool into_device = kind != 2, out_of_device = kind != 1;
  if ((into_device && !ours(to, bytes)) || (out_of_device && !ours(from, bytes))) return kInvalid;
  return put(stream, watched(stream, {"", 0, 0, 0, 0, 1, bytes, kind}, [=] { std::memcpy(to, from, bytes); }));
}
ENTRY(MemsetAsync, void* to, int value, size_t bytes, void* stream) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  if (bytes > 0 && !ours(to, bytes)) return kInvalid;
  return put(stream, watched(stream, {"", 0, 0, 0, 0, 2, bytes, 0}, [=] {
               set_bytes += static_cast<int64_t>(bytes);
               if (bytes > 0) std::memset(to, value, bytes);
             }));
}
ENTRY(StreamCreateWithFlags, void** out, unsigned) {
  *out = new Stream;
  return kOk;
}
ENTRY(StreamSynchronize, void* stream) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  drain(*static_cast<Stream*>(stream));
  return lost ? kLost : kOk;
}
ENTRY(StreamDestroy, void* stream) {
  delete static_cast<Stream*>(stream);
  return kOk;
}
ENTRY(EventCreateWithFlags, void** out, unsigned) {
  *out = new Event;
  return kOk;
}
ENTRY(EventRecord, void* event, void* stream) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  auto* e = static_cast<Event*>(event);
  e->stream = static_cast<Stream*>(stream);
  e->at_ns = 0;
  return put(stream, [e] { e->at_ns = now_ns(); });
}
ENTRY(EventSynchronize, void* event) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  if (static_cast<Event*>(event)->stream != nullptr) drain(*static_cast<Event*>(event)->stream);
  return lost ? kLost : kOk;
}
ENTRY(EventElapsedTime, float* ms, void* from, void* to) {
  const auto *a = static_cast<Event*>(from), *b = static_cast<Event*>(to);
  if (a->at_ns == 0 || b->at_ns == 0) return kInvalid;
  *ms = static_cast<float>(static_cast<double>(b->at_ns - a->at_ns) / 1e6);
  return kOk;
}
ENTRY(EventDestroy, void* event) {
  delete static_cast<Event*>(event);
  return kOk;
}
ENTRY(StreamBeginCapture, void* stream, int) {
  static_cast<Stream*>(stream)->capture = new std::vector<Work>;
  return kOk;
}
ENTRY(StreamEndCapture, void* stream, void** graph) {
  auto& s = *static_cast<Stream*>(stream);
  if (s.capture == nullptr) return kInvalid;
  *graph = new Graph{std::move(*s.capture)};
  delete s.capture;
  s.capture = nullptr;
  return kOk;
}
ENTRY(GraphInstantiateWithFlags, void** exec, void* graph, uint64_t) {
  *exec = new Graph(*static_cast<Graph*>(graph));
  return kOk;
}
ENTRY(GraphLaunch, void* exec, void* stream) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  auto* graph = static_cast<Graph*>(exec);
  const uint32_t launch = standin::launched();
  return put(stream, [graph, launch] {
    running_launch = launch;
    for (const Work& work : graph->work) work();
  });
}
ENTRY(GraphExecDestroy, void* exec) {
  delete static_cast<Graph*>(exec);
  return kOk;
}
ENTRY(GraphDestroy, void* graph) {
  delete static_cast<Graph*>(graph);
  return kOk;
}
ENTRY(RuntimeGetVersion, int* version) {
  *version = static_cast<int>(settings["runtime_version"]);
  return kOk;
}
ENTRY(DriverGetVersion, int* version) {
  *version = static_cast<int>(settings["driver_version"]);
  return kOk;
}
EXPORT(gpuGetErrorString, error_string)
IMPLEMENTATION const char* error_string(int code) {
  switch (code) {
    case kNoMemory:
      return "out of memory";
    case kNoDevice:
      return "no device";
    case kLost:
      return "the device is lost";
    default:
      return "invalid value";
  }
}

ENTRY(Init, unsigned) { return kOk; }
ENTRY(DeviceGetName, char* text, int size, int) {
  std::snprintf(text, static_cast<size_t>(size), "stand-in of " GPU_VENDOR_NAME);
  return kOk;
}
// Takes what a vendor's compiler makes: a fat binary of CUDA, a bundle of clang's, an ELF file, or this stand-in's own.
ENTRY(ModuleLoadData, void** module, const void* image, size_t) {
  if (image == nullptr) return kInvalid;
  if (settings["refuse_images"] > 0) {
    --settings["refuse_images"];
    return kNoImage;
  }
  constexpr const char* kMarks[] = {"\x50\xed\x55\xba", "__CLANG_OFFLOAD_BUNDLE__",
                                    "\x7f"
                                    "ELF",
                                    "STANDIN-IMAGE"};
  bool known = false;
  for (const char* mark : kMarks)
    known = known || std::strncmp(static_cast<const char*>(image), mark, std::strlen(mark)) == 0;
  *module = &settings;
  return known ? kOk : kNoImage;
}
ENTRY(ModuleGetFunction, void** function, void*, const char* name) {
  const bool integers = std::strstr(name, "_imma") != nullptr;  // whose instruction not every compiler has
  const bool known = !integers || settings["integer_matrix"] != 0;
  *function = known ? const_cast<standin::Kernel*>(standin::find_kernel(name)) : nullptr;
  return *function == nullptr ? kNotFound : kOk;
}
ENTRY(ModuleLaunchKernel, void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
      unsigned shared, void* stream, void** parameters, void**) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  const auto& kernel = *static_cast<const standin::Kernel*>(function);
  const auto more = dynamic_shared.find(function);
  if (shared > (more == dynamic_shared.end() ? kSharedUnasked : static_cast<unsigned>(more->second))) return kInvalid;
  if (gx == 0 || gy == 0 || gz == 0 || gy > 65535 || gz > 65535 || bx == 0 || bx * by * bz > 1024) return kInvalid;
  const auto* args = static_cast<const char*>(parameters[0]);
  auto launch = std::make_shared<standin::Launch>(
      standin::Launch{{gx, gy, gz}, {bx, by, bz}, shared, std::vector<char>(args, args + kernel.args_bytes)});
  return put(stream, watched(stream, {kernel.name}, [launch, &kernel] {
               const int64_t limit = settings["lose_after"];
               lost = lost || (limit >= 0 && launches >= limit);
               ++launches;
               spent_ns += static_cast<uint64_t>(settings["kernel_ns"] + settings["fading_ns"]);
               settings["fading_ns"] -= settings["fading_ns"] / 4;  // what is timed later is faster
               if (!lost && !standin::execute(kernel, *launch)) lost = true;
             }));
}
#if defined(gpuLaunchKernelEx)
struct Config {  // as cuda.h has it
  unsigned grid[3], block[3], shared;
  void* stream;
  void* attributes;
  unsigned n;
};
ENTRY(LaunchKernelEx, const Config* c, void* function, void** parameters, void** extra) {
  if (c->n > 1 || (c->n == 1 && *static_cast<int*>(c->attributes) != 6)) return kInvalid;
  return standin_ModuleLaunchKernel(function, c->grid[0], c->grid[1], c->grid[2], c->block[0], c->block[1], c->block[2],
                                    c->shared, c->stream, parameters, extra);
}
#endif
ENTRY(ModuleUnload, void*) { return kOk; }
ENTRY(FuncSetAttribute, void* function, int attribute, int value) {
  if (attribute != kMaxDynamicShared) return kOk;
  const std::string_view name = static_cast<const standin::Kernel*>(function)->name;
  if (value > kSharedOptIn - (name.rfind("tiles_", 0) == 0 ? kSharedOfTiles : 0)) return kInvalid;
  const std::lock_guard<std::recursive_mutex> held(lock);
  dynamic_shared[function] = value;
  return kOk;
}

}  // extern "C"

namespace standin {

int64_t& setting(const char* key) { return settings[key]; }
void spend_ns(uint64_t ns) { spent_ns += ns; }
uint64_t device_now_ns() { return now_ns(); }

int enqueue(void* stream, const char* name, std::function<void()> work) {
  const std::lock_guard<std::recursive_mutex> held(lock);
  return put(stream, watched(stream, {name}, std::move(work)));
}

}  // namespace standin
