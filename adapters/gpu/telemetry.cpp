#include "adapters/gpu/telemetry.h"

#include <cstdio>

#include "adapters/gpu/telemetry_shapes.h"

#include ASSAY_GPU_VENDOR_HEADER

namespace assay::gpu {

uint64_t pci_address(const std::string& bus_id) {
  unsigned domain = 0, bus = 0, device = 0, function = 0;
  int end = 0;
  const int n = std::sscanf(bus_id.c_str(), "%8x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end);
  if (n != 4 || static_cast<size_t>(end) != bus_id.size()) return ~uint64_t{0};
  return uint64_t{domain} << 32 | bus << 8 | device << 3 | function;
}

std::unique_ptr<Telemetry> Telemetry::load(const std::string& folder, const std::vector<std::string>& bus_ids,
                                           std::string* why) {
  const Library library({GPU_SMI_LIBRARIES}, folder);
  *why = library.loaded()
             ? library.name() +
                   " does not answer in a way that this adapter knows, or has no card at its devices' PCI addresses"
             : library.why();
  if (!library.loaded()) return nullptr;
  switch (GPU_SMI_SHAPE) {
    case kNvml:
      return open_nvml(library, bus_ids);
    case kRocmSmi:
      return open_rocm_smi(library, bus_ids);
    case kMtml:
      return open_mtml(library, bus_ids);
    case kMxsml:
      return open_mxsml(library, bus_ids);
    case kPtml:
      return open_ptml(library, bus_ids);
  }
  return nullptr;
}

}  // namespace assay::gpu
