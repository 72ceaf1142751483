// When warm-up ends: by a drift test, not after a fixed count (metrics.md).
#pragma once

#include <cstdint>

namespace assay {

// Warm-up takes at most this share of a case's time limit, but at least two steps.
inline constexpr double kWarmupShare = 0.25;
inline constexpr uint64_t kMaxWarmupWindow = 512;

// Steps per window: a window lasts about a twentieth of the warm-up's limit, at least 3 steps.
uint64_t warmup_window(uint64_t first_step_ns, double time_limit_s);

// Whether drift has ended: the medians of two windows next to each other (before[0..n), after[0..n)) differ by at most
// twice the standard error of their difference, or by at most `floor` of the median where that is more. The
// standard error of a median is 1.2533 sigma / sqrt(n), sigma = 1.4826 median absolute deviation: stalls of the host do
// not widen it. `scratch` holds at least n doubles. n >= 3.
bool drift_ended(const uint64_t* before, const uint64_t* after, uint64_t n, double floor, double* scratch);

}  // namespace assay
