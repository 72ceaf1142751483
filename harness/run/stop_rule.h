// When a case has been measured well enough: the stop rule of metrics.md, without allocation once made.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "suites/suite.h"

namespace assay {

// Half-width of the confidence interval of the mean of x[0..n), in the unit of x. Samples are serially correlated, so
// the variance of the mean comes from the means of blocks of 1, 2, 4, ... samples (Flyvbjerg and Petersen 1989) as
// long as 16 blocks remain, each with Student's t of its own blocks, and the largest counts: correlation
// can only widen it. `scratch` holds at least n doubles. n < 2: infinity.
double mean_half_width(const uint64_t* x, uint64_t n, double confidence, double* scratch);

// Median of x[0..n); `scratch` as above. n >= 1.
double median_of(const uint64_t* x, uint64_t n, double* scratch);

// Fewest samples with which every percentile of the policy has an upper bound (order statistics). A percentile outside
// (0, 1) needs none.
uint64_t samples_for_percentiles(const std::vector<double>& percentiles, double confidence);

// A share of the time limit that every case is timed for at least: noise slower than a few steps (a neighbour of the
// machine that comes and goes) doesn't show in an interval taken in less.
inline constexpr double kMinTimedShare = 0.1;

class StopRule {
 public:
  // `capacity`: the most samples it will be shown.
  StopRule(const RunPolicy& policy, uint64_t capacity);

  // Cheap; asked after every step. Checks are spaced geometrically, because a rule that looks often stops by luck.
  [[nodiscard]] bool due(uint64_t n) const { return n >= next_; }
  // True when x[0..n) is precise enough: half-width at most the target share of the median at this check and at the one
  // before, n enough for min_samples and the percentiles, and elapsed at least kMinTimedShare of the limit.
  bool precise(const uint64_t* x, uint64_t n, uint64_t elapsed_ns);
  // Relative to the median of x[0..n); nullopt for n < 2. For the report at the end.
  std::optional<double> relative_half_width(const uint64_t* x, uint64_t n);
  [[nodiscard]] uint64_t required_samples() const { return required_; }

 private:
  double target_, confidence_;
  uint64_t required_, min_elapsed_ns_;
  uint64_t next_;
  bool narrow_before_ = false;
  std::vector<double> scratch_;
};

}  // namespace assay
