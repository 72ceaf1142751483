#include <mutex>

#include "adapters/spirv/level_zero.h"

namespace {

using assay::spirv::LevelZeroDevices;

class LevelZeroAdapter : public assay::spirv::Adapter {
 public:
  explicit LevelZeroAdapter(const assay::sdk::Host& host)
      : LevelZeroAdapter(assay::spirv::level_zero_devices(assay::spirv::read_options(host))) {}
  [[nodiscard]] bool has_telemetry() const override { return true; }
  void telemetry(uint32_t device, assay_telemetry& out) override {
    const std::lock_guard<std::mutex> alone(reading_);
    sensors_[device].read(out);
  }

 private:
  explicit LevelZeroAdapter(LevelZeroDevices found)
      : Adapter(std::move(found.devices)), sensors_(std::move(found.sensors)) {}
  std::mutex reading_;
  std::vector<assay::spirv::Sysman> sensors_;  // one a device
};

}  // namespace

ASSAY_SDK_ADAPTER(LevelZeroAdapter, "level_zero", "Assay project", ASSAY_SPIRV_VERSION, ASSAY_SPIRV_BUILD)
