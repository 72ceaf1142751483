#include "adapters/spirv/sysman.h"

#include <algorithm>
#include <vector>

#include "adapters/spirv/level_zero_api.h"

namespace assay::spirv {

namespace {

template <typename Handle>
std::vector<Handle> all_of(ze_result_t (*list)(zes_device_handle_t, uint32_t*, Handle*), zes_device_handle_t device) {
  uint32_t n = 0;
  if (list == nullptr || list(device, &n, nullptr) != ZE_RESULT_SUCCESS) return {};
  std::vector<Handle> found(n);
  if (n == 0 || list(device, &n, found.data()) != ZE_RESULT_SUCCESS) return {};
  found.resize(n);
  return found;
}

template <typename Handle>
void* first_of(const std::vector<Handle>& handles) {
  return handles.empty() ? nullptr : static_cast<void*>(handles[0]);
}

uint64_t neutral_reasons(uint64_t flags) {
  constexpr uint64_t kPower = ZES_FREQ_THROTTLE_REASON_FLAG_AVE_PWR_CAP | ZES_FREQ_THROTTLE_REASON_FLAG_BURST_PWR_CAP;
  constexpr uint64_t kHardware = ZES_FREQ_THROTTLE_REASON_FLAG_CURRENT_LIMIT | ZES_FREQ_THROTTLE_REASON_FLAG_PSU_ALERT |
                                 ZES_FREQ_THROTTLE_REASON_FLAG_HW_RANGE;
  return ((flags & kPower) != 0 ? ASSAY_THROTTLE_POWER : 0) |
         ((flags & ZES_FREQ_THROTTLE_REASON_FLAG_THERMAL_LIMIT) != 0 ? ASSAY_THROTTLE_THERMAL : 0) |
         ((flags & kHardware) != 0 ? ASSAY_THROTTLE_HARDWARE : 0) |
         ((flags & ZES_FREQ_THROTTLE_REASON_FLAG_SW_RANGE) != 0 ? ASSAY_THROTTLE_SETTING : 0);
}

}  // namespace

Sysman::Sysman(ze_device_handle_t device) {
  const LevelZero& api = level_zero();
  auto* handle = reinterpret_cast<zes_device_handle_t>(device);
  power_ = first_of(all_of(api.zesDeviceEnumPowerDomains, handle));
  temperature_ = first_of(all_of(api.zesDeviceEnumTemperatureSensors, handle));
  memory_ = first_of(all_of(api.zesDeviceEnumMemoryModules, handle));
  for (zes_freq_handle_t domain : all_of(api.zesDeviceEnumFrequencyDomains, handle)) {
    zes_freq_properties_t properties{};
    properties.stype = ZES_STRUCTURE_TYPE_FREQ_PROPERTIES;
    if (api.zesFrequencyGetProperties == nullptr ||
        api.zesFrequencyGetProperties(domain, &properties) != ZE_RESULT_SUCCESS) {
      continue;
    }
    void*& place = properties.type == ZES_FREQ_DOMAIN_MEMORY ? memory_clock_ : core_;
    if (place == nullptr) place = domain;
  }
}

// The counter is in uJ with the driver's own time in us; power is its slope between two readings.
void Sysman::read_energy(assay_telemetry& out) {
  zes_power_energy_counter_t counter{};
  if (power_ == nullptr || level_zero().zesPowerGetEnergyCounter == nullptr ||
      level_zero().zesPowerGetEnergyCounter(static_cast<zes_pwr_handle_t>(power_), &counter) != ZE_RESULT_SUCCESS) {
    return;
  }
  out.valid |= ASSAY_T_ENERGY;
  out.energy_j = static_cast<double>(counter.energy) * 1e-6;
  if (last_time_us_ != 0 && counter.timestamp > last_time_us_ && counter.energy >= last_energy_uj_) {
    out.valid |= ASSAY_T_POWER;
    out.power_w = static_cast<double>(counter.energy - last_energy_uj_) /
                  static_cast<double>(counter.timestamp - last_time_us_);  // uJ / us
    out.window_ns = (counter.timestamp - last_time_us_) * 1000;
  }
  last_energy_uj_ = counter.energy;
  last_time_us_ = counter.timestamp;
}

void Sysman::read_frequencies(assay_telemetry& out) const {
  const LevelZero& api = level_zero();
  if (api.zesFrequencyGetState == nullptr) return;
  zes_freq_state_t state{};
  state.stype = ZES_STRUCTURE_TYPE_FREQ_STATE;
  if (core_ != nullptr &&
      api.zesFrequencyGetState(static_cast<zes_freq_handle_t>(core_), &state) == ZE_RESULT_SUCCESS) {
    out.valid |= ASSAY_T_THROTTLE;
    out.throttle = neutral_reasons(state.throttleReasons);
    if (state.actual >= 0) {  // negative: not known
      out.valid |= ASSAY_T_CORE_MHZ;
      out.core_mhz = state.actual;
    }
  }
  if (memory_clock_ != nullptr &&
      api.zesFrequencyGetState(static_cast<zes_freq_handle_t>(memory_clock_), &state) == ZE_RESULT_SUCCESS &&
      state.actual >= 0) {
    out.valid |= ASSAY_T_MEM_MHZ;
    out.mem_mhz = state.actual;
  }
}

void Sysman::read(assay_telemetry& out) {
  const LevelZero& api = level_zero();
  out.scope = ASSAY_SCOPE_CHIP;
  read_energy(out);
  read_frequencies(out);
  if (temperature_ != nullptr && api.zesTemperatureGetState != nullptr &&
      api.zesTemperatureGetState(static_cast<zes_temp_handle_t>(temperature_), &out.temp_c) == ZE_RESULT_SUCCESS) {
    out.valid |= ASSAY_T_TEMP;
  }
  zes_mem_state_t memory{};
  memory.stype = ZES_STRUCTURE_TYPE_MEM_STATE;
  if (memory_ != nullptr && api.zesMemoryGetState != nullptr &&
      api.zesMemoryGetState(static_cast<zes_mem_handle_t>(memory_), &memory) == ZE_RESULT_SUCCESS) {
    out.valid |= ASSAY_T_MEM_USED;
    out.mem_used_bytes = static_cast<double>(memory.size - std::min(memory.free, memory.size));
  }
}

}  // namespace assay::spirv
