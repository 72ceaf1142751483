// The core entries of the stand-in driver. Commands run when their list is submitted.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "tests/standin/level_zero/state.h"

namespace standin {

std::atomic<uint64_t> busy_ns{0};
std::atomic<uint64_t> used_bytes{0};
std::array<std::atomic<int64_t>, kKinds> alive{};

bool faulty(const char* fault) {
  const char* list = std::getenv("ASSAY_STANDIN_FAULTS");
  return list != nullptr && ("," + std::string(list) + ",").find("," + std::string(fault) + ",") != std::string::npos;
}
uint64_t now_ns() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

namespace {

constexpr uint32_t kMaxGroup = 128;  // too small for the adapter's large tiles

std::mutex sizes_mutex;
std::map<void*, size_t> sizes;  // of what is allocated

// What handles point to: a driver, a device and its two tiles.
char driver_place, device_places[3], context_place, queue_place, pool_place;

template <typename T, typename H>
T& object(H handle) {
  return *reinterpret_cast<T*>(handle);
}

uint64_t cycles() {
  static uint64_t wrap_base = 0;
  uint64_t ns = now_ns();
  if (faulty("half_clock")) ns /= 2;
  uint64_t c = ns * (kCyclesPerSecond / 1'000'000) / 1000;
  if (faulty("wrap")) {  // 1000 cycles (40 us) behind the first reading
    if (wrap_base == 0) wrap_base = (1ull << kTimestampBits) - 1000 - (c & ((1ull << kTimestampBits) - 1));
    c += wrap_base;
  }
  return c & ((1ull << kTimestampBits) - 1);
}

ze_result_t init(ze_init_flags_t) { return ZE_RESULT_SUCCESS; }
ze_result_t driver_get(uint32_t* count, ze_driver_handle_t* out) { return list_of({&driver_place}, count, out); }
ze_result_t driver_version(ze_driver_handle_t, ze_api_version_t* out) {
  *out = ZE_API_VERSION_1_3;
  return ZE_RESULT_SUCCESS;
}
ze_result_t driver_properties(ze_driver_handle_t, ze_driver_properties_t* out) {
  out->driverVersion = 7;
  return ZE_RESULT_SUCCESS;
}
ze_result_t device_get(ze_driver_handle_t, uint32_t* count, ze_device_handle_t* out) {
  return list_of(faulty("none") ? Places{} : Places{&device_places[0]}, count, out);
}
ze_result_t sub_devices(ze_device_handle_t, uint32_t* count, ze_device_handle_t* out) {
  return list_of(faulty("tiles") ? Places{&device_places[1], &device_places[2]} : Places{}, count, out);
}
ze_result_t device_properties(ze_device_handle_t, ze_device_properties_t* out) {
  out->type = faulty("npu") ? ZE_DEVICE_TYPE_VPU : ZE_DEVICE_TYPE_GPU;
  out->maxMemAllocSize = kMemoryBytes;
  out->numSlices = 1;
  out->numSubslicesPerSlice = 2;
  out->timerResolution = faulty("tick0")                                         ? 0
                         : out->stype == ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2 ? kCyclesPerSecond
                                                                                 : 1'000'000'000 / kCyclesPerSecond;
  out->timestampValidBits = out->kernelTimestampValidBits = kTimestampBits;
  std::strncpy(out->name, "Assay stand-in GPU", sizeof(out->name));
  return ZE_RESULT_SUCCESS;
}
ze_result_t compute_properties(ze_device_handle_t, ze_device_compute_properties_t* out) {
  out->maxTotalGroupSize = kMaxGroup;
  out->maxGroupSizeX = out->maxGroupSizeY = out->maxGroupSizeZ = kMaxGroup;
  out->numSubGroupSizes = 1;
  out->subGroupSizes[0] = 8;
  out->maxSharedLocalMemory = 64 << 10;
  return ZE_RESULT_SUCCESS;
}
ze_result_t memory_properties(ze_device_handle_t, uint32_t* count, ze_device_memory_properties_t* out) {
  *count = 1;
  if (out != nullptr) out->totalSize = kMemoryBytes;
  return ZE_RESULT_SUCCESS;
}
ze_result_t cache_properties(ze_device_handle_t, uint32_t* count, ze_device_cache_properties_t* out) {
  *count = 1;
  if (out != nullptr) out->cacheSize = kCacheBytes;
  return ZE_RESULT_SUCCESS;
}
ze_result_t queue_groups(ze_device_handle_t, uint32_t* count, ze_command_queue_group_properties_t* out) {
  *count = 2;  // copies alone come first
  if (out != nullptr) {
    out[0].flags = ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY;
    out[1].flags = ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE | ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY;
    out[0].numQueues = out[1].numQueues = 1;
  }
  return ZE_RESULT_SUCCESS;
}

ze_result_t context_create(ze_driver_handle_t, const ze_context_desc_t*, ze_context_handle_t* out) {
  *out = handle<ze_context_handle_t>(&context_place);
  ++alive[kContexts];
  return ZE_RESULT_SUCCESS;
}
ze_result_t destroyed(Kind kind) {
  --alive[kind];
  return ZE_RESULT_SUCCESS;
}
ze_result_t context_destroy(ze_context_handle_t) { return destroyed(kContexts); }
ze_result_t queue_create(ze_context_handle_t, ze_device_handle_t, const ze_command_queue_desc_t* desc,
                         ze_command_queue_handle_t* out) {
  if (desc->ordinal != 1) return ZE_RESULT_ERROR_INVALID_ARGUMENT;  // kernels need the second group
  *out = handle<ze_command_queue_handle_t>(&queue_place);
  ++alive[kQueues];
  return ZE_RESULT_SUCCESS;
}
ze_result_t queue_destroy(ze_command_queue_handle_t) { return destroyed(kQueues); }
ze_result_t queue_wait(ze_command_queue_handle_t, uint64_t) {
  return faulty("lost") ? ZE_RESULT_ERROR_DEVICE_LOST : ZE_RESULT_SUCCESS;
}
ze_result_t execute(ze_command_queue_handle_t, uint32_t n, ze_command_list_handle_t* lists, ze_fence_handle_t) {
  if (faulty("lost")) return ZE_RESULT_ERROR_DEVICE_LOST;
  const uint64_t begin = now_ns();
  for (uint32_t i = 0; i < n; ++i) {
    const List& list = object<List>(lists[i]);
    if (!list.closed) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    for (const auto& command : list.commands) {
      if (const ze_result_t result = command(); result != ZE_RESULT_SUCCESS) return result;
    }
  }
  busy_ns += now_ns() - begin;
  return ZE_RESULT_SUCCESS;
}

ze_result_t list_create(ze_context_handle_t, ze_device_handle_t, const ze_command_list_desc_t*,
                        ze_command_list_handle_t* out) {
  *out = handle<ze_command_list_handle_t>(new List);
  ++alive[kLists];
  return ZE_RESULT_SUCCESS;
}
ze_result_t list_destroy(ze_command_list_handle_t list) {
  delete &object<List>(list);
  return destroyed(kLists);
}
ze_result_t list_close(ze_command_list_handle_t list) {
  object<List>(list).closed = true;
  return ZE_RESULT_SUCCESS;
}
ze_result_t list_reset(ze_command_list_handle_t list) {
  object<List>(list) = List{};
  return ZE_RESULT_SUCCESS;
}
ze_result_t append(ze_command_list_handle_t list, std::function<ze_result_t()> command) {
  if (object<List>(list).closed) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
  object<List>(list).commands.push_back(std::move(command));
  return ZE_RESULT_SUCCESS;
}
ze_result_t append_copy(ze_command_list_handle_t list, void* to, const void* from, size_t bytes, ze_event_handle_t,
                        uint32_t, ze_event_handle_t*) {
  return append(list, [=] {
    std::memcpy(to, from, bytes);
    return ZE_RESULT_SUCCESS;
  });
}
ze_result_t append_fill(ze_command_list_handle_t list, void* to, const void* pattern, size_t pattern_bytes,
                        size_t bytes, ze_event_handle_t, uint32_t, ze_event_handle_t*) {
  if (pattern_bytes != 1) return ZE_RESULT_ERROR_UNSUPPORTED_SIZE;
  return append(list, [=, byte = *static_cast<const unsigned char*>(pattern)] {
    std::memset(to, byte, bytes);
    return ZE_RESULT_SUCCESS;
  });
}
ze_result_t append_barrier(ze_command_list_handle_t list, ze_event_handle_t event, uint32_t, ze_event_handle_t*) {
  return append(list, [=] {
    if (event != nullptr) object<Event>(event).cycles = cycles();
    return ZE_RESULT_SUCCESS;
  });
}
ze_result_t append_launch(ze_command_list_handle_t list, ze_kernel_handle_t kernel, const ze_group_count_t* groups,
                          ze_event_handle_t, uint32_t, ze_event_handle_t*) {
  // Arguments count as they are now; the kernel object may be changed behind.
  return append(list, [copy = object<Kernel>(kernel), count = *groups] { return launch(copy, count); });
}

ze_result_t memory_alloc(ze_context_handle_t, const ze_device_mem_alloc_desc_t*, size_t bytes, size_t align,
                         ze_device_handle_t, void** out) {
  *out = nullptr;
  if (faulty("alloc") && bytes > 1 << 20) return ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY;
  if (bytes > kMemoryBytes - used_bytes) return ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY;
  *out = allocate(bytes, align);
  if (*out == nullptr) return ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY;
  const std::lock_guard<std::mutex> alone(sizes_mutex);
  sizes[*out] = bytes;
  ++alive[kMemory];
  used_bytes += bytes;
  return ZE_RESULT_SUCCESS;
}
ze_result_t memory_free(ze_context_handle_t, void* data) {
  const std::lock_guard<std::mutex> alone(sizes_mutex);
  const auto found = sizes.find(data);
  if (found == sizes.end()) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
  used_bytes -= found->second;
  sizes.erase(found);
  release(data);
  return destroyed(kMemory);
}

ze_result_t pool_create(ze_context_handle_t, const ze_event_pool_desc_t*, uint32_t, ze_device_handle_t*,
                        ze_event_pool_handle_t* out) {
  *out = handle<ze_event_pool_handle_t>(&pool_place);
  ++alive[kPools];
  return ZE_RESULT_SUCCESS;
}
ze_result_t pool_destroy(ze_event_pool_handle_t) { return destroyed(kPools); }
ze_result_t event_create(ze_event_pool_handle_t, const ze_event_desc_t*, ze_event_handle_t* out) {
  *out = handle<ze_event_handle_t>(new Event);
  ++alive[kEvents];
  return ZE_RESULT_SUCCESS;
}
ze_result_t event_destroy(ze_event_handle_t event) {
  delete &object<Event>(event);
  return destroyed(kEvents);
}
ze_result_t event_reset(ze_event_handle_t event) {
  object<Event>(event) = Event{};
  return ZE_RESULT_SUCCESS;
}
ze_result_t event_timestamp(ze_event_handle_t event, ze_kernel_timestamp_result_t* out) {
  if (faulty("no_timestamp")) return ZE_RESULT_ERROR_UNSUPPORTED_FEATURE;
  out->global.kernelStart = out->global.kernelEnd = object<Event>(event).cycles;
  out->context = out->global;
  return ZE_RESULT_SUCCESS;
}

ze_result_t module_create(ze_context_handle_t, ze_device_handle_t, const ze_module_desc_t* desc,
                          ze_module_handle_t* out, ze_module_build_log_handle_t* log) {
  if (log != nullptr) *log = nullptr;
  auto made = std::make_unique<Module>();
  try {
    const ze_result_t result = create_module(*desc, made.get());
    if (result != ZE_RESULT_SUCCESS) return result;
  } catch (const std::exception&) {
    return ZE_RESULT_ERROR_MODULE_BUILD_FAILURE;
  }
  *out = handle<ze_module_handle_t>(made.release());
  ++alive[kModules];
  return ZE_RESULT_SUCCESS;
}
ze_result_t module_destroy(ze_module_handle_t module) {
  delete &object<Module>(module);
  return destroyed(kModules);
}
ze_result_t kernel_create(ze_module_handle_t module, const ze_kernel_desc_t* desc, ze_kernel_handle_t* out) {
  auto made = std::make_unique<Kernel>();
  const ze_result_t result = create_kernel(object<Module>(module), desc->pKernelName, made.get());
  if (result != ZE_RESULT_SUCCESS) return result;
  *out = handle<ze_kernel_handle_t>(made.release());
  ++alive[kKernels];
  return result;
}
ze_result_t kernel_destroy(ze_kernel_handle_t kernel) {
  destroy_kernel(object<Kernel>(kernel));
  delete &object<Kernel>(kernel);
  return destroyed(kKernels);
}
ze_result_t group_size(ze_kernel_handle_t kernel, uint32_t x, uint32_t y, uint32_t z) {
  if (x * y * z > kMaxGroup) return ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION;
  Kernel& k = object<Kernel>(kernel);
  k.local[0] = x;
  k.local[1] = y;
  k.local[2] = z;
  return ZE_RESULT_SUCCESS;
}
ze_result_t set_argument(ze_kernel_handle_t kernel, uint32_t index, size_t size, const void* value) {
  Kernel& k = object<Kernel>(kernel);
  if (index >= k.arguments.size()) return ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX;
  k.arguments[index].assign(static_cast<const char*>(value), static_cast<const char*>(value) + size);
  return ZE_RESULT_SUCCESS;
}

}  // namespace

}  // namespace standin

// Objects alive, by standin::Kind; returns how many kinds there are.
STANDIN_EXPORT uint32_t assay_standin_alive(int64_t* counts) {
  for (uint32_t kind = 0; kind < standin::kKinds; ++kind) counts[kind] = standin::alive[kind];
  return standin::kKinds;
}
STANDIN_EXPORT ze_result_t zeGetGlobalProcAddrTable(ze_api_version_t, ze_global_dditable_t* table) {
  table->pfnInit = standin::init;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetDriverProcAddrTable(ze_api_version_t, ze_driver_dditable_t* table) {
  table->pfnGet = standin::driver_get;
  table->pfnGetApiVersion = standin::driver_version;
  table->pfnGetProperties = standin::driver_properties;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetDeviceProcAddrTable(ze_api_version_t, ze_device_dditable_t* table) {
  table->pfnGet = standin::device_get;
  table->pfnGetSubDevices = standin::sub_devices;
  table->pfnGetProperties = standin::device_properties;
  table->pfnGetComputeProperties = standin::compute_properties;
  table->pfnGetMemoryProperties = standin::memory_properties;
  table->pfnGetCacheProperties = standin::cache_properties;
  table->pfnGetCommandQueueGroupProperties = standin::queue_groups;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetContextProcAddrTable(ze_api_version_t, ze_context_dditable_t* table) {
  table->pfnCreate = standin::context_create;
  table->pfnDestroy = standin::context_destroy;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetCommandQueueProcAddrTable(ze_api_version_t, ze_command_queue_dditable_t* table) {
  table->pfnCreate = standin::queue_create;
  table->pfnDestroy = standin::queue_destroy;
  table->pfnExecuteCommandLists = standin::execute;
  table->pfnSynchronize = standin::queue_wait;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetCommandListProcAddrTable(ze_api_version_t, ze_command_list_dditable_t* table) {
  table->pfnCreate = standin::list_create;
  table->pfnDestroy = standin::list_destroy;
  table->pfnClose = standin::list_close;
  table->pfnReset = standin::list_reset;
  table->pfnAppendBarrier = standin::append_barrier;
  table->pfnAppendMemoryCopy = standin::append_copy;
  table->pfnAppendMemoryFill = standin::append_fill;
  table->pfnAppendLaunchKernel = standin::append_launch;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetMemProcAddrTable(ze_api_version_t, ze_mem_dditable_t* table) {
  table->pfnAllocDevice = standin::memory_alloc;
  table->pfnFree = standin::memory_free;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetEventPoolProcAddrTable(ze_api_version_t, ze_event_pool_dditable_t* table) {
  table->pfnCreate = standin::pool_create;
  table->pfnDestroy = standin::pool_destroy;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetEventProcAddrTable(ze_api_version_t, ze_event_dditable_t* table) {
  table->pfnCreate = standin::event_create;
  table->pfnDestroy = standin::event_destroy;
  table->pfnHostReset = standin::event_reset;
  table->pfnQueryKernelTimestamp = standin::event_timestamp;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetModuleProcAddrTable(ze_api_version_t, ze_module_dditable_t* table) {
  if (standin::faulty("no_modules")) return ZE_RESULT_SUCCESS;
  table->pfnCreate = standin::module_create;
  table->pfnDestroy = standin::module_destroy;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zeGetKernelProcAddrTable(ze_api_version_t, ze_kernel_dditable_t* table) {
  table->pfnCreate = standin::kernel_create;
  table->pfnDestroy = standin::kernel_destroy;
  table->pfnSetGroupSize = standin::group_size;
  table->pfnSetArgumentValue = standin::set_argument;
  return ZE_RESULT_SUCCESS;
}
