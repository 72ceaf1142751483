#include "adapters/gpu/telemetry.h"

#include <cstring>

#include ASSAY_GPU_VENDOR_HEADER

namespace assay::gpu {

namespace {

// How the vendor's library is called.
enum Shape { kNvml, kNvmlByIndex, kRocmSmi, kMtml, kMxsml, kPtml };
constexpr Shape kShape = GPU_SMI_SHAPE;

struct Memory2 {
  uint64_t total, free, used;
};
struct Rates {
  unsigned gpu, memory;
};

// NVML and what copies it. Energy is in mJ since the driver was loaded, power in mW: on recent chips the mean over a
// second, which the record must say; the harness audits it against the counter.
class Nvml final : public Telemetry {
 public:
  Nvml(const Library& library, const std::vector<std::string>& bus_ids) {
    load(library, init_, GPU_TEXT(gpusmiInit));
    load(library, power_, GPU_TEXT(gpusmiPowerUsage));
    load(library, energy_, GPU_TEXT(gpusmiTotalEnergy));
    load(library, temperature_, GPU_TEXT(gpusmiTemperature));
    load(library, clock_, GPU_TEXT(gpusmiClockInfo));
    load(library, memory_, GPU_TEXT(gpusmiMemoryUsed));
    load(library, rates_, GPU_TEXT(gpusmiUtilization));
    load(library, reasons_, GPU_TEXT(gpusmiThrottleReasons));
    load(library, limit_, GPU_TEXT(gpusmiPowerLimit));
    if (init_ == nullptr || init_() != 0) return;
    for (size_t i = 0; i < bus_ids.size(); ++i)
      devices_.push_back(handle(library, bus_ids[i], static_cast<unsigned>(i)));
  }
  [[nodiscard]] bool works() const {
    for (const void* device : devices_) {
      if (device != nullptr) return true;
    }
    return false;
  }

  void read(uint32_t device, assay_telemetry& out) override {
    void* d = device < devices_.size() ? devices_[device] : nullptr;
    if (d == nullptr) throw Failure(ASSAY_UNSUPPORTED, "no telemetry of device " + std::to_string(device));
    unsigned value = 0;
    unsigned long long wide = 0;
    Memory2 memory{};
    Rates rates{};
    // Takes the reading by reference: a call's other arguments may be evaluated before the one that reads the sensor.
    const auto put = [&](bool valid, uint32_t bit, double& field, const auto& reading, double unit) {
      if (!valid) return;
      field = static_cast<double>(reading) * unit;
      out.valid |= bit;
    };
    out.scope = ASSAY_SCOPE_BOARD;
    out.window_ns = kPowerWindowNs;
    put(power_ != nullptr && power_(d, &value) == 0, ASSAY_T_POWER, out.power_w, value, 1e-3);
    put(energy_ != nullptr && energy_(d, &wide) == 0, ASSAY_T_ENERGY, out.energy_j, wide, 1e-3);
    put(temperature_ != nullptr && temperature_(d, 0, &value) == 0, ASSAY_T_TEMP, out.temp_c, value, 1);
    put(clock_ != nullptr && clock_(d, kSmClock, &value) == 0, ASSAY_T_CORE_MHZ, out.core_mhz, value, 1);
    put(clock_ != nullptr && clock_(d, kMemoryClock, &value) == 0, ASSAY_T_MEM_MHZ, out.mem_mhz, value, 1);
    put(memory_ != nullptr && memory_(d, &memory) == 0, ASSAY_T_MEM_USED, out.mem_used_bytes, memory.used, 1);
    put(rates_ != nullptr && rates_(d, &rates) == 0, ASSAY_T_UTIL, out.util, rates.gpu, 0.01);
    if (reasons_ != nullptr && reasons_(d, &wide) == 0) {
      out.throttle = wide & ~kIdle;
      out.valid |= ASSAY_T_THROTTLE;
    }
  }

  double power_limit_w(uint32_t device) override {
    unsigned value = 0;
    void* d = device < devices_.size() ? devices_[device] : nullptr;
    return d != nullptr && limit_ != nullptr && limit_(d, &value) == 0 ? value / 1e3 : 0;
  }

 private:
  static constexpr int kSmClock = 1, kMemoryClock = 2;
  static constexpr uint64_t kIdle = 1, kPowerWindowNs = 1'000'000'000;

  template <typename F>
  static void load(const Library& library, F*& function, const char* name) {
    void* symbol = library.find(name);
    std::memcpy(&function, &symbol, sizeof(symbol));
  }
  static void* handle(const Library& library, const std::string& bus_id, unsigned index) {
    void* out = nullptr;
    if (kShape == kNvmlByIndex) {
      int (*by_index)(unsigned, void**) = nullptr;
      load(library, by_index, GPU_TEXT(gpusmiDeviceHandle));
      return by_index != nullptr && by_index(index, &out) == 0 ? out : nullptr;
    }
    int (*by_bus)(const char*, void**) = nullptr;
    load(library, by_bus, GPU_TEXT(gpusmiDeviceHandle));
    return by_bus != nullptr && by_bus(bus_id.c_str(), &out) == 0 ? out : nullptr;
  }

  int (*init_)() = nullptr;
  int (*power_)(void*, unsigned*) = nullptr;
  int (*energy_)(void*, unsigned long long*) = nullptr;
  int (*temperature_)(void*, int, unsigned*) = nullptr;
  int (*clock_)(void*, int, unsigned*) = nullptr;
  int (*memory_)(void*, Memory2*) = nullptr;
  int (*rates_)(void*, Rates*) = nullptr;
  int (*reasons_)(void*, unsigned long long*) = nullptr;
  int (*limit_)(void*, unsigned*) = nullptr;
  std::vector<void*> devices_;
};

// rocm_smi: calls with scalars only, whose signatures held over its versions. The counter's unit comes with it.
class RocmSmi final : public Telemetry {
 public:
  explicit RocmSmi(const Library& library) {
    load(library, init_, GPU_TEXT(gpusmiInit));
    load(library, power_, GPU_TEXT(gpusmiPowerUsage));
    load(library, energy_, GPU_TEXT(gpusmiTotalEnergy));
    load(library, temperature_, GPU_TEXT(gpusmiTemperature));
    load(library, memory_, GPU_TEXT(gpusmiMemoryUsed));
    load(library, busy_, GPU_TEXT(gpusmiUtilization));
    works_ = init_ != nullptr && init_(0) == 0;
  }
  [[nodiscard]] bool works() const { return works_; }

  void read(uint32_t device, assay_telemetry& out) override {
    uint64_t wide = 0, stamp = 0;
    int64_t degrees = 0;
    uint32_t percent = 0;
    float unit_uj = 0;
    // Takes the reading by reference: a call's other arguments may be evaluated before the one that reads the sensor.
    const auto put = [&](bool valid, uint32_t bit, double& field, const auto& reading, double unit) {
      if (!valid) return;
      field = static_cast<double>(reading) * unit;
      out.valid |= bit;
    };
    out.scope = ASSAY_SCOPE_CHIP;
    put(power_ != nullptr && power_(device, 0, &wide) == 0, ASSAY_T_POWER, out.power_w, wide, 1e-6);
    const bool counted = energy_ != nullptr && energy_(device, &wide, &unit_uj, &stamp) == 0;
    put(counted, ASSAY_T_ENERGY, out.energy_j, wide, static_cast<double>(unit_uj) / 1e6);
    put(temperature_ != nullptr && temperature_(device, 1, 0, &degrees) == 0, ASSAY_T_TEMP, out.temp_c, degrees, 1e-3);
    put(memory_ != nullptr && memory_(device, 0, &wide) == 0, ASSAY_T_MEM_USED, out.mem_used_bytes, wide, 1);
    put(busy_ != nullptr && busy_(device, &percent) == 0, ASSAY_T_UTIL, out.util, percent, 0.01);
  }
  double power_limit_w(uint32_t) override { return 0; }

 private:
  template <typename F>
  static void load(const Library& library, F*& function, const char* name) {
    void* symbol = library.find(name);
    std::memcpy(&function, &symbol, sizeof(symbol));
  }
  int (*init_)(uint64_t) = nullptr;
  int (*power_)(uint32_t, uint32_t sensor, uint64_t* uw) = nullptr;
  int (*energy_)(uint32_t, uint64_t*, float* unit_uj, uint64_t* ns) = nullptr;
  int (*temperature_)(uint32_t, uint32_t sensor, int metric, int64_t* milli_c) = nullptr;
  int (*memory_)(uint32_t, int kind, uint64_t*) = nullptr;
  int (*busy_)(uint32_t, uint32_t*) = nullptr;
  bool works_ = false;
};

}  // namespace

std::unique_ptr<Telemetry> Telemetry::load(const std::string& folder, const std::vector<std::string>& bus_ids,
                                           std::string* why) {
  const Library library({GPU_SMI_LIBRARIES}, folder);
  *why =
      library.loaded() ? library.name() + " does not answer, or not in a way that this adapter knows" : library.why();
  if (!library.loaded()) return nullptr;
  if (kShape == kNvml || kShape == kNvmlByIndex) {
    auto nvml = std::make_unique<Nvml>(library, bus_ids);
    if (nvml->works()) return nvml;
  } else if (kShape == kRocmSmi) {
    auto rocm = std::make_unique<RocmSmi>(library);
    if (rocm->works()) return rocm;
  }
  return nullptr;
}

}  // namespace assay::gpu
