// Throughput with intervals: total tokens / total time, 95 % by bootstrap of blocks (metrics.md). What launches differ
// by is in launches.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace assay {

struct Interval {
  double low = 0, high = 0;
};

// Integrated autocorrelation time tau = 1 + 2 sum rho_k (Sokal's window), at least 1. n < 4 gives 1.
double autocorrelation_time(const std::vector<double>& x);

// The same where it stands out of the estimate's own error (three times tau's standard error for independent values),
// else 1: what a count of samples is divided by.
double significant_autocorrelation_time(const std::vector<double>& x);

inline constexpr int kResamples = 2000;

// 95 % (or `confidence`) interval of the mean of x by a circular block bootstrap. The block length follows
// the autocorrelation time. Deterministic for a seed.
Interval bootstrap_mean(const std::vector<double>& x, double confidence, uint64_t seed, int resamples = kResamples);

struct Throughput {
  double per_s = 0;   // units / second
  Interval interval;  // of per_s
  double block_length = 0;
  size_t n = 0;
};
// units_per_step / mean(step_ns): harmonic, never the mean of rates.
Throughput throughput(const std::vector<double>& step_ns, double units_per_step, double confidence, uint64_t seed);

}  // namespace assay
