// What Level Zero's Sysman says of a device: energy, power, frequency, temperature, throttling, memory.
#pragma once

#include <level_zero/ze_api.h>

#include "adapters/abi/assay_adapter.h"

namespace assay::spirv {

// Follows one device. read() may be called by any thread, one at a time; it leaves t_ns alone.
class Sysman {
 public:
  // A device without Sysman, or without some of its sensors, leaves these out of `valid`.
  explicit Sysman(ze_device_handle_t device);
  void read(assay_telemetry& out);

 private:
  void read_energy(assay_telemetry& out);
  void read_frequencies(assay_telemetry& out) const;

  void* power_ = nullptr;  // zes_pwr_handle_t of the card or its first domain
  void* core_ = nullptr;   // zes_freq_handle_t
  void* memory_clock_ = nullptr;
  void* temperature_ = nullptr;
  void* memory_ = nullptr;
  uint64_t last_energy_uj_ = 0, last_time_us_ = 0;  // of the power that is the counter's slope
};

}  // namespace assay::spirv
