// The vendor's management library in MTML's shape: a device, its GPU and its memory are handles of their own, and a
// call with the wrong one fails.
#include <cstdint>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

namespace {

int session = 0, device = 0, gpu = 0, memory = 0;

int give(const void* handle, const int* right, unsigned* out, unsigned value) {
  *out = value;
  return handle == right ? 0 : 2;
}

}  // namespace

#define SMI_ENTRY(name, ...) ENTRY_AS(gpusmi##name, standin_smi_##name, __VA_ARGS__)

extern "C" {

SMI_ENTRY(Init, void** out) {
  *out = &session;
  return 0;
}
SMI_ENTRY(DeviceHandle, void* of, unsigned, void** out) {
  *out = &device;
  return of == &session ? 0 : 2;
}
SMI_ENTRY(GpuHandle, void* of, void** out) {
  *out = &gpu;
  return of == &device ? 0 : 2;
}
SMI_ENTRY(MemoryHandle, void* of, void** out) {
  *out = &memory;
  return of == &device ? 0 : 2;
}
SMI_ENTRY(PowerUsage, void* of, unsigned* mw) { return give(of, &device, mw, 250'000); }
SMI_ENTRY(Temperature, void* of, unsigned* degrees) { return give(of, &gpu, degrees, 40); }
SMI_ENTRY(ClockInfo, void* of, unsigned* mhz) { return give(of, &gpu, mhz, 1980); }
SMI_ENTRY(Utilization, void* of, unsigned* percent) { return give(of, &gpu, percent, 97); }
SMI_ENTRY(MemoryClock, void* of, unsigned* mhz) { return give(of, &memory, mhz, 2619); }
SMI_ENTRY(MemoryUsed, void* of, uint64_t* bytes) {
  *bytes = uint64_t{1} << 30;
  return of == &memory ? 0 : 2;
}

}  // extern "C"
