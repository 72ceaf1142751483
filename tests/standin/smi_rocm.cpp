// The vendor's management library in rocm_smi's shape: 250 W, a counter in units of 15.259 uJ, 40 degrees.
#include <chrono>
#include <cstdint>
#include <cstdio>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

#define SMI_ENTRY(name, ...) ENTRY_AS(gpusmi##name, standin_smi_##name, __VA_ARGS__)

extern "C" {

SMI_ENTRY(Init, uint64_t) { return 0; }
// Two cards, at PCI buses 1 and 2 and partition 3 of each; the second is warmer by a degree.
SMI_ENTRY(DeviceCount, uint32_t* n) {
  *n = 2;
  return 0;
}
SMI_ENTRY(BusId, uint32_t card, uint64_t* address) {
  *address = uint64_t{3} << 28 | (card + 1) << 8;
  return card < 2 ? 0 : 2;
}
SMI_ENTRY(PowerUsage, uint32_t, uint32_t, uint64_t* uw) {
  *uw = 250'000'000;
  return 0;
}
SMI_ENTRY(TotalEnergy, uint32_t, uint64_t* count, float* unit_uj, uint64_t* ns) {
  *ns = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  *unit_uj = 15.259F;
  *count = static_cast<uint64_t>(static_cast<double>(*ns) * 1e-9 * 250e6 / 15.259);
  return 0;
}
SMI_ENTRY(Temperature, uint32_t card, uint32_t sensor, int, int64_t* milli_c) {
  *milli_c = 40'000 + 1000 * int64_t{card};
  return sensor == 1 ? 0 : 2;  // the junction's
}
SMI_ENTRY(MemoryUsed, uint32_t, int, uint64_t* bytes) {
  *bytes = uint64_t{1} << 30;
  return 0;
}
SMI_ENTRY(Utilization, uint32_t, uint32_t* percent) {
  *percent = 97;
  return 0;
}

SMI_ENTRY(UniqueId, uint32_t card, uint64_t* id) {
  *id = 0xfeed + card;
  return card < 2 ? 0 : 2;
}
SMI_ENTRY(DriverVersion, int component, char* text, uint32_t length) {
  std::snprintf(text, length, "6.10.5");
  return component == 0 ? 0 : 2;
}
SMI_ENTRY(Firmware, uint32_t, char* text, uint32_t length) {
  std::snprintf(text, length, "113-D67301-063");
  return 0;
}

}  // extern "C"
