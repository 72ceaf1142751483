// Joules over a window from what a sensor said; no clocks, no threads, so that each rule can be tested exactly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/measure/telemetry.h"
#include "results/record.h"

namespace assay {

struct WindowEnergy {
  std::optional<double> joules;
  std::string reason;  // why absent or untrusted
};
inline constexpr uint64_t kMinEnergyReadings = 5;    // different counter values, or power samples, inside the window
inline constexpr double kMaxEnergyEdgeShare = 0.05;  // of the window, beyond the first or last reading
inline constexpr double kMaxEnergyGapShare = 0.10;   // of the window, without a power sample ...
inline constexpr double kMaxEnergyGapFactor = 3;     // ... and of the distance that even samples would have
inline constexpr double kMaxAuditDifference = 0.05;  // counter against integrated power, metrics.md
inline constexpr uint64_t kStuckPowerNs = 2'000'000'000;  // the same watts to the last digit for this long: stuck

// From a counter (energy_j, cumulative): readings at which it moved, with straight lines between and at the edges.
WindowEnergy energy_by_counter(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns);
// From power: trapezoids, with interpolation at the edges. averaging_ns: window over which the source itself averages.
WindowEnergy energy_by_power(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns,
                             uint64_t averaging_ns = 0);

// One source that may give a counter, power, or both; then the two are compared. `name` becomes the source.
Energy energy_of_source(const std::string& name, const std::vector<PowerSample>& samples, uint64_t t0_ns,
                        uint64_t t1_ns, uint64_t averaging_ns);

}  // namespace assay
