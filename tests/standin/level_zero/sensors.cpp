// The Sysman entries of the stand-in driver: a power domain, a frequency domain, a sensor, a memory module.
#include "tests/standin/level_zero/state.h"

namespace standin {

namespace {

char power_place, frequency_place, temperature_place, memory_place;
const uint64_t started_ns = now_ns();

template <typename H>
ze_result_t sensor(void* place, uint32_t* count, H* out) {
  return list_of(faulty("no_sensors") ? Places{} : Places{place}, count, out);
}
ze_result_t power_domains(zes_device_handle_t, uint32_t* count, zes_pwr_handle_t* out) {
  return sensor(&power_place, count, out);
}
ze_result_t frequency_domains(zes_device_handle_t, uint32_t* count, zes_freq_handle_t* out) {
  return sensor(&frequency_place, count, out);
}
ze_result_t temperature_sensors(zes_device_handle_t, uint32_t* count, zes_temp_handle_t* out) {
  return sensor(&temperature_place, count, out);
}
ze_result_t memory_modules(zes_device_handle_t, uint32_t* count, zes_mem_handle_t* out) {
  return sensor(&memory_place, count, out);
}

// Idle power all the time, and more while a submission runs.
ze_result_t energy(zes_pwr_handle_t, zes_power_energy_counter_t* out) {
  const uint64_t ns = now_ns() - started_ns;
  const double busy = static_cast<double>(busy_ns.load());
  out->timestamp = now_ns() / 1000;
  out->energy = faulty("stuck")
                    ? 5'000'000
                    : static_cast<uint64_t>((kIdleW * static_cast<double>(ns) + (kBusyW - kIdleW) * busy) / 1e3);
  return ZE_RESULT_SUCCESS;
}
ze_result_t frequency_properties(zes_freq_handle_t, zes_freq_properties_t* out) {
  out->type = ZES_FREQ_DOMAIN_GPU;
  return ZE_RESULT_SUCCESS;
}
ze_result_t frequency_state(zes_freq_handle_t, zes_freq_state_t* out) {
  out->actual = 1550;
  out->throttleReasons = faulty("hot") ? ZES_FREQ_THROTTLE_REASON_FLAG_THERMAL_LIMIT : 0;
  return ZE_RESULT_SUCCESS;
}
ze_result_t temperature(zes_temp_handle_t, double* out) {
  *out = faulty("hot") ? 101 : 54;
  return ZE_RESULT_SUCCESS;
}
ze_result_t memory_state(zes_mem_handle_t, zes_mem_state_t* out) {
  out->size = kMemoryBytes;
  out->free = out->size - used_bytes.load();
  return ZE_RESULT_SUCCESS;
}

}  // namespace

}  // namespace standin

STANDIN_EXPORT ze_result_t zesGetDeviceProcAddrTable(ze_api_version_t, zes_device_dditable_t* table) {
  table->pfnEnumPowerDomains = standin::power_domains;
  table->pfnEnumFrequencyDomains = standin::frequency_domains;
  table->pfnEnumTemperatureSensors = standin::temperature_sensors;
  table->pfnEnumMemoryModules = standin::memory_modules;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zesGetPowerProcAddrTable(ze_api_version_t, zes_power_dditable_t* table) {
  table->pfnGetEnergyCounter = standin::energy;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zesGetFrequencyProcAddrTable(ze_api_version_t, zes_frequency_dditable_t* table) {
  table->pfnGetProperties = standin::frequency_properties;
  table->pfnGetState = standin::frequency_state;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zesGetTemperatureProcAddrTable(ze_api_version_t, zes_temperature_dditable_t* table) {
  table->pfnGetState = standin::temperature;
  return ZE_RESULT_SUCCESS;
}
STANDIN_EXPORT ze_result_t zesGetMemoryProcAddrTable(ze_api_version_t, zes_memory_dditable_t* table) {
  table->pfnGetState = standin::memory_state;
  return ZE_RESULT_SUCCESS;
}
