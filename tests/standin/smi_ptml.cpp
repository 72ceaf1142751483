// The vendor's management library in PTML's shape, which reads no power.
#include <cstddef>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

#define SMI_ENTRY(name, ...) ENTRY_AS(gpusmi##name, standin_smi_##name, __VA_ARGS__)

extern "C" {

SMI_ENTRY(Init, void) { return 0; }
SMI_ENTRY(DeviceCount, int* n) {
  *n = standin::setting("first_visible") != 0 ? 2 : 1;
  return 0;
}
SMI_ENTRY(DeviceHandle, unsigned index, int* handle) {
  *handle = static_cast<int>(index) + 7;
  return 0;
}
SMI_ENTRY(Temperature, int handle, unsigned* degrees) {
  *degrees = 40;
  return handle == 7 ? 0 : 2;
}
SMI_ENTRY(MemoryUsed, int handle, size_t* total_used_free) {
  total_used_free[0] = size_t{32} << 30;
  total_used_free[1] = size_t{1} << 30;
  total_used_free[2] = size_t{31} << 30;
  return handle == 7 ? 0 : 2;
}

}  // extern "C"
