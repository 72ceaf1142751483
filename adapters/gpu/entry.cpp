// The adapter: devices of one vendor, each opened when it is first used.
#include <charconv>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/gpu/image.h"
#include "adapters/gpu/program.h"
#include "adapters/gpu/telemetry.h"
#include ASSAY_GPU_VENDOR_HEADER
#include "adapters/sdk/adapter.h"

namespace assay::gpu {

namespace {

constexpr uint64_t kDtypes = 1u << ASSAY_F32 | 1u << ASSAY_F16 | 1u << ASSAY_BF16 | 1u << ASSAY_F8E4M3 |
                             1u << ASSAY_F8E5M2 | 1u << ASSAY_I8 | 1u << ASSAY_I4 | 1u << ASSAY_F4E2M1 |
                             1u << ASSAY_I32;
constexpr uint64_t kSweepBytes = uint64_t{512} << 20;  // where nothing tells the cache's size
constexpr uint64_t kSweeps = 4;  // times the cache: caches do not evict strictly by age, and twice has left parts warm
constexpr unsigned kCandidates = 8, kMostCandidates = 64;
constexpr int kMaxDynamicShared = 8;   // the attribute of a function that lets it have more shared memory
constexpr int kDeclaredShared = 1024;  // bytes that a kernel with much of it declares itself, at most
constexpr int kSharedCarveout = 9;     // the one that says how many percent of what could be are shared memory
// Five blocks of streamed products (an H100 then has 196 KB): with all of it the first cache, 28 KB, would just hold x
// of 14,336 columns in 16 bits, and every warp reads as much of x as of the weights.
constexpr int kStreamedCarveout = 80;

class GpuAdapter final : public sdk::Adapter {
 public:
  explicit GpuAdapter(const sdk::Host& host)
      : host_(host), kernels_(host.option("kernels")), runtime_(host.option("libraries")) {
    int n = 0;
    runtime_.check(runtime_.GetDeviceCount(&n), "count devices");
    count_ = static_cast<uint32_t>(n);
    std::string why;
    candidates_ = read_candidates(host.option("search"));
    own_products_ = host.option("products", {"own", "library"}) == "own";
    fuses_ = host.option("fusion", {"on", "off"}) != "off";
    own_attention_ = host.option("attention", {"own", "fastest"}) == "own";
    by_events_ = host.option("profiler", {"events", "vendor"}) == "events";
    std::vector<std::string> bus_ids;
    for (uint32_t i = 0; i < count_; ++i) bus_ids.push_back(bus_id(i));
    telemetry_ = Telemetry::load(runtime_.folder(), bus_ids, &why);
    if (telemetry_ == nullptr) host.log(ASSAY_LOG_WARNING, "no power, energy or clocks: " + why);
  }

  std::vector<sdk::Device> devices() override {
    std::vector<sdk::Device> out;
    for (uint32_t i = 0; i < count_; ++i) out.push_back(describe(i));
    return out;
  }

  void refresh(uint32_t index, sdk::Device& device) override {
    size_t free = 0, total = 0;
    const bool known = runtime_.SetDevice(static_cast<int>(index)) == 0 && runtime_.MemGetInfo(&free, &total) == 0;
    device.memory_free_bytes = known ? free : 0;
    device.state.clear();
    if (telemetry_ == nullptr) return;
    for (const auto& [name, value] : telemetry_->state(index)) {
      device.state.append(name).append(": ").append(value).append("\n");
    }
  }

  std::string unsupported(const assay_program_desc& graph) override {
    try {
      const Model model = read_model(graph, count_);
      Machine& machine = opened(graph.device);
      Plan plan;
      plan.runtime = &runtime_;
      plan.device = &machine.device;
      plan.products = machine.products.get();
      plan.sdpa = machine.sdpa.get();
      plan.slots = model.slots;
      plan.tf32 = model.tf32;
      for (const Op& op : model.ops) lower_op(plan, op);
    } catch (const Failure& failure) {
      if (failure.status() != ASSAY_UNSUPPORTED) throw;
      return failure.what();
    }
    return "";
  }

  std::unique_ptr<sdk::Program> prepare(const assay_program_desc& graph) override {
    return std::make_unique<Program>(opened(graph.device), read_model(graph, count_));
  }

  [[nodiscard]] bool has_telemetry() const override { return telemetry_ != nullptr; }
  void telemetry(uint32_t device, assay_telemetry& out) override { telemetry_->read(device, out); }

  [[nodiscard]] bool flushes_caches() const override { return true; }

  [[nodiscard]] bool has_trace() const override { return true; }
  void start_trace(uint32_t device) override {
    trace_.clear();
    traced_device_ = device;
    Machine& machine = opened(device);
    machine.calls_recorded = false;
    ++machine.recordings;
    const std::string why = record_activity();
    if (why.empty()) {
      machine.activity = activity_.get();
      return;
    }
    host_.log(ASSAY_LOG_WARNING, "no profiler of the vendor (" + why +
                                     "): times are taken by events between the calls of a step that does not run as a "
                                     "graph; gaps between kernels are not seen");
    machine.trace = &trace_;
  }
  uint64_t stop_trace(uint32_t device) override {
    Machine& machine = opened(device);
    machine.trace = nullptr;
    if (machine.activity == nullptr) return 0;
    uint64_t dropped = 0, left_out = 0;
    trace_ = spans_of(machine.activity->stop(&dropped), &left_out);
    machine.activity = nullptr;
    if (left_out > 0) {
      host_.log(ASSAY_LOG_WARNING,
                std::to_string(left_out) + " launches of the graph ran other kernels than its calls");
    }
    return dropped + left_out;
  }
  void drain_trace(const std::function<void(const assay_activity&)>& emit) override {
    for (const OpSpan& span : trace_) {
      if (span.op == ASSAY_NO_OP && host_.abi_minor() < 3) continue;
      emit({sizeof(assay_activity), span.kind, traced_device_, 0, span.begin_ns, span.end_ns, span.bytes, span.op,
            span.name.c_str()});
    }
    trace_.clear();
  }

 private:
  // "" or why the vendor's profiler does not record.
  std::string record_activity() {
    if (by_events_) return "events were asked for";
    std::string why;
    if (activity_ == nullptr) activity_ = Activity::load(runtime_.folder(), &why);
    return activity_ == nullptr ? why : activity_->start(host_);
  }

  std::string bus_id(uint32_t index) const {
    char text[64] = "";
    return runtime_.DeviceGetPCIBusId(text, sizeof(text), static_cast<int>(index)) == 0 ? text : "";
  }

  sdk::Device describe(uint32_t index) {
    const int device = static_cast<int>(index);
    sdk::Device out;
    char text[256] = "";
    if (runtime_.DeviceGetName != nullptr && runtime_.DeviceGetName(text, sizeof(text), device) == 0)
      out.product = text;
    const int major = runtime_.attribute(GPU_ATTRIBUTE_MAJOR, device);
    const int minor = runtime_.attribute(GPU_ATTRIBUTE_MINOR, device);
    if (major > 0) out.arch = std::to_string(major) + "." + std::to_string(minor < 0 ? 0 : minor);
    out.bus_id = bus_id(index);
    out.driver = runtime_.versions();
    size_t free = 0, total = 0;
    runtime_.check(runtime_.SetDevice(device), "set device");
    runtime_.check(runtime_.MemGetInfo(&free, &total), "memory");
    out.memory_bytes = total;
    out.memory_free_bytes = free;
    const int cache = runtime_.attribute(GPU_ATTRIBUTE_L2_BYTES, device);
    out.cache_bytes = cache > 0 ? static_cast<uint64_t>(cache) : 0;
    out.dtypes = kDtypes;
    if (telemetry_ != nullptr) {
      const Identity told = telemetry_->identity(index);
      out.serial = told.serial;
      out.firmware = told.firmware;
      if (!told.driver.empty()) out.driver = told.driver + " (" + out.driver + ")";
      out.board_power_limit_w = telemetry_->power_limit_w(index);
    }
    out.basis = runtime_.simulated() ? ASSAY_BASIS_SIMULATED : ASSAY_BASIS_MEASURED;
    // The conformance kit passed on such a chip; what was measured there lies in results/published.
    const bool proven = std::string(GPU_VENDOR) == "cuda" && out.arch == "9.0" && !runtime_.simulated();
    out.support = proven ? ASSAY_SUPPORT_VERIFIED_ON_HARDWARE : ASSAY_SUPPORT_CHECKED_AGAINST_API;
    return out;
  }

  Machine& opened(uint32_t index) {
    if (index >= count_) throw Failure(ASSAY_INVALID_ARGUMENT, "no device " + std::to_string(index));
    const auto found = machines_.find(index);
    if (found != machines_.end()) return found->second;
    const int device = static_cast<int>(index);
    runtime_.check(runtime_.SetDevice(device), "set device");
    // Makes the device's context, which the driver's calls need.
    runtime_.check(runtime_.Free(nullptr), "open the device");
    Machine machine;
    machine.runtime = &runtime_;
    machine.sdpa = load_sdpa();
    machine.index = index;
    machine.fuses = fuses_;
    machine.candidates = candidates_;
    machine.host = host_;
    const int major = runtime_.attribute(GPU_ATTRIBUTE_MAJOR, device);
    const int minor = runtime_.attribute(GPU_ATTRIBUTE_MINOR, device);
    const int arch = major > 0 && minor >= 0 ? major * 10 + minor : -1;
    machine.device.kernels = load_kernels(runtime_, kernels_, cache_folder(), arch);
    const int processors = runtime_.attribute(GPU_ATTRIBUTE_MULTIPROCESSORS, device);
    machine.device.multiprocessors = processors > 0 ? processors : 64;
    const int cache = runtime_.attribute(GPU_ATTRIBUTE_L2_BYTES, device);
    machine.device.sweep_bytes = cache > 0 ? kSweeps * static_cast<uint64_t>(cache) : kSweepBytes;
    machine.products = load_products(index, machine.device.sweep_bytes);
    more_shared_memory(machine.device, device);
    leave_first_cache(machine.device);
    return machines_.emplace(index, std::move(machine)).first->second;
  }

  // How many algorithms of the product library, and forms of one row's products, are timed per shape.
  static unsigned read_candidates(const std::string& text) {
    if (text.empty()) return kCandidates;
    unsigned value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || at != end || value < 1 || value > kMostCandidates) {
      throw Failure(ASSAY_INVALID_ARGUMENT, "option search: expected 1 to " + std::to_string(kMostCandidates) +
                                                " algorithms, found '" + text + "'");
    }
    return value;
  }

  // "" where nothing is to be kept.
  std::string cache_folder() const {
    std::string folder = host_.option("cache_dir");
    return folder == "off" ? "" : folder;
  }

  std::shared_ptr<Products> load_products(uint32_t index, uint64_t sweep_bytes) const {
    if (own_products_) return nullptr;
    const std::string folder = cache_folder();
    char name[256] = "";
    if (runtime_.DeviceGetName != nullptr) runtime_.DeviceGetName(name, sizeof(name), static_cast<int>(index));
    const ProductSetup setup{name, folder.empty() ? "" : folder + "/" GPU_VENDOR "_products.tsv", candidates_, host_,
                             sweep_bytes};
    std::string why;
    std::shared_ptr<Products> products = Products::load(runtime_, setup, &why);
    if (products == nullptr) {
      host_.log(ASSAY_LOG_WARNING, "no product library (" + why + "): products run in own kernels, which are slower");
    }
    return products;
  }

  std::shared_ptr<Sdpa> load_sdpa() const {
    if (own_attention_) return nullptr;
    std::string why;
    std::shared_ptr<Sdpa> sdpa = Sdpa::load(runtime_, &why);
    if (sdpa == nullptr && !why.empty()) {
      host_.log(ASSAY_LOG_WARNING, "no library for attention (" + why + "): it runs in own kernels alone");
    }
    return sdpa;
  }

  // What a block may have is what its kernel declares and what a launch adds to that.
  void more_shared_memory(Device& limits, int device) const {
    const int most = runtime_.attribute(GPU_ATTRIBUTE_SHARED_OPTIN, device) - kDeclaredShared;
    if (most <= 0 || runtime_.FuncSetAttribute == nullptr) return;
    bool all = limits.has("attention_matrix");
    for (const auto& [name, kernel] : limits.kernels) {
      if (name != "attention_matrix" && name.rfind("tiles_", 0) != 0) continue;
      all = runtime_.FuncSetAttribute(kernel, kMaxDynamicShared, most) == 0 && all;
    }
    if (all) limits.shared_bytes = static_cast<uint64_t>(most);
  }

  void leave_first_cache(const Device& limits) const {
    if (runtime_.FuncSetAttribute == nullptr) return;
    for (const auto& [name, function] : limits.kernels) {  // a hint: nothing is lost where it is not taken
      if (name.find("streamed_") != std::string::npos) {
        runtime_.FuncSetAttribute(function, kSharedCarveout, kStreamedCarveout);
      }
    }
  }

  sdk::Host host_;
  std::string kernels_;
  Runtime runtime_;
  uint32_t count_ = 0;
  unsigned candidates_ = 1;
  bool own_products_ = false, own_attention_ = false, by_events_ = false, fuses_ = true;
  std::unique_ptr<Telemetry> telemetry_;
  std::map<uint32_t, Machine> machines_;
  std::unique_ptr<Activity> activity_;
  std::vector<OpSpan> trace_;
  uint32_t traced_device_ = 0;
};

}  // namespace

}  // namespace assay::gpu

ASSAY_SDK_ADAPTER(assay::gpu::GpuAdapter, GPU_VENDOR, GPU_VENDOR_NAME, ASSAY_GPU_VERSION, ASSAY_GPU_BUILD)
