// Acceptance of a clause such as "p99.9(step) <= 60 ms @ 99 %" by exact binomial, and the numbers of samples that
// MLPerf asks for (facts C1).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "results/metrics/throughput.h"

namespace assay {

enum class Accepted { kPass, kFail, kInconclusive };
const char* accepted_name(Accepted a);  // "PASS", "FAIL", "INCONCLUSIVE"

struct Acceptance {
  Accepted verdict = Accepted::kInconclusive;
  uint64_t n = 0, over = 0;  // samples that count, and those of them over the limit
  uint64_t n_needed = 0;     // to pass if none of the further ones is over
  double thinning = 1;       // each so many-th sample counted: the autocorrelation time
  Interval exceedance;       // share over the limit, Clopper and Pearson at the clause's confidence
};

// PASS if so few over in n would happen with a probability of at most 1 - confidence were the true share over the limit
// 1 - p; FAIL if so many would.
Acceptance accept(uint64_t n, uint64_t over, double p, double confidence);
// The same of samples in order; correlated ones are thinned by their autocorrelation time first.
Acceptance accept_samples(const std::vector<double>& x, double limit, double p, double confidence);

// Two-sided interval of a share from `over` in n (Clopper and Pearson): holds at the confidence or more.
Interval share_interval(uint64_t n, uint64_t over, double confidence);

// MLPerf's fixed number of queries for a percentile: z^2 p (1-p) / margin^2 with margin (1-p)/20, to the nearest.
uint64_t mlperf_fixed_n(double p, double confidence);
// The same, up to a multiple of 2^13.
uint64_t mlperf_rounded_n(double p, double confidence);
// MLPerf's early stopping estimate of a percentile: the largest t >= 1 with n >= early_stopping_n(p, confidence, t);
// the estimate is the sample of rank n - t + 1 (1-based): the t - 1 highest are discarded. None where n is too small
// even for t = 1.
std::optional<uint64_t> early_stopping_discard(uint64_t n, double p, double confidence);

}  // namespace assay
