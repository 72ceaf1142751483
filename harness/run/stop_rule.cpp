#include "harness/run/stop_rule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "results/metrics/latency.h"
#include "results/metrics/student.h"

namespace assay {
namespace {

constexpr uint64_t kMinBlocks = 16;
constexpr double kCheckSpacing = 1.2;

// Half-width from n independent values.
double half_width(const double* x, uint64_t n, double confidence) {
  double mean = 0;
  for (uint64_t i = 0; i < n; ++i) mean += x[i];
  mean /= static_cast<double>(n);
  double squares = 0;
  for (uint64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const double variance = squares / static_cast<double>(n - 1);
  return student_two_sided(confidence, static_cast<double>(n - 1)) * std::sqrt(variance / static_cast<double>(n));
}

// Samples are asked for of a case: its launches share them.
uint64_t required_of_a_launch(const RunPolicy& policy) {
  const uint64_t of_case = std::max(static_cast<uint64_t>(std::max<int64_t>(policy.min_samples, 0)),
                                    samples_for_percentiles(policy.percentiles, kLatencyConfidence));
  const auto launches = static_cast<uint64_t>(std::max<int64_t>(policy.launches, 1));
  return std::max<uint64_t>(2, (of_case + launches - 1) / launches);
}

}  // namespace

double mean_half_width(const uint64_t* x, uint64_t n, double confidence, double* scratch) {
  if (n < 2) return std::numeric_limits<double>::infinity();
  for (uint64_t i = 0; i < n; ++i) scratch[i] = static_cast<double>(x[i]);
  double widest = half_width(scratch, n, confidence);
  for (uint64_t blocks = n / 2; blocks >= kMinBlocks; blocks /= 2) {
    for (uint64_t i = 0; i < blocks; ++i) scratch[i] = (scratch[2 * i] + scratch[2 * i + 1]) / 2;
    widest = std::max(widest, half_width(scratch, blocks, confidence));
  }
  return widest;
}

double median_of(const uint64_t* x, uint64_t n, double* scratch) {
  for (uint64_t i = 0; i < n; ++i) scratch[i] = static_cast<double>(x[i]);
  double* middle = scratch + n / 2;
  std::nth_element(scratch, middle, scratch + n);
  if (n % 2 == 1) return *middle;
  return (*middle + *std::max_element(scratch, middle)) / 2;
}

uint64_t samples_for_percentiles(const std::vector<double>& percentiles, double confidence) {
  uint64_t needed = 0;
  for (const double p : percentiles) {
    if (p <= 0 || p >= 1) continue;
    uint64_t high = 1;
    while (!quantile_rank_bounds(high, p, confidence).upper) high *= 2;
    uint64_t low = high / 2;
    while (high - low > 1) {
      const uint64_t mid = (low + high) / 2;
      (quantile_rank_bounds(mid, p, confidence).upper ? high : low) = mid;
    }
    needed = std::max(needed, high);
  }
  return needed;
}

StopRule::StopRule(const RunPolicy& policy, uint64_t capacity)
    : target_(policy.target_half_width),
      confidence_(policy.confidence),
      required_(required_of_a_launch(policy)),
      min_elapsed_ns_(static_cast<uint64_t>(policy.time_limit_s * kMinTimedShare * 1e9)),
      next_(std::max<uint64_t>(2, static_cast<uint64_t>(static_cast<double>(required_) / kCheckSpacing))),
      scratch_(capacity) {}

bool StopRule::precise(const uint64_t* x, uint64_t n, uint64_t elapsed_ns) {
  next_ = std::max(n + 1, static_cast<uint64_t>(std::ceil(static_cast<double>(n) * kCheckSpacing)));
  const bool narrow = mean_half_width(x, n, confidence_, scratch_.data()) <= target_ * median_of(x, n, scratch_.data());
  const bool twice = narrow && narrow_before_;
  narrow_before_ = narrow;
  return twice && n >= required_ && elapsed_ns >= min_elapsed_ns_;
}

std::optional<double> StopRule::relative_half_width(const uint64_t* x, uint64_t n) {
  if (n < 2) return std::nullopt;
  const double median = median_of(x, n, scratch_.data());
  if (median <= 0) return std::nullopt;
  return mean_half_width(x, n, confidence_, scratch_.data()) / median;
}

}  // namespace assay
