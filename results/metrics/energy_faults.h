// What no device gives: readings that can't be, and energies far from what it can draw.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/record.h"

namespace assay {

inline constexpr double kMaxReadingW = 1e7, kMaxReadingJ = 9e12;       // beyond it, no sensor's value
inline constexpr double kMaxOverLimit = 2;                             // mean power over the device's own limit ...
inline constexpr double kMinOfLimit = 1e-3;                            // ... and its least share: else another unit
inline constexpr double kMaxBoardMeanW = 5e4, kMaxMachineMeanW = 1e6;  // where no limit is known
inline constexpr double kJumpOfLimit = 3, kJumpOfMedian = 5;           // power of one step of a counter
inline constexpr double kMinJumpW = 100;                               // of such a step, where no limit is known
inline constexpr size_t kMaxJumps = 2;                                 // more of them than that are bursts of work
inline constexpr double kMinJumpShare = 0.05;                          // of the window's energy: less is no matter
inline constexpr double kOtherUnit = 30;                               // counter against any of its power readings

// Each: what is wrong, in words that say what was expected and found; "" if nothing is. `limit_w`: the device's power
// limit, 0 where unknown.
std::string reading_fault(const std::vector<PowerSample>& samples);  // not finite, negative, beyond any sensor
// The readings without such ones outside the window: nothing is told by them.
std::vector<PowerSample> sane_around(std::vector<PowerSample> samples, uint64_t t0_ns, uint64_t t1_ns);
// One or two steps of the counter inside the window of far more power than the limit, or than all others, allow. What
// the device may draw is no jump.
std::string counter_jump(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns, double limit_w);
// The mean of a window, against the limit.
std::string mean_fault(double watts_mean, double limit_w, bool whole_machine);
// The mean by the counter, against the least and the largest power that the same source told.
std::string unit_fault(double watts_mean, const std::vector<PowerSample>& samples);

}  // namespace assay
