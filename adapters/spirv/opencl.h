// The devices of every OpenCL platform.
#pragma once

#include <memory>
#include <vector>

#include "adapters/spirv/adapter.h"

namespace assay::spirv {

// Throws sdk::Failure (UNSUPPORTED) that says why there is none.
std::vector<std::unique_ptr<Device>> opencl_devices(const Options& options);

}  // namespace assay::spirv
