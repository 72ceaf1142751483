// The vendor's management library in NVML's shape: 250 W that add up, at 40 degrees.
#include <chrono>
#include <cstdint>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

namespace {

constexpr double kWatts = 250;

int card = 0;

struct Memory {
  uint64_t total, free, used;
};
struct Rates {
  unsigned gpu, memory;
};

}  // namespace

#define SMI_ENTRY(name, ...) ENTRY_AS(gpusmi##name, standin_smi_##name, __VA_ARGS__)

extern "C" {

SMI_ENTRY(Init, void) { return 0; }
SMI_ENTRY(DeviceHandle, const char* bus_id, void** out) {
  *out = &card;
  return bus_id == nullptr ? 2 : 0;
}
SMI_ENTRY(PowerUsage, void*, unsigned* mw) {
  *mw = static_cast<unsigned>(kWatts * 1e3);
  return 0;
}
SMI_ENTRY(TotalEnergy, void*, unsigned long long* mj) {
  const std::chrono::duration<double> since = std::chrono::steady_clock::now().time_since_epoch();
  *mj = static_cast<unsigned long long>(since.count() * kWatts * 1e3);
  return 0;
}
SMI_ENTRY(Temperature, void*, int, unsigned* degrees) {
  *degrees = 40;
  return 0;
}
SMI_ENTRY(ClockInfo, void*, int kind, unsigned* mhz) {
  *mhz = kind == 2 ? 2619 : 1980;
  return 0;
}
SMI_ENTRY(MemoryUsed, void*, Memory* out) {
  *out = {uint64_t{80} << 30, uint64_t{79} << 30, uint64_t{1} << 30};
  return 0;
}
SMI_ENTRY(Utilization, void*, Rates* out) {
  *out = {97, 50};
  return 0;
}
SMI_ENTRY(ThrottleReasons, void*, unsigned long long* reasons) {
  *reasons = 1 | 4;  // idle, and the power cap
  return 0;
}
SMI_ENTRY(PowerLimit, void*, unsigned* mw) {
  *mw = 700000;
  return 0;
}

}  // extern "C"
