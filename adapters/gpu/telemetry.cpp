#include "adapters/gpu/telemetry.h"

#include "adapters/gpu/telemetry_shapes.h"

#include ASSAY_GPU_VENDOR_HEADER

namespace assay::gpu {

std::unique_ptr<Telemetry> Telemetry::load(const std::string& folder, const std::vector<std::string>& bus_ids,
                                           std::string* why) {
  const Library library({GPU_SMI_LIBRARIES}, folder);
  *why =
      library.loaded() ? library.name() + " does not answer, or not in a way that this adapter knows" : library.why();
  if (!library.loaded()) return nullptr;
  switch (GPU_SMI_SHAPE) {
    case kNvml:
    case kNvmlByIndex:
      return open_nvml(library, bus_ids, GPU_SMI_SHAPE == kNvmlByIndex);
    case kRocmSmi:
      return open_rocm_smi(library);
    case kMtml:
      return open_mtml(library, bus_ids.size());
    case kMxsml:
      return open_mxsml(library);
    case kPtml:
      return open_ptml(library, bus_ids.size());
  }
  return nullptr;
}

}  // namespace assay::gpu
