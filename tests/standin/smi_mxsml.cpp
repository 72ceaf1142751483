// The vendor's management library in MXSML's shape: 250 W on three rails, hundredths of a degree, memory in KiB.
#include <cstdint>
#include <cstdio>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

namespace {

constexpr int kTooSmall = 10;

struct Rail {
  unsigned mv, ma, mw;
};

}  // namespace

#define SMI_ENTRY(name, ...) ENTRY_AS(gpusmi##name, standin_smi_##name, __VA_ARGS__)

extern "C" {

SMI_ENTRY(Init, void) { return 0; }
// Two cards, at PCI buses 1 and 2; the second is warmer by a degree.
EXPORT(gpusmiDeviceCount, standin_smi_count)
IMPLEMENTATION unsigned standin_smi_count() { return 2; }
SMI_ENTRY(BusId, unsigned card, char* info) {
  std::snprintf(info + 8, 32, "0000:%02x:00.0", card + 1);
  std::snprintf(info + 48, 96, "mx-%u", card);
  return card < 2 ? 0 : 6;
}
SMI_ENTRY(PowerUsage, unsigned, unsigned* n, Rail* rails) {
  if (*n < 3) return kTooSmall;
  *n = 3;
  rails[0] = {12000, 12500, 150'000};
  rails[1] = {12000, 6250, 75'000};
  rails[2] = {3300, 7576, 25'000};
  return 0;
}
SMI_ENTRY(Temperature, unsigned card, int sensor, int* centi_c) {
  *centi_c = 4000 + 100 * static_cast<int>(card);
  return sensor == 0 ? 0 : 3;
}
SMI_ENTRY(ClockInfo, unsigned, int domain, unsigned* n, unsigned* mhz) {
  if (*n < 1) return kTooSmall;
  *n = 1;
  *mhz = domain == 11 ? 1980 : 2619;
  return domain == 11 || domain == 3 ? 0 : 3;
}
SMI_ENTRY(MemoryUsed, unsigned, long* kib) {
  const long values[] = {0, 0, 64L << 20, 1L << 20, 0, 0};
  for (int i = 0; i < 6; ++i) kib[i] = values[i];
  return 0;
}
SMI_ENTRY(Utilization, unsigned, int block, int* percent) {
  *percent = 97;
  return block == 4 ? 0 : 3;
}

}  // extern "C"
