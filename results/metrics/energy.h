// Energy: joules over the timed part of a run from what a sensor said (metrics.md Energy, facts C3). No clocks, no
// threads, so that each rule can be tested exactly.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/record.h"

namespace assay {

// Why energy is not trusted; the name stands in the record.
enum class EnergyCode {
  kTrusted,
  kNoSource,     // nothing gave a valid reading
  kEmptyWindow,  // the window has no length
  kTooFew,       // fewer than kMinEnergyReadings inside the window
  kEdge,         // the readings don't reach an end of the window
  kGap,          // a long time without a reading
  kStuck,        // the sensor says the same all the time
  kAveraging,    // the source averages over more than half the window
  kWentBack,     // the counter fell
  kImpossible,   // a reading or a mean power that the device can't have: energy_faults.h
  kJump,         // the counter rose at once by far more than the device can draw
  kDisagrees     // counter against integrated power: over kMaxAuditDifference
};
const char* energy_code_name(EnergyCode code);  // "trusted", "too-few", ...

// How a source's joules came to be, behind its name.
inline constexpr const char *kByCounter = ", energy counter", *kByPower = ", integrated power";

struct WindowEnergy {
  std::optional<double> joules;
  EnergyCode code = EnergyCode::kNoSource;
  std::string reason;  // why absent or untrusted
};
inline constexpr uint64_t kMinEnergyReadings = 5;    // different counter values, or power samples, inside the window
inline constexpr double kMaxEnergyEdgeShare = 0.05;  // of the window, beyond the first or last reading; or ...
inline constexpr double kMaxEnergyEdgeBeats = 1.5;   // ... of the sensor's beat, where it is slower than the readings
inline constexpr double kMaxEnergyGapShare = 0.10;   // of the window, without a power sample ...
inline constexpr double kMaxEnergyGapFactor = 3;     // ... and of the distance that even samples would have
inline constexpr double kMaxAuditDifference = 0.05;  // counter against integrated power, metrics.md
inline constexpr uint64_t kStuckPowerNs = 2'000'000'000;  // the same watts to the last digit for this long: stuck

// From a counter (energy_j, cumulative): straight lines between its updates; beyond the outermost, which lie at most
// one beat of the sensor from the ends, the mean rate between them.
WindowEnergy energy_by_counter(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns);
// From power: trapezoids, with interpolation at the edges. averaging_ns: window over which the source itself averages.
WindowEnergy energy_by_power(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns,
                             uint64_t averaging_ns = 0);

// One source that may give a counter, power, or both; then the two are compared, over the time in which both said
// something new. `name` becomes the source. `limit_w`: the device's power limit, 0 where unknown.
Energy energy_of_source(const std::string& name, const std::vector<PowerSample>& samples, uint64_t t0_ns,
                        uint64_t t1_ns, uint64_t averaging_ns, double limit_w = 0);
// The same figures again from the samples that the record carries; of each launch by itself.
Energy energy_again(const Energy& recorded);
// Joules, mean watts and uncertainty (in quadrature) of launches together into `sum`; none, with the reason of the
// first that has none.
void sum_of_energies(const std::vector<Energy>& parts, Energy* sum);

// Standard uncertainty of an energy, relative, and its terms (facts C3): u^2 = meter^2 + sampling^2 + alignment^2.
struct EnergyUncertainty {
  double meter = 0;     // what the meter's maker states; 0: not stated
  double sampling = 0;  // all samples against every second one, a third of it (trapezoids err with the square)
  // 2 dt/T (P_load - P_idle)/P_mean, dt: half the longer of the distance of the updates and the averaging; so a sensor
  // of 0.1 s leaves about a tenth of what a window of 1 s took above idle uncertain.
  double alignment = 0;
  [[nodiscard]] double total() const;
};
EnergyUncertainty energy_uncertainty(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns,
                                     uint64_t averaging_ns, double watts_mean, std::optional<double> idle_watts,
                                     double meter_share = 0);

// What sees the power, in order of trust.
enum class EnergySource { kWall, kBmc, kCounter, kPower, kNone };
// Of a record's energy.source.
EnergySource energy_source(const std::string& source);
// True where the source sees the whole machine, not the card alone.
bool sees_whole_machine(const std::string& source);

// Whether the record trusts its own energy (records before the codes say nothing else but joules).
bool energy_trusted(const Energy& energy);

struct EnergyFigures {
  std::optional<double> joules_per_token, net_joules_per_token, tokens_per_joule;  // net: without the idle power
  std::optional<double> relative_uncertainty;                                      // of joules_per_token
  std::string code, reason;
};
// None of a run that did not end well, nor where the record says that the energy is not to be trusted; `reason` why.
EnergyFigures energy_figures(const Record& record);

}  // namespace assay
