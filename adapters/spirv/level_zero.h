// The devices of every Level Zero driver, and their tiles.
#pragma once

#include <memory>
#include <vector>

#include "adapters/spirv/adapter.h"
#include "adapters/spirv/sysman.h"

namespace assay::spirv {

struct LevelZeroDevices {
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<Sysman> sensors;  // one a device
};
// Throws sdk::Failure (UNSUPPORTED) that says why there is none.
LevelZeroDevices level_zero_devices(const Options& options);

}  // namespace assay::spirv
