// NVML and what copies it (ixml, BRML). Declarations as read in go-nvml's nvml.h.
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "adapters/gpu/telemetry_shapes.h"

#include ASSAY_GPU_VENDOR_HEADER

namespace assay::gpu {

namespace {

struct Memory2 {
  uint64_t total, free, used;
};
struct Rates {
  unsigned gpu, memory;
};
struct FieldValue {
  unsigned field, scope;
  long long timestamp, latency_us;
  int type, status;
  union {
    unsigned word;
    uint64_t wide;
  } value;
};
struct Process {
  unsigned pid;
  uint64_t used_bytes;
  unsigned instance, compute_instance;
};

// Those with a context on a device. A refused question is no answer: `why` then says so.
struct Processes {
  std::vector<Process> all;
  std::string why;
};

constexpr uint64_t kNotTold = ~uint64_t{0};  // of a process's memory
constexpr int kTooSmall = 7;
constexpr unsigned kPowerInstantField = 186;
constexpr int kSmClock = 1, kMemoryClock = 2;
constexpr int kUncorrected = 1, kSinceDriverLoad = 0;
constexpr uint64_t kPowerWindowNs = 1'000'000'000;  // over which GetPowerUsage averages on recent chips

// Reasons why clocks are held down, as the library numbers them.
uint64_t neutral_reasons(uint64_t mask) {
  constexpr uint64_t kPowerCap = 0x4, kThermal = 0x20 | 0x40, kHardware = 0x8 | 0x80, kSettings = 0x2 | 0x10 | 0x100;
  return ((mask & kPowerCap) != 0 ? ASSAY_THROTTLE_POWER : 0) | ((mask & kThermal) != 0 ? ASSAY_THROTTLE_THERMAL : 0) |
         ((mask & kHardware) != 0 ? ASSAY_THROTTLE_HARDWARE : 0) |
         ((mask & kSettings) != 0 ? ASSAY_THROTTLE_SETTING : 0);
}

class Nvml final : public Telemetry {
 public:
  Nvml(const Library& library, const std::vector<std::string>& bus_ids) {
    load_function(library, init_, GPU_TEXT(gpusmiInit));
    load_function(library, power_, GPU_TEXT(gpusmiPowerUsage));
    load_function(library, fields_, GPU_TEXT(gpusmiFieldValues));
    load_function(library, energy_, GPU_TEXT(gpusmiTotalEnergy));
    load_function(library, temperature_, GPU_TEXT(gpusmiTemperature));
    load_function(library, clock_, GPU_TEXT(gpusmiClockInfo));
    load_function(library, max_clock_, GPU_TEXT(gpusmiMaxClock));
    load_function(library, memory_, GPU_TEXT(gpusmiMemoryUsed));
    load_function(library, rates_, GPU_TEXT(gpusmiUtilization));
    load_function(library, reasons_, GPU_TEXT(gpusmiThrottleReasons));
    load_function(library, limit_, GPU_TEXT(gpusmiPowerLimit));
    load_function(library, default_limit_, GPU_TEXT(gpusmiDefaultPowerLimit));
    load_function(library, ecc_mode_, GPU_TEXT(gpusmiEccMode));
    load_function(library, ecc_errors_, GPU_TEXT(gpusmiEccErrors));
    load_function(library, mig_, GPU_TEXT(gpusmiMigMode));
    load_function(library, processes_, GPU_TEXT(gpusmiProcesses));
    load_function(library, process_name_, GPU_TEXT(gpusmiProcessName));
    load_function(library, unique_id_, GPU_TEXT(gpusmiUniqueId));
    load_function(library, driver_version_, GPU_TEXT(gpusmiDriverVersion));
    load_function(library, firmware_, GPU_TEXT(gpusmiFirmware));
    if (init_ == nullptr || init_() != 0) return;
    for (const std::string& bus_id : bus_ids) {
      devices_.push_back(handle(library, bus_id));
      there_before_.push_back(running(devices_.back()));
    }
  }
  [[nodiscard]] bool works() const {
    return std::any_of(devices_.begin(), devices_.end(), [](const void* d) { return d != nullptr; });
  }

  void read(uint32_t device, assay_telemetry& out) override {
    void* d = device < devices_.size() ? devices_[device] : nullptr;
    if (d == nullptr) no_telemetry(device);
    unsigned value = 0;
    unsigned long long wide = 0;
    Memory2 memory{};
    Rates rates{};
    const auto put = [&](bool valid, uint32_t bit, double& field, const auto& reading, double unit) {
      note_reading(out, valid, bit, field, reading, unit);
    };
    out.scope = ASSAY_SCOPE_BOARD;
    if (instant_power(d, &value)) {
      put(true, ASSAY_T_POWER, out.power_w, value, 1e-3);
    } else {
      out.window_ns = kPowerWindowNs;
      put(power_ != nullptr && power_(d, &value) == 0, ASSAY_T_POWER, out.power_w, value, 1e-3);
    }
    put(energy_ != nullptr && energy_(d, &wide) == 0, ASSAY_T_ENERGY, out.energy_j, wide, 1e-3);
    put(temperature_ != nullptr && temperature_(d, 0, &value) == 0, ASSAY_T_TEMP, out.temp_c, value, 1);
    put(clock_ != nullptr && clock_(d, kSmClock, &value) == 0, ASSAY_T_CORE_MHZ, out.core_mhz, value, 1);
    put(clock_ != nullptr && clock_(d, kMemoryClock, &value) == 0, ASSAY_T_MEM_MHZ, out.mem_mhz, value, 1);
    put(memory_ != nullptr && memory_(d, &memory) == 0, ASSAY_T_MEM_USED, out.mem_used_bytes, memory.used, 1);
    put(rates_ != nullptr && rates_(d, &rates) == 0, ASSAY_T_UTIL, out.util, rates.gpu, 0.01);
    if (reasons_ != nullptr && reasons_(d, &wide) == 0) {
      out.throttle = neutral_reasons(wide);
      out.valid |= ASSAY_T_THROTTLE;
    }
  }

  double power_limit_w(uint32_t device) override {
    unsigned value = 0;
    void* d = device < devices_.size() ? devices_[device] : nullptr;
    return d != nullptr && limit_ != nullptr && limit_(d, &value) == 0 ? value / 1e3 : 0;
  }

  Identity identity(uint32_t device) override {
    void* d = device < devices_.size() ? devices_[device] : nullptr;
    if (d == nullptr) return {};
    return {text_of(unique_id_, d), text_of(driver_version_), text_of(firmware_, d)};
  }

  std::vector<std::pair<std::string, std::string>> state(uint32_t device) override {
    std::vector<std::pair<std::string, std::string>> out;
    void* d = device < devices_.size() ? devices_[device] : nullptr;
    if (d == nullptr) return out;
    unsigned now = 0, later = 0;
    unsigned long long wide = 0;
    const auto mode = [](unsigned on) { return on != 0 ? "on" : "off"; };
    if (ecc_mode_ != nullptr && ecc_mode_(d, &now, &later) == 0) out.emplace_back("ecc", mode(now));
    if (ecc_errors_ != nullptr && ecc_errors_(d, kUncorrected, kSinceDriverLoad, &wide) == 0) {
      out.emplace_back("ecc_uncorrected", std::to_string(wide));
    }
    if (mig_ != nullptr && mig_(d, &now, &later) == 0) out.emplace_back("mig", mode(now));
    if (limit_ != nullptr && limit_(d, &now) == 0) out.emplace_back("power_limit_w", std::to_string(now / 1000));
    if (default_limit_ != nullptr && default_limit_(d, &now) == 0) {
      out.emplace_back("power_limit_default_w", std::to_string(now / 1000));
    }
    if (max_clock_ != nullptr && max_clock_(d, kSmClock, &now) == 0) {
      out.emplace_back("core_mhz_max", std::to_string(now));
    }
    if (max_clock_ != nullptr && max_clock_(d, kMemoryClock, &now) == 0) {
      out.emplace_back("mem_mhz_max", std::to_string(now));
    }
    if (processes_ != nullptr) note_processes(device, &out);
    return out;
  }

 private:
  bool instant_power(void* d, unsigned* mw) const {
    FieldValue value{kPowerInstantField, 0, 0, 0, 0, 0, {0}};
    if (fields_ == nullptr || fields_(d, 1, &value) != 0 || value.status != 0) return false;
    *mw = value.value.word;
    return true;
  }

  Processes running(void* d) const {
    if (d == nullptr || processes_ == nullptr) return {{}, "the library has no such question"};
    Processes out;
    unsigned n = 64;
    int status = kTooSmall;
    for (int tries = 0; status == kTooSmall && tries < 3; ++tries) {
      out.all.resize(n + 16);  // more may come meanwhile
      n = static_cast<unsigned>(out.all.size());
      status = processes_(d, &n, out.all.data());
    }
    out.all.resize(status == 0 ? std::min<size_t>(n, out.all.size()) : 0);
    if (status != 0)
      out.why = "the library refuses to tell the device's processes (status " + std::to_string(status) + ")";
    return out;
  }

  // Numbers of this process, in its own name space and, where /proc tells them, in those around it.
  static std::vector<unsigned> own_pids() {
    std::vector<unsigned> out{static_cast<unsigned>(getpid())};
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("NSpid:", 0) != 0) continue;
      std::istringstream numbers(line.substr(6));
      for (unsigned pid = 0; numbers >> pid;) out.push_back(pid);
    }
    return out;
  }

  // "1234 (name, 512 MiB)"
  std::string process_text(const Process& p) const {
    char name[256] = "";
    const bool named = process_name_ != nullptr && process_name_(p.pid, name, sizeof(name)) == 0 && *name != '\0';
    const std::string path = named ? name : "unknown";
    const std::string memory = p.used_bytes == kNotTold ? "" : ", " + std::to_string(p.used_bytes >> 20) + " MiB";
    return std::to_string(p.pid) + " (" + path.substr(path.rfind('/') + 1) + memory + ")";
  }

  // other_processes: "1234 (name, 512 MiB); ...", "" for none, "unknown, because ..."; and own_process: how this one
  // was told from them. The library counts processes as the host does; in a container this one has a number there that
  // nothing tells, so that the only one that came since the library was opened is taken for it. This process has a
  // context by now: a list without it is not the whole list.
  void note_processes(uint32_t device, std::vector<std::pair<std::string, std::string>>* out) const {
    Processes now = running(devices_[device]);
    const Processes& before = there_before_[device];
    if (!now.why.empty()) {
      out->emplace_back("other_processes", "unknown, because " + now.why);
      return;
    }
    const std::vector<unsigned> own = own_pids();
    const auto is_own = [&](const Process& p) { return std::find(own.begin(), own.end(), p.pid) != own.end(); };
    const auto is_new = [&](const Process& p) {
      return before.why.empty() &&
             std::none_of(before.all.begin(), before.all.end(), [&](const Process& b) { return b.pid == p.pid; });
    };
    std::string how = "by its number", note;
    auto mine = std::find_if(now.all.begin(), now.all.end(), is_own);
    if (mine == now.all.end()) {
      const auto newcomers = std::count_if(now.all.begin(), now.all.end(), is_new);
      if (newcomers == 1) mine = std::find_if(now.all.begin(), now.all.end(), is_new);
      how = newcomers == 1
                ? "taken to be " + std::to_string(mine->pid) +
                      ", the only one that came since the adapter was opened; by its own number it is not listed"
                : "not found";
      if (newcomers > 1) note = "; one of them may be this process";
    }
    if (mine != now.all.end()) now.all.erase(mine);
    std::string others;
    for (const Process& p : now.all) others += (others.empty() ? "" : "; ") + process_text(p);
    if (others.empty() && how == "not found") {
      others = "unknown, because the library lists no process, not even this one, which uses the device";
    }
    out->emplace_back("other_processes", others + note);
    out->emplace_back("own_process", how);
  }

  static void* handle(const Library& library, const std::string& bus_id) {
    void* out = nullptr;
    int (*by_bus)(const char*, void**) = nullptr;
    load_function(library, by_bus, GPU_TEXT(gpusmiDeviceHandle));
    return by_bus != nullptr && !bus_id.empty() && by_bus(bus_id.c_str(), &out) == 0 ? out : nullptr;
  }

  int (*init_)() = nullptr;
  int (*power_)(void*, unsigned* mw) = nullptr;
  int (*fields_)(void*, int n, FieldValue*) = nullptr;
  int (*energy_)(void*, unsigned long long* mj) = nullptr;  // since the driver was loaded
  int (*temperature_)(void*, int sensor, unsigned* degrees) = nullptr;
  int (*clock_)(void*, int kind, unsigned* mhz) = nullptr;
  int (*max_clock_)(void*, int kind, unsigned* mhz) = nullptr;
  int (*memory_)(void*, Memory2*) = nullptr;
  int (*rates_)(void*, Rates*) = nullptr;
  int (*reasons_)(void*, unsigned long long*) = nullptr;
  int (*limit_)(void*, unsigned* mw) = nullptr;
  int (*default_limit_)(void*, unsigned* mw) = nullptr;
  int (*ecc_mode_)(void*, unsigned* now, unsigned* after_reset) = nullptr;
  int (*ecc_errors_)(void*, int kind, int counter, unsigned long long*) = nullptr;
  int (*mig_)(void*, unsigned* now, unsigned* after_reset) = nullptr;
  int (*processes_)(void*, unsigned* n, Process*) = nullptr;
  int (*process_name_)(unsigned pid, char*, unsigned length) = nullptr;
  int (*unique_id_)(void*, char*, unsigned length) = nullptr;
  int (*driver_version_)(char*, unsigned length) = nullptr;
  int (*firmware_)(void*, char*, unsigned length) = nullptr;
  std::vector<void*> devices_;
  std::vector<Processes> there_before_;  // on each device before ours
};

}  // namespace

std::unique_ptr<Telemetry> open_nvml(const Library& library, const std::vector<std::string>& bus_ids) {
  auto nvml = std::make_unique<Nvml>(library, bus_ids);
  if (!nvml->works()) return nullptr;
  return nvml;
}

}  // namespace assay::gpu
