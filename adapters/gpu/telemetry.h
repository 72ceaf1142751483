// Power, energy, temperature, clocks and what holds them down, from the vendor's management library, through own
// declarations. Read by any thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/gpu/runtime.h"

namespace assay::gpu {

// "" where the library does not tell.
struct Identity {
  std::string serial;  // of this card, of which there is one in the world
  std::string driver, firmware;
};

class Telemetry {
 public:
  // nullptr and the reason in `why` where there is no such library. Bus ids name the devices ("0000:01:00.0").
  static std::unique_ptr<Telemetry> load(const std::string& folder, const std::vector<std::string>& bus_ids,
                                         std::string* why);
  virtual ~Telemetry() = default;
  // Fills what the device gives and marks it valid.
  virtual void read(uint32_t device, assay_telemetry& out) = 0;
  [[nodiscard]] virtual double power_limit_w(uint32_t device) = 0;  // 0: unknown
  [[nodiscard]] virtual Identity identity(uint32_t device) {
    (void)device;
    return {};
  }
  // Set-up and health now, as names and values of assay_device_info.state; what the library does not tell is left out.
  [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> state(uint32_t device) {
    (void)device;
    return {};
  }
};

}  // namespace assay::gpu
