#include "harness/run/warmup.h"

#include <algorithm>
#include <cmath>

#include "harness/run/stop_rule.h"

namespace assay {
namespace {

// 1.4826 x median absolute deviation from `median`.
double robust_sigma(const uint64_t* x, uint64_t n, double median, double* scratch) {
  for (uint64_t i = 0; i < n; ++i) scratch[i] = std::abs(static_cast<double>(x[i]) - median);
  std::nth_element(scratch, scratch + n / 2, scratch + n);
  return 1.4826 * scratch[n / 2];
}

}  // namespace

uint64_t warmup_window(uint64_t first_step_ns, double time_limit_s) {
  const double window_ns = time_limit_s * kWarmupShare * 1e9 / 20;
  const double steps = window_ns / static_cast<double>(std::max<uint64_t>(first_step_ns, 1));
  return std::clamp<uint64_t>(static_cast<uint64_t>(std::min(steps, 1e6)), 3, kMaxWarmupWindow);
}

bool drift_ended(const uint64_t* before, const uint64_t* after, uint64_t n, double floor, double* scratch) {
  const double median_before = median_of(before, n, scratch);
  const double median_after = median_of(after, n, scratch);
  const double sigma_before = robust_sigma(before, n, median_before, scratch);
  const double sigma_after = robust_sigma(after, n, median_after, scratch);
  const double error =
      1.2533 * std::sqrt((sigma_before * sigma_before + sigma_after * sigma_after) / static_cast<double>(n));
  return std::abs(median_after - median_before) <= std::max(2 * error, floor * median_after);
}

}  // namespace assay
