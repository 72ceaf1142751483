// The vendor's management library in MTML's shape: a device, its GPU and its memory are handles of their own, and a
// call with the wrong one fails.
#include <cstdint>
#include <cstdio>
#include <string_view>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

namespace {

// Two cards, at PCI buses 1 and 2; the second is warmer by a degree.
int session = 0, device[2], gpu[2], memory[2];

// Which of the two a handle is; -1: none of these.
int card_of(const void* handle, const int* cards) { return handle == &cards[0] ? 0 : handle == &cards[1] ? 1 : -1; }
int give(const void* handle, const int* cards, unsigned* out, unsigned value) {
  *out = value;
  return card_of(handle, cards) >= 0 ? 0 : 2;
}

}  // namespace

#define SMI_ENTRY(name, ...) ENTRY_AS(gpusmi##name, standin_smi_##name, __VA_ARGS__)

extern "C" {

SMI_ENTRY(Init, void** out) {
  *out = &session;
  return 0;
}
SMI_ENTRY(DeviceHandle, void* of, const char* address, void** out) {
  const std::string_view id = address;
  if (of != &session || (id != "00000000:01:00.0" && id != "00000000:02:00.0")) return 2;
  *out = &device[id[10] - '1'];
  return 0;
}
SMI_ENTRY(GpuHandle, void* of, void** out) {
  const int card = card_of(of, device);
  *out = &gpu[card < 0 ? 0 : card];
  return card < 0 ? 2 : 0;
}
SMI_ENTRY(MemoryHandle, void* of, void** out) {
  const int card = card_of(of, device);
  *out = &memory[card < 0 ? 0 : card];
  return card < 0 ? 2 : 0;
}
SMI_ENTRY(PowerUsage, void* of, unsigned* mw) { return give(of, device, mw, 250'000); }
SMI_ENTRY(Temperature, void* of, unsigned* degrees) {
  return give(of, gpu, degrees, 40 + static_cast<unsigned>(card_of(of, gpu)));
}
SMI_ENTRY(ClockInfo, void* of, unsigned* mhz) { return give(of, gpu, mhz, 1980); }
SMI_ENTRY(Utilization, void* of, unsigned* percent) { return give(of, gpu, percent, 97); }
SMI_ENTRY(MemoryClock, void* of, unsigned* mhz) { return give(of, memory, mhz, 2619); }
SMI_ENTRY(MemoryUsed, void* of, uint64_t* bytes) {
  *bytes = uint64_t{1} << 30;
  return card_of(of, memory) >= 0 ? 0 : 2;
}

SMI_ENTRY(UniqueId, void* of, char* text, unsigned length) {
  std::snprintf(text, length, "mtt-%d", card_of(of, device));
  return card_of(of, device) >= 0 ? 0 : 2;
}

}  // extern "C"
