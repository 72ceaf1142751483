// Management libraries of the other vendors: rocm_smi, MTML, MXSML, PTML.
#include <algorithm>
#include <array>

#include "adapters/gpu/telemetry_shapes.h"

#include ASSAY_GPU_VENDOR_HEADER

namespace assay::gpu {

namespace {

bool any_bound(const std::vector<uint32_t>& cards) {
  return std::any_of(cards.begin(), cards.end(), [](uint32_t card) { return card != kUnbound; });
}
uint32_t bound(const std::vector<uint32_t>& cards, uint32_t device) {
  if (device >= cards.size() || cards[device] == kUnbound) no_telemetry(device);
  return cards[device];
}

// AMD and Hygon: calls with scalars only, whose signatures held over its versions. The counter's unit comes with it.
class RocmSmi final : public Telemetry {
 public:
  RocmSmi(const Library& library, const std::vector<std::string>& bus_ids) {
    int (*count)(uint32_t*) = nullptr;
    int (*bus_id)(uint32_t, uint64_t*) = nullptr;
    load_function(library, count, GPU_TEXT(gpusmiDeviceCount));
    load_function(library, bus_id, GPU_TEXT(gpusmiBusId));
    load_function(library, init_, GPU_TEXT(gpusmiInit));
    load_function(library, power_, GPU_TEXT(gpusmiPowerUsage));
    load_function(library, energy_, GPU_TEXT(gpusmiTotalEnergy));
    load_function(library, temperature_, GPU_TEXT(gpusmiTemperature));
    load_function(library, memory_, GPU_TEXT(gpusmiMemoryUsed));
    load_function(library, busy_, GPU_TEXT(gpusmiUtilization));
    load_function(library, unique_id_, GPU_TEXT(gpusmiUniqueId));
    load_function(library, version_, GPU_TEXT(gpusmiDriverVersion));
    load_function(library, firmware_, GPU_TEXT(gpusmiFirmware));
    uint32_t n = 0;
    if (init_ == nullptr || init_(0) != 0 || count == nullptr || bus_id == nullptr || count(&n) != 0) return;
    cards_ = bound_cards(bus_ids, n, [&](uint32_t card) {
      uint64_t address = 0;  // bits 28 to 31 tell a card's partition on recent versions
      return bus_id(card, &address) == 0 ? address & ~uint64_t{0xffff0000} : ~uint64_t{0};
    });
  }
  [[nodiscard]] bool works() const { return any_bound(cards_); }

  void read(uint32_t index, assay_telemetry& out) override {
    const uint32_t device = bound(cards_, index);
    uint64_t wide = 0, stamp = 0;
    int64_t degrees = 0;
    uint32_t percent = 0;
    float unit_uj = 0;
    const auto put = [&](bool valid, uint32_t bit, double& field, const auto& reading, double unit) {
      note_reading(out, valid, bit, field, reading, unit);
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
  Identity identity(uint32_t index) override {
    if (index >= cards_.size() || cards_[index] == kUnbound) return {};
    const uint32_t device = cards_[index];
    uint64_t id = 0;
    const bool known = unique_id_ != nullptr && unique_id_(device, &id) == 0 && id != 0;
    return {known ? std::to_string(id) : "", text_of(version_, kDriver), text_of(firmware_, device)};
  }

 private:
  static constexpr int kDriver = 0;

  int (*init_)(uint64_t) = nullptr;
  int (*power_)(uint32_t, uint32_t sensor, uint64_t* uw) = nullptr;
  int (*energy_)(uint32_t, uint64_t*, float* unit_uj, uint64_t* ns) = nullptr;
  int (*temperature_)(uint32_t, uint32_t sensor, int metric, int64_t* milli_c) = nullptr;
  int (*memory_)(uint32_t, int kind, uint64_t*) = nullptr;
  int (*busy_)(uint32_t, uint32_t*) = nullptr;
  int (*unique_id_)(uint32_t, uint64_t*) = nullptr;
  int (*version_)(int component, char*, uint32_t length) = nullptr;
  int (*firmware_)(uint32_t, char*, uint32_t length) = nullptr;
  std::vector<uint32_t> cards_;  // by device
};

// Moore Threads: a device's GPU and memory are handles of their own. Power in mW; no energy counter.
class Mtml final : public Telemetry {
 public:
  Mtml(const Library& library, const std::vector<std::string>& bus_ids) {
    int (*init)(void**) = nullptr;
    int (*device)(void*, const char* address, void**) = nullptr;
    int (*part)(void*, void**) = nullptr;
    load_function(library, init, GPU_TEXT(gpusmiInit));
    load_function(library, device, GPU_TEXT(gpusmiDeviceHandle));
    load_function(library, power_, GPU_TEXT(gpusmiPowerUsage));
    load_function(library, temperature_, GPU_TEXT(gpusmiTemperature));
    load_function(library, clock_, GPU_TEXT(gpusmiClockInfo));
    load_function(library, memory_clock_, GPU_TEXT(gpusmiMemoryClock));
    load_function(library, used_, GPU_TEXT(gpusmiMemoryUsed));
    load_function(library, busy_, GPU_TEXT(gpusmiUtilization));
    load_function(library, unique_id_, GPU_TEXT(gpusmiUniqueId));
    void* session = nullptr;
    if (init == nullptr || device == nullptr || init(&session) != 0) return;
    for (const std::string& bus_id : bus_ids) {
      Parts parts;
      // Its own addresses have domains of 8 digits, the runtime's of 4.
      const bool there =
          pci_address(bus_id) != ~uint64_t{0} && (device(session, bus_id.c_str(), &parts.device) == 0 ||
                                                  device(session, ("0000" + bus_id).c_str(), &parts.device) == 0);
      if (!there) parts.device = nullptr;
      load_function(library, part, GPU_TEXT(gpusmiGpuHandle));
      if (parts.device == nullptr || part == nullptr || part(parts.device, &parts.gpu) != 0) parts.gpu = nullptr;
      load_function(library, part, GPU_TEXT(gpusmiMemoryHandle));
      if (parts.device == nullptr || part == nullptr || part(parts.device, &parts.memory) != 0) parts.memory = nullptr;
      works_ = works_ || parts.device != nullptr;
      devices_.push_back(parts);
    }
  }
  [[nodiscard]] bool works() const { return works_; }

  void read(uint32_t device, assay_telemetry& out) override {
    if (device >= devices_.size() || devices_[device].device == nullptr) no_telemetry(device);
    const Parts& d = devices_[device];
    unsigned value = 0;
    uint64_t bytes = 0;
    const auto ask = [&](int (*function)(void*, unsigned*), void* part, uint32_t bit, double& field, double unit) {
      const bool valid = function != nullptr && part != nullptr && function(part, &value) == 0;
      note_reading(out, valid, bit, field, value, unit);
    };
    out.scope = ASSAY_SCOPE_BOARD;
    ask(power_, d.device, ASSAY_T_POWER, out.power_w, 1e-3);
    ask(temperature_, d.gpu, ASSAY_T_TEMP, out.temp_c, 1);
    ask(clock_, d.gpu, ASSAY_T_CORE_MHZ, out.core_mhz, 1);
    ask(memory_clock_, d.memory, ASSAY_T_MEM_MHZ, out.mem_mhz, 1);
    ask(busy_, d.gpu, ASSAY_T_UTIL, out.util, 0.01);
    const bool used = used_ != nullptr && d.memory != nullptr && used_(d.memory, &bytes) == 0;
    note_reading(out, used, ASSAY_T_MEM_USED, out.mem_used_bytes, bytes, 1);
  }
  double power_limit_w(uint32_t) override { return 0; }
  Identity identity(uint32_t device) override {
    if (device >= devices_.size() || devices_[device].device == nullptr) return {};
    return {text_of(unique_id_, devices_[device].device), "", ""};
  }

 private:
  struct Parts {
    void *device = nullptr, *gpu = nullptr, *memory = nullptr;
  };
  int (*power_)(void*, unsigned* mw) = nullptr;
  int (*temperature_)(void*, unsigned*) = nullptr;
  int (*clock_)(void*, unsigned* mhz) = nullptr;
  int (*memory_clock_)(void*, unsigned* mhz) = nullptr;
  int (*busy_)(void*, unsigned* percent) = nullptr;
  int (*used_)(void*, uint64_t*) = nullptr;
  int (*unique_id_)(void*, char*, unsigned length) = nullptr;
  std::vector<Parts> devices_;
  bool works_ = false;
};

// MetaX: devices by number; board power is the sum of its rails; hundredths of a degree; memory in KiB.
class Mxsml final : public Telemetry {
 public:
  Mxsml(const Library& library, const std::vector<std::string>& bus_ids) {
    int (*init)() = nullptr;
    unsigned (*count)() = nullptr;
    load_function(library, count, GPU_TEXT(gpusmiDeviceCount));
    load_function(library, info_, GPU_TEXT(gpusmiBusId));
    load_function(library, init, GPU_TEXT(gpusmiInit));
    load_function(library, power_, GPU_TEXT(gpusmiPowerUsage));
    load_function(library, temperature_, GPU_TEXT(gpusmiTemperature));
    load_function(library, clocks_, GPU_TEXT(gpusmiClockInfo));
    load_function(library, memory_, GPU_TEXT(gpusmiMemoryUsed));
    load_function(library, busy_, GPU_TEXT(gpusmiUtilization));
    if (init == nullptr || init() != 0 || count == nullptr || info_ == nullptr) return;
    cards_ = bound_cards(bus_ids, count(), [&](uint32_t card) {
      Card told{};
      if (info_(card, &told) != 0) return ~uint64_t{0};
      return pci_address({told.bus_id, strnlen(told.bus_id, sizeof(told.bus_id))});
    });
  }
  [[nodiscard]] bool works() const { return any_bound(cards_); }

  void read(uint32_t index, assay_telemetry& out) override {
    const uint32_t device = bound(cards_, index);
    std::array<Rail, 8> rails{};
    unsigned n = rails.size();
    out.scope = ASSAY_SCOPE_BOARD;
    if (power_ != nullptr && power_(device, &n, rails.data()) == 0 && n > 0 && n <= rails.size()) {
      double mw = 0;
      for (unsigned i = 0; i < n; ++i) mw += rails[i].mw;
      note_reading(out, true, ASSAY_T_POWER, out.power_w, mw, 1e-3);
    }
    int value = 0;
    const bool warm = temperature_ != nullptr && temperature_(device, kHotspot, &value) == 0;
    note_reading(out, warm, ASSAY_T_TEMP, out.temp_c, value, 1e-2);
    const bool busy = busy_ != nullptr && busy_(device, kXcore, &value) == 0;
    note_reading(out, busy, ASSAY_T_UTIL, out.util, value, 0.01);
    clock(device, kXcoreClock, ASSAY_T_CORE_MHZ, out.core_mhz, out);
    clock(device, kMemoryClock, ASSAY_T_MEM_MHZ, out.mem_mhz, out);
    MemoryInfo memory{};
    const bool known = memory_ != nullptr && memory_(device, &memory) == 0;
    note_reading(out, known, ASSAY_T_MEM_USED, out.mem_used_bytes, memory.vram_used, 1024);
  }
  double power_limit_w(uint32_t) override { return 0; }
  Identity identity(uint32_t index) override {
    Card told{};
    if (index >= cards_.size() || cards_[index] == kUnbound || info_(cards_[index], &told) != 0) return {};
    return {{told.uuid, strnlen(told.uuid, sizeof(told.uuid))}, "", ""};
  }

 private:
  struct Card {
    unsigned id, type;
    char bus_id[32];
    unsigned gpu, node;
    char uuid[96];
    unsigned brand, mode;
    char name[32];
    unsigned more[64];  // newer versions may tell more
  };
  struct Rail {
    unsigned mv, ma, mw;
  };
  struct MemoryInfo {  // in KiB
    long vis_total, vis_used, vram_total, vram_used, xtt_total, xtt_used;
  };
  static constexpr int kHotspot = 0, kXcore = 4, kXcoreClock = 11, kMemoryClock = 3;

  void clock(uint32_t device, int domain, uint32_t bit, double& field, assay_telemetry& out) const {
    std::array<unsigned, 16> mhz{};
    unsigned n = mhz.size();
    const bool known = clocks_ != nullptr && clocks_(device, domain, &n, mhz.data()) == 0 && n > 0;
    note_reading(out, known, bit, field, mhz[0], 1);
  }

  int (*info_)(unsigned, Card*) = nullptr;
  int (*power_)(unsigned, unsigned* n, Rail*) = nullptr;
  int (*temperature_)(unsigned, int sensor, int* centi_c) = nullptr;
  int (*clocks_)(unsigned, int domain, unsigned* n, unsigned* mhz) = nullptr;
  int (*memory_)(unsigned, MemoryInfo*) = nullptr;
  int (*busy_)(unsigned, int block, int* percent) = nullptr;
  std::vector<uint32_t> cards_;  // by device
};

// Sunrise: no power reading, only a limit. The units of its clocks and of the limit are not stated anywhere, so they
// are left out. It tells no PCI address: only a machine's single card is known to be the runtime's single device.
class Ptml final : public Telemetry {
 public:
  Ptml(const Library& library, const std::vector<std::string>& bus_ids) {
    int (*init)() = nullptr;
    int (*count)(int*) = nullptr;
    load_function(library, count, GPU_TEXT(gpusmiDeviceCount));
    int (*device)(unsigned, int*) = nullptr;
    load_function(library, init, GPU_TEXT(gpusmiInit));
    load_function(library, device, GPU_TEXT(gpusmiDeviceHandle));
    load_function(library, temperature_, GPU_TEXT(gpusmiTemperature));
    load_function(library, memory_, GPU_TEXT(gpusmiMemoryUsed));
    int n = 0;
    if (init == nullptr || device == nullptr || count == nullptr || init() != 0 || count(&n) != 0) return;
    if (n == 1 && bus_ids.size() == 1 && device(0, &card_) != 0) card_ = -1;
  }
  [[nodiscard]] bool works() const { return card_ >= 0; }

  void read(uint32_t device, assay_telemetry& out) override {
    if (device != 0 || card_ < 0) no_telemetry(device);
    unsigned degrees = 0;
    MemoryInfo memory{};
    out.scope = ASSAY_SCOPE_CHIP;
    const bool warm = temperature_ != nullptr && temperature_(card_, &degrees) == 0;
    note_reading(out, warm, ASSAY_T_TEMP, out.temp_c, degrees, 1);
    const bool known = memory_ != nullptr && memory_(card_, &memory) == 0;
    note_reading(out, known, ASSAY_T_MEM_USED, out.mem_used_bytes, memory.used, 1);
  }
  double power_limit_w(uint32_t) override { return 0; }

 private:
  struct MemoryInfo {
    size_t total, used, free;
  };
  int (*temperature_)(int, unsigned*) = nullptr;
  int (*memory_)(int, MemoryInfo*) = nullptr;
  int card_ = -1;
};

template <typename T>
std::unique_ptr<Telemetry> if_it_works(std::unique_ptr<T> telemetry) {
  if (!telemetry->works()) return nullptr;
  return telemetry;
}

}  // namespace

std::unique_ptr<Telemetry> open_rocm_smi(const Library& library, const std::vector<std::string>& bus_ids) {
  return if_it_works(std::make_unique<RocmSmi>(library, bus_ids));
}
std::unique_ptr<Telemetry> open_mtml(const Library& library, const std::vector<std::string>& bus_ids) {
  return if_it_works(std::make_unique<Mtml>(library, bus_ids));
}
std::unique_ptr<Telemetry> open_mxsml(const Library& library, const std::vector<std::string>& bus_ids) {
  return if_it_works(std::make_unique<Mxsml>(library, bus_ids));
}
std::unique_ptr<Telemetry> open_ptml(const Library& library, const std::vector<std::string>& bus_ids) {
  return if_it_works(std::make_unique<Ptml>(library, bus_ids));
}

}  // namespace assay::gpu
