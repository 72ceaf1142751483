// Power and energy of a device over a window of the timed part.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "harness/measure/device_condition.h"
#include "harness/measure/environment.h"
#include "results/record.h"

namespace assay {

struct TelemetryOptions {
  SystemRoot root;
  uint64_t period_ns = 20'000'000;  // raised to kMinTelemetryPeriodNs if shorter
  bool cpu_device = false;          // the device is this host's CPU, so its package energy (powercap) is the device's
  double power_limit_w = 0;         // of the device's board, where it tells one; 0: unknown
  bool neutral_throttle = true;     // the adapter is of ABI 1.2 or later: before, throttle bits were the vendor's own
};
inline constexpr uint64_t kMinTelemetryPeriodNs = 10'000'000;

// Samples in its own thread from start() to stop(); the adapter's telemetry read is marked "any thread" in the ABI.
class TelemetrySampler {
 public:
  // table may be nullptr (the adapter has none); table and ctx must outlive the sampler.
  TelemetrySampler(const assay_telemetry_table* table, assay_ctx* ctx, uint32_t device,
                   const TelemetryOptions& options = {});
  ~TelemetrySampler();  // stops the thread
  TelemetrySampler(const TelemetrySampler&) = delete;
  TelemetrySampler& operator=(const TelemetrySampler&) = delete;

  // True if some source gave power or energy; without one energy() says what
  // was missing.
  [[nodiscard]] bool has_source() const;
  // Mean watts while nothing runs, over duration_ns; blocks that long, up to 1 s where the sensor has said too little
  // by then. Call before the load.
  void measure_idle(uint64_t duration_ns);
  void start();
  void stop();
  // Energy between two times of now_ns(), both inside start()..stop(). A counter is preferred to integrated power;
  // where both exist they are compared. Absent or untrusted energy carries the reason; joules are then empty.
  [[nodiscard]] Energy energy(uint64_t t0_ns, uint64_t t1_ns) const;
  // What the device's other sensors said between start() and stop().
  [[nodiscard]] std::vector<DeviceReading> readings() const;
  // The adapter told throttle bits that only its vendor can read: they are in no reading.
  [[nodiscard]] bool unread_throttle() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace assay
