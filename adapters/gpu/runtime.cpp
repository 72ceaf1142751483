#include "adapters/gpu/runtime.h"

#include <cstring>

#include ASSAY_GPU_VENDOR_HEADER

namespace assay::gpu {

namespace {

// A library may be named "" where another one holds its functions too.
std::vector<std::string> named(std::initializer_list<const char*> names) {
  std::vector<std::string> out;
  for (const char* name : names) {
    if (*name != '\0') out.emplace_back(name);
  }
  return out;
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

template <typename F>
void set(F*& function, void* symbol) {
  std::memcpy(&function, &symbol, sizeof(symbol));
}

}  // namespace

Runtime::Runtime(const std::string& folder) : folder_(folder) {
  const std::vector<std::string> driver_names = named({GPU_DRIVER_LIBRARIES});
  const Library driver(driver_names, folder);
  if (!driver_names.empty() && !driver.loaded()) {
    throw Failure(ASSAY_UNSUPPORTED, "no " GPU_VENDOR_NAME " driver on this machine: " + driver.why());
  }
  const Library runtime(named({GPU_RUNTIME_LIBRARIES}), folder);
  if (!runtime.loaded()) throw Failure(ASSAY_UNSUPPORTED, "the " GPU_VENDOR_NAME " runtime: " + runtime.why());
  const Library& kernels = driver_names.empty() ? runtime : driver;
  std::string missing;
#define ASSAY_GPU_LOAD(name, result, parameters) set(name, runtime.find(GPU_TEXT(gpu##name)));
#define ASSAY_GPU_LOAD_DRIVER(name, result, parameters) set(name, kernels.find(GPU_TEXT(gpu##name)));
#define ASSAY_GPU_NEED(name, result, parameters) \
  if ((name) == nullptr) missing += missing.empty() ? GPU_TEXT(gpu##name) : ", " GPU_TEXT(gpu##name);
  ASSAY_GPU_RUNTIME(ASSAY_GPU_LOAD)
  ASSAY_GPU_RUNTIME_OPTIONAL(ASSAY_GPU_LOAD)
  ASSAY_GPU_DRIVER(ASSAY_GPU_LOAD_DRIVER)
  ASSAY_GPU_DRIVER_OPTIONAL(ASSAY_GPU_LOAD_DRIVER)
  ASSAY_GPU_RUNTIME(ASSAY_GPU_NEED)
  ASSAY_GPU_DRIVER(ASSAY_GPU_NEED)
#undef ASSAY_GPU_LOAD
#undef ASSAY_GPU_LOAD_DRIVER
#undef ASSAY_GPU_NEED
  if (!missing.empty()) {
    throw Failure(ASSAY_UNSUPPORTED, runtime.name() + " and " + kernels.name() + " lack " + missing);
  }
  graphs_ = StreamBeginCapture != nullptr && StreamEndCapture != nullptr && GraphInstantiateWithFlags != nullptr &&
            GraphLaunch != nullptr && GraphExecDestroy != nullptr && GraphDestroy != nullptr;
  simulated_ = runtime.find("assay_standin") != nullptr;
  demand_recent_driver();
  check(Init(0), GPU_TEXT(gpuInit));
}

// A runtime newer in its major version than what the driver knows fails later with words that nobody understands.
void Runtime::demand_recent_driver() const {
  int driver = 0, runtime = 0;
  if (DriverGetVersion == nullptr || RuntimeGetVersion == nullptr) return;
  if (DriverGetVersion(&driver) != 0 || RuntimeGetVersion(&runtime) != 0 || driver == 0) return;
  if (driver / 1000 < runtime / 1000) {
    throw Failure(ASSAY_UNSUPPORTED, "the driver is too old: it knows " + version_text(driver) + ", the runtime is " +
                                         version_text(runtime));
  }
}

void Runtime::check(int code, const char* what) const {
  if (code == 0) return;
  const char* text = GetErrorString(code);
  const std::string said =
      std::string(what) + ": " + (text == nullptr ? "error" : text) + " (" + std::to_string(code) + ")";
  if (code == kErrorOutOfMemory) throw Failure(ASSAY_OUT_OF_MEMORY, said);
  if (code == kErrorNoDevice) throw Failure(ASSAY_UNSUPPORTED, said);
  throw Failure(ASSAY_DEVICE_LOST, said);
}

int Runtime::attribute(int number, int device) const {
  int value = -1;
  return number >= 0 && DeviceGetAttribute(&value, number, device) == 0 ? value : -1;
}

std::string Runtime::versions() const {
  int value = 0;
  std::string out;
  if (RuntimeGetVersion != nullptr && RuntimeGetVersion(&value) == 0) out = "runtime " + version_text(value);
  if (DriverGetVersion != nullptr && DriverGetVersion(&value) == 0) {
    out += (out.empty() ? "driver " : ", driver ") + version_text(value);
  }
  return out;
}

Memory::Memory(const Runtime& runtime, uint64_t bytes) : runtime_(&runtime), bytes_(bytes) {
  if (bytes == 0) return;
  void* got = nullptr;
  const int code = runtime.Malloc(&got, bytes);
  if (code == kErrorOutOfMemory) {
    size_t free = 0, total = 0;
    runtime.MemGetInfo(&free, &total);
    throw Failure(ASSAY_OUT_OF_MEMORY, "planned " + std::to_string(bytes >> 20) + " MiB in one piece; the device has " +
                                           std::to_string(free >> 20) + " of " + std::to_string(total >> 20) +
                                           " MiB free");
  }
  runtime.check(code, GPU_TEXT(gpuMalloc));
  data_ = static_cast<char*>(got);
}

Memory::~Memory() {
  if (data_ != nullptr) runtime_->Free(data_);
}

Handle make_stream(const Runtime& runtime) {
  void* made = nullptr;
  runtime.check(runtime.StreamCreateWithFlags(&made, kNonBlocking), GPU_TEXT(gpuStreamCreateWithFlags));
  return {made, runtime.StreamDestroy};
}

Handle make_event(const Runtime& runtime) {
  void* made = nullptr;
  runtime.check(runtime.EventCreateWithFlags(&made, 0), GPU_TEXT(gpuEventCreateWithFlags));
  return {made, runtime.EventDestroy};
}

Handle make_pinned(const Runtime& runtime, size_t bytes) {
  void* made = nullptr;
  runtime.check(runtime.HostAlloc(&made, bytes, kMapped), GPU_TEXT(gpuHostAlloc));
  std::memset(made, 0, bytes);
  return {made, runtime.FreeHost};
}

}  // namespace assay::gpu
