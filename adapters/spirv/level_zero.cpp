#include "adapters/spirv/level_zero.h"

#include <algorithm>
#include <utility>

#include "adapters/spirv/level_zero_step.h"

namespace assay::spirv {

namespace {

// The project's own test driver names its devices so; what they measure is no device's speed.
constexpr const char* kStandIn = "Assay stand-in";
constexpr ze_api_version_t kCyclesPerSecondSince = ZE_API_VERSION_1_2;

class ZeDevice : public Device {
 public:
  ZeDevice(ze_driver_handle_t driver, ze_device_handle_t id, std::string tile, const Options& options)
      : driver_(driver), id_(id), tile_(std::move(tile)), options_(options) {
    check_ze(level_zero().zeDriverGetApiVersion(driver, &version_), "driver version");
    properties_.stype = version_ >= kCyclesPerSecondSince ? ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2
                                                          : ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES;
    check_ze(level_zero().zeDeviceGetProperties(id, &properties_), "device properties");
  }
  [[nodiscard]] sdk::Device card() const override;
  [[nodiscard]] Traits traits() const override;
  [[nodiscard]] std::string refusal() const override {
    if (!kernel_text(traits().form).spirv.empty()) return "";
    return "built without SPIR-V (clang-14 and llvm-spirv-14 were missing)";
  }
  [[nodiscard]] std::string lowering() const override { return "SPIR-V"; }
  std::unique_ptr<Memory> allocate(uint64_t bytes) override;
  void write(Memory& to, uint64_t offset, const void* from, uint64_t bytes) override {
    copy(data_of(to) + offset, from, bytes);
  }
  void read(const Memory& from, uint64_t offset, void* to, uint64_t bytes) override {
    copy(to, data_of(from) + offset, bytes);
  }
  std::unique_ptr<Step> record(const std::vector<Launch>& launches,
                               const std::vector<std::unique_ptr<Memory>>& buffers) override;
  [[nodiscard]] ze_device_handle_t id() const { return id_; }

 private:
  void start_up();
  void build();
  [[nodiscard]] uint32_t compute_group() const;
  [[nodiscard]] Clock clock() const;
  [[nodiscard]] Owned<ze_command_list_handle_t> new_list() const;
  [[nodiscard]] Owned<ze_kernel_handle_t> kernel(const Launch& launch,
                                                 const std::vector<std::unique_ptr<Memory>>& buffers) const;
  void copy(void* to, const void* from, uint64_t bytes);

  ze_driver_handle_t driver_;
  ze_device_handle_t id_;
  std::string tile_;
  Options options_;
  ze_api_version_t version_ = ZE_API_VERSION_1_0;
  ze_device_properties_t properties_{};
  // Made when the first program comes: listing devices starts nothing.
  uint32_t group_ = 0;
  Owned<ze_context_handle_t> context_;
  Owned<ze_command_queue_handle_t> queue_;
  Owned<ze_command_list_handle_t> copies_;
  Owned<ze_module_handle_t> module_;
};

std::vector<ze_device_memory_properties_t> memories_of(ze_device_handle_t device) {
  uint32_t n = 0;
  check_ze(level_zero().zeDeviceGetMemoryProperties(device, &n, nullptr), "memory properties");
  std::vector<ze_device_memory_properties_t> all(n);
  for (auto& one : all) one.stype = ZE_STRUCTURE_TYPE_DEVICE_MEMORY_PROPERTIES;
  if (n > 0) check_ze(level_zero().zeDeviceGetMemoryProperties(device, &n, all.data()), "memory properties");
  return all;
}

// Of the largest cache; 0: the driver does not tell.
uint64_t cache_of(ze_device_handle_t device) {
  uint32_t n = 0;
  if (level_zero().zeDeviceGetCacheProperties(device, &n, nullptr) != ZE_RESULT_SUCCESS || n == 0) return 0;
  std::vector<ze_device_cache_properties_t> all(n);
  for (auto& one : all) one.stype = ZE_STRUCTURE_TYPE_DEVICE_CACHE_PROPERTIES;
  if (level_zero().zeDeviceGetCacheProperties(device, &n, all.data()) != ZE_RESULT_SUCCESS) return 0;
  uint64_t largest = 0;
  for (const auto& one : all) largest = std::max<uint64_t>(largest, one.cacheSize);
  return largest;
}

sdk::Device ZeDevice::card() const {
  sdk::Device card;
  card.product = properties_.name + tile_;
  card.arch =
      "Level Zero " + std::to_string(ZE_MAJOR_VERSION(version_)) + "." + std::to_string(ZE_MINOR_VERSION(version_));
  ze_driver_properties_t driver{};
  driver.stype = ZE_STRUCTURE_TYPE_DRIVER_PROPERTIES;
  if (level_zero().zeDriverGetProperties(driver_, &driver) == ZE_RESULT_SUCCESS) {
    card.driver = std::to_string(driver.driverVersion);
  }
  for (const auto& memory : memories_of(id_)) {
    card.memory_bytes += memory.totalSize;
    // Clock and width are 0 where the driver does not tell.
    card.memory_bandwidth_bytes_per_s += uint64_t{memory.maxClockRate} * 1'000'000 * memory.maxBusWidth / 8;
  }
  card.cache_bytes = cache_of(id_);
  card.dtypes = 1u << ASSAY_F32 | 1u << ASSAY_F16 | 1u << ASSAY_BF16 | 1u << ASSAY_I8 | 1u << ASSAY_I32;
  const bool stand_in = card.product.rfind(kStandIn, 0) == 0;
  card.basis = stand_in ? ASSAY_BASIS_SIMULATED : ASSAY_BASIS_MEASURED;
  card.support = ASSAY_SUPPORT_CHECKED_AGAINST_API;
  return card;
}

Traits ZeDevice::traits() const {
  Traits t;
  t.units = std::max(1u, properties_.numSlices * properties_.numSubslicesPerSlice);
  ze_device_compute_properties_t compute{};
  compute.stype = ZE_STRUCTURE_TYPE_DEVICE_COMPUTE_PROPERTIES;
  check_ze(level_zero().zeDeviceGetComputeProperties(id_, &compute), "compute properties");
  t.max_group = std::max(1u, compute.maxTotalGroupSize);
  t.max_allocation = properties_.maxMemAllocSize;
  const uint32_t n = std::min<uint32_t>(compute.numSubGroupSizes, ZE_SUBGROUPSIZE_COUNT);
  const uint32_t largest = n == 0 ? 0 : *std::max_element(compute.subGroupSizes, compute.subGroupSizes + n);
  choose_kernels(options_, properties_.type == ZE_DEVICE_TYPE_CPU, largest, &t);
  return t;
}

Clock ZeDevice::clock() const {
  Clock clock;
  const auto resolution = static_cast<double>(properties_.timerResolution);
  if (resolution > 0) clock.ns_per_cycle = version_ >= kCyclesPerSecondSince ? 1e9 / resolution : resolution;
  const uint32_t bits = properties_.kernelTimestampValidBits;
  if (bits > 0 && bits < 64) clock.mask = (1ull << bits) - 1;
  return clock;
}

uint32_t ZeDevice::compute_group() const {
  uint32_t n = 0;
  check_ze(level_zero().zeDeviceGetCommandQueueGroupProperties(id_, &n, nullptr), "queue groups");
  std::vector<ze_command_queue_group_properties_t> groups(n);
  for (auto& group : groups) group.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_GROUP_PROPERTIES;
  check_ze(level_zero().zeDeviceGetCommandQueueGroupProperties(id_, &n, groups.data()), "queue groups");
  for (uint32_t i = 0; i < n; ++i) {
    if ((groups[i].flags & ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE) != 0) return i;
  }
  throw sdk::Failure(ASSAY_UNSUPPORTED, "the device has no queue that runs kernels");
}

void ZeDevice::start_up() {
  if (copies_.get() != nullptr) return;
  const LevelZero& api = level_zero();
  ze_context_desc_t wanted{};
  wanted.stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC;
  ze_context_handle_t context = nullptr;
  check_ze(api.zeContextCreate(driver_, &wanted, &context), "context");
  context_ = {context, api.zeContextDestroy};
  group_ = compute_group();
  ze_command_queue_desc_t desc{};
  desc.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC;
  desc.ordinal = group_;
  desc.mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS;
  ze_command_queue_handle_t queue = nullptr;
  check_ze(api.zeCommandQueueCreate(context, id_, &desc, &queue), "queue");
  queue_ = {queue, api.zeCommandQueueDestroy};
  copies_ = new_list();
}

Owned<ze_command_list_handle_t> ZeDevice::new_list() const {
  ze_command_list_desc_t desc{};
  desc.stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC;
  desc.commandQueueGroupOrdinal = group_;
  ze_command_list_handle_t list = nullptr;
  check_ze(level_zero().zeCommandListCreate(context_.get(), id_, &desc, &list), "command list");
  return {list, level_zero().zeCommandListDestroy};
}

void ZeDevice::build() {
  if (module_.get() != nullptr) return;
  const LevelZero& api = level_zero();
  const KernelText text = kernel_text(traits().form);
  ze_module_desc_t desc{};
  desc.stype = ZE_STRUCTURE_TYPE_MODULE_DESC;
  desc.format = ZE_MODULE_FORMAT_IL_SPIRV;
  desc.inputSize = text.spirv.size();
  desc.pInputModule = text.spirv.data();
  ze_module_handle_t module = nullptr;
  ze_module_build_log_handle_t log = nullptr;
  const ze_result_t code = api.zeModuleCreate(context_.get(), id_, &desc, &module, &log);
  const Owned<ze_module_build_log_handle_t> owned(log, api.zeModuleBuildLogDestroy);
  if (code != ZE_RESULT_SUCCESS) {
    size_t size = 0;
    std::string why;
    if (log != nullptr && api.zeModuleBuildLogGetString(log, &size, nullptr) == ZE_RESULT_SUCCESS && size > 0) {
      why.resize(size);
      api.zeModuleBuildLogGetString(log, &size, why.data());
    }
    check_ze(code, "the kernels do not build on this device: " + std::string(why.c_str()));
  }
  module_ = {module, api.zeModuleDestroy};
}

std::unique_ptr<Memory> ZeDevice::allocate(uint64_t bytes) {
  start_up();
  constexpr size_t kAlign = 4096;
  ze_device_mem_alloc_desc_t desc{};
  desc.stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC;
  void* data = nullptr;
  check_ze(level_zero().zeMemAllocDevice(context_.get(), &desc, bytes, kAlign, id_, &data),
           "allocation of " + std::to_string(bytes) + " bytes");
  // Some drivers answer success with nothing.
  if (data == nullptr)
    throw sdk::Failure(ASSAY_OUT_OF_MEMORY, "allocation of " + std::to_string(bytes) + " bytes gave none");
  auto memory = std::make_unique<ZeMemory>(context_.get(), data);
  copy(data, nullptr, bytes);
  return memory;
}

// `from` nullptr: zeros.
void ZeDevice::copy(void* to, const void* from, uint64_t bytes) {
  const LevelZero& api = level_zero();
  const uint32_t zero = 0;
  ze_command_list_handle_t list = copies_.get();
  check_ze(api.zeCommandListReset(list), "copy");
  check_ze(from == nullptr
               ? api.zeCommandListAppendMemoryFill(list, to, &zero, sizeof(char), bytes, nullptr, 0, nullptr)
               : api.zeCommandListAppendMemoryCopy(list, to, from, bytes, nullptr, 0, nullptr),
           "copy");
  check_ze(api.zeCommandListClose(list), "copy");
  check_ze(api.zeCommandQueueExecuteCommandLists(queue_.get(), 1, &list, nullptr), "copy");
  check_ze(api.zeCommandQueueSynchronize(queue_.get(), UINT64_MAX), "copy");
}

Owned<ze_kernel_handle_t> ZeDevice::kernel(const Launch& launch,
                                           const std::vector<std::unique_ptr<Memory>>& buffers) const {
  const LevelZero& api = level_zero();
  ze_kernel_desc_t desc{};
  desc.stype = ZE_STRUCTURE_TYPE_KERNEL_DESC;
  desc.pKernelName = launch.kernel.c_str();
  ze_kernel_handle_t made = nullptr;
  check_ze(api.zeKernelCreate(module_.get(), &desc, &made), "kernel " + launch.kernel);
  Owned<ze_kernel_handle_t> owned(made, api.zeKernelDestroy);
  const auto size = [&](size_t axis) { return static_cast<uint32_t>(launch.local[axis]); };
  check_ze(api.zeKernelSetGroupSize(made, size(0), size(1), size(2)), "group size of kernel " + launch.kernel);
  uint32_t index = 0;
  const auto set = [&](size_t bytes, const void* value) {
    check_ze(api.zeKernelSetArgumentValue(made, index, bytes, value),
             "argument " + std::to_string(index) + " of kernel " + launch.kernel);
    ++index;
  };
  for (const Argument& argument : launch.arguments) {
    if (const View* view = std::get_if<View>(&argument)) {
      const void* at = data_of(*buffers[view->buffer]) + view->offset;
      set(sizeof(at), &at);
    } else if (std::holds_alternative<Absent>(argument)) {
      const void* nothing = nullptr;
      set(sizeof(nothing), &nothing);
    } else if (const int64_t* wide = std::get_if<int64_t>(&argument)) {
      set(sizeof(*wide), wide);
    } else {
      std::visit([&](const auto& value) { set(4, &value); }, argument);
    }
  }
  return owned;
}

std::unique_ptr<Step> ZeDevice::record(const std::vector<Launch>& launches,
                                       const std::vector<std::unique_ptr<Memory>>& buffers) {
  const LevelZero& api = level_zero();
  start_up();
  build();
  auto step = std::make_unique<ZeStep>(queue_.get(), clock());
  ze_event_pool_desc_t pool_desc{};
  pool_desc.stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC;
  pool_desc.flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE | ZE_EVENT_POOL_FLAG_KERNEL_TIMESTAMP;
  pool_desc.count = 2;
  ze_event_pool_handle_t pool = nullptr;
  check_ze(api.zeEventPoolCreate(context_.get(), &pool_desc, 1, &id_, &pool), "event pool");
  step->pool = {pool, api.zeEventPoolDestroy};
  for (Owned<ze_event_handle_t>* event : {&step->begin, &step->end}) {
    ze_event_desc_t desc{};
    desc.stype = ZE_STRUCTURE_TYPE_EVENT_DESC;
    desc.index = event == &step->begin ? 0 : 1;
    desc.signal = ZE_EVENT_SCOPE_FLAG_HOST;
    ze_event_handle_t made = nullptr;
    check_ze(api.zeEventCreate(pool, &desc, &made), "event");
    *event = {made, api.zeEventDestroy};
  }
  step->opening = new_list();
  step->body = new_list();
  step->closing = new_list();
  check_ze(api.zeCommandListAppendBarrier(step->opening.get(), step->begin.get(), 0, nullptr), "barrier");
  for (const Launch& launch : launches) {
    step->kernels.push_back(kernel(launch, buffers));
    const auto n = [&](size_t axis) { return static_cast<uint32_t>(launch.groups[axis]); };
    const ze_group_count_t groups{n(0), n(1), n(2)};
    check_ze(
        api.zeCommandListAppendLaunchKernel(step->body.get(), step->kernels.back().get(), &groups, nullptr, 0, nullptr),
        "launch of kernel " + launch.kernel);
    check_ze(api.zeCommandListAppendBarrier(step->body.get(), nullptr, 0, nullptr), "barrier");
  }
  check_ze(api.zeCommandListAppendBarrier(step->closing.get(), step->end.get(), 0, nullptr), "barrier");
  for (const auto* list : {&step->opening, &step->body, &step->closing}) {
    check_ze(api.zeCommandListClose(list->get()), "command list");
  }
  return step;
}

void add_device(LevelZeroDevices& all, ze_driver_handle_t driver, ze_device_handle_t id, const std::string& tile,
                const Options& options) {
  all.devices.push_back(std::make_unique<ZeDevice>(driver, id, tile, options));
  all.sensors.emplace_back(id);
}

}  // namespace

LevelZeroDevices level_zero_devices(const Options& options) {
  const LevelZero& api = level_zero();
  uint32_t n = 0;
  check_ze(api.zeDriverGet(&n, nullptr), "drivers");
  std::vector<ze_driver_handle_t> drivers(n);
  if (n > 0) check_ze(api.zeDriverGet(&n, drivers.data()), "drivers");
  LevelZeroDevices all;
  uint32_t others = 0;
  for (ze_driver_handle_t driver : drivers) {
    uint32_t count = 0;
    if (api.zeDeviceGet(driver, &count, nullptr) != ZE_RESULT_SUCCESS) continue;
    std::vector<ze_device_handle_t> ids(count);
    if (count > 0) check_ze(api.zeDeviceGet(driver, &count, ids.data()), "devices");
    for (ze_device_handle_t id : ids) {
      ze_device_properties_t properties{};
      properties.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES;
      check_ze(api.zeDeviceGetProperties(id, &properties), "device properties");
      if (properties.type != ZE_DEVICE_TYPE_GPU && properties.type != ZE_DEVICE_TYPE_CPU) {
        ++others;  // an NPU takes whole graphs, no kernels
        continue;
      }
      add_device(all, driver, id, "", options);
      uint32_t tiles = 0;
      if (api.zeDeviceGetSubDevices(id, &tiles, nullptr) != ZE_RESULT_SUCCESS || tiles < 2) continue;
      std::vector<ze_device_handle_t> parts(tiles);
      check_ze(api.zeDeviceGetSubDevices(id, &tiles, parts.data()), "tiles");
      for (uint32_t i = 0; i < tiles; ++i) {
        add_device(all, driver, parts[i], ", tile " + std::to_string(i + 1) + " of " + std::to_string(tiles), options);
      }
    }
  }
  if (all.devices.empty()) {
    throw sdk::Failure(ASSAY_UNSUPPORTED, "no Level Zero device that runs kernels: " + std::to_string(n) +
                                              " driver(s), " + std::to_string(others) + " device(s) of other kinds");
  }
  return all;
}

}  // namespace assay::spirv
