#include "results/metrics/latency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "results/metrics/throughput.h"

namespace assay {
namespace {

// MLPerf's early stopping table: 459 and 4603 without a failure, 64 for p90 with one.
TEST(Latency, SamplesNeededAreThePublishedOnes) {
  EXPECT_EQ(early_stopping_n(0.99, 0.99, 0), 459U);
  EXPECT_EQ(early_stopping_n(0.999, 0.99, 0), 4603U);
  EXPECT_EQ(early_stopping_n(0.9, 0.99, 1), 64U);
}

// n = 10, p = 1/2: P(Bin <= 1) = 11/1024 = 0.0107 <= 0.025 < P(Bin <= 2) = 56/1024 = 0.0547, so l = 2 and, by
// symmetry, u = 9: the textbook interval of the median.
TEST(Latency, RankBoundsOfTheMedianOfTen) {
  const RankBounds bounds = quantile_rank_bounds(10, 0.5, 0.95);
  EXPECT_EQ(bounds.lower, 2U);
  EXPECT_EQ(bounds.upper, 9U);
}

// Published ranks at 95 %: n = 1000: p50 [469, 532], p99 [983, 997], p99.9 without an upper bound; n = 10^4: p99
// [9880, 9920], p99.9 [9983, 9997].
TEST(Latency, RankBoundsAreThePublishedOnes) {
  const auto ranks = [](uint64_t n, double p) {
    const RankBounds b = quantile_rank_bounds(n, p, 0.95);
    return std::pair(b.lower.value_or(0), b.upper.value_or(0));
  };
  EXPECT_EQ(ranks(1000, 0.5), std::pair(uint64_t{469}, uint64_t{532}));
  EXPECT_EQ(ranks(1000, 0.99), std::pair(uint64_t{983}, uint64_t{997}));
  EXPECT_FALSE(quantile_rank_bounds(1000, 0.999, 0.95).upper);
  EXPECT_EQ(ranks(10000, 0.99), std::pair(uint64_t{9880}, uint64_t{9920}));
  EXPECT_EQ(ranks(10000, 0.999), std::pair(uint64_t{9983}, uint64_t{9997}));
}

// Each of 600 independent values ten times in a row: 6000 steps are worth at most 1000 or so, and p99.9 has no bound,
// though 4603 independent steps would have one.
TEST(Latency, CorrelatedStepsAreWorthFewer) {
  std::mt19937_64 random(5);
  std::exponential_distribution<double> time(1e-6);
  std::vector<double> repeated, start, independent;
  for (int i = 0; i < 600; ++i) repeated.insert(repeated.end(), 10, 1e6 + time(random));
  for (size_t i = 0; i < repeated.size(); ++i) {
    start.push_back(static_cast<double>(i) * 2e6);
    independent.push_back(1e6 + time(random));
  }
  const Latency l = latency(repeated, start, 0.98), free = latency(independent, start, 0.98);
  EXPECT_GT(l.tau, 6);
  EXPECT_LT(l.tau, 15);
  EXPECT_FALSE(l.quantiles[3].high);
  EXPECT_NE(l.quantiles[3].note.find("independent"), std::string::npos);
  EXPECT_EQ(free.tau, 1);
  EXPECT_TRUE(free.quantiles[3].high);
  EXPECT_GT(*l.quantiles[0].high - *l.quantiles[0].low, 2 * (*free.quantiles[0].high - *free.quantiles[0].low));
}

TEST(Latency, ValuesAtRanksAreThoseOfASortedCopy) {
  std::mt19937_64 random(2);
  std::vector<double> x(1000);
  for (double& v : x) v = static_cast<double>(random() % 300);
  std::vector<double> sorted = x;
  std::sort(sorted.begin(), sorted.end());
  const std::vector<uint64_t> ranks{1000, 1, 500, 501, 990, 500, 2, 250};
  const std::vector<double> found = values_at_ranks(x, ranks);
  for (size_t i = 0; i < ranks.size(); ++i) EXPECT_EQ(found[i], sorted[ranks[i] - 1]);
}

// n = 5: P(Bin <= 0) = 1/32 = 0.031 > 0.025, so no bound at 95 %.
TEST(Latency, TooFewSamplesHaveNoBounds) {
  const RankBounds bounds = quantile_rank_bounds(5, 0.5, 0.95);
  EXPECT_FALSE(bounds.lower);
  EXPECT_FALSE(bounds.upper);
  EXPECT_FALSE(quantile_rank_bounds(458, 0.99, 0.98).upper);
  EXPECT_EQ(quantile_rank_bounds(459, 0.99, 0.98).upper, 459U);
}

// 1..100 in an order without a trend (37 i mod 101): nearest ranks 50, 90 and 99; p99.9 would be past the sample.
TEST(Latency, QuantilesAreSamplesAndNeverPastThem) {
  std::vector<double> x(100), start(100);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>((i + 1) * 37 % 101);
  for (size_t i = 1; i < x.size(); ++i) start[i] = start[i - 1] + x[i - 1];
  const Latency l = latency(x, start, 0.98);
  EXPECT_EQ(l.n, 100U);
  EXPECT_DOUBLE_EQ(l.median, 50.5);
  EXPECT_DOUBLE_EQ(l.mean, 50.5);
  EXPECT_EQ(l.quantiles[0].value, 50);
  EXPECT_EQ(l.quantiles[1].value, 90);
  EXPECT_EQ(l.quantiles[2].value, 99);
  EXPECT_FALSE(l.quantiles[2].high);
  EXPECT_EQ(l.quantiles[2].note, "n = 100 < 459 needed for an upper bound");
  EXPECT_FALSE(l.quantiles[3].value);
  EXPECT_FALSE(l.tail_ratio);
  EXPECT_FALSE(l.jitter_p99) << "99 differences";
  EXPECT_DOUBLE_EQ(l.qcd, (75.0 - 25.0) / (75.0 + 25.0));
}

// Differences of 1 to 100: their p99 is the 99th. Of 1 to 1000 p99.9 is 999, the median 500.5, and the variance of the
// sample n (n + 1) / 12.
TEST(Latency, JitterTailAndSpreadByHand) {
  std::vector<double> x{1000}, start{0};
  for (int i = 1; i <= 100; ++i) {
    x.push_back(x.back() + (i % 2 == 0 ? -i : i));
    start.push_back(i * 1e9);
  }
  EXPECT_DOUBLE_EQ(*latency(x, start, 0.99).jitter_p99, 99);
  std::vector<double> y, at;
  for (int i = 0; i < 1000; ++i) {
    y.push_back(1 + i * 377 % 1000);  // each of 1 to 1000 once, in no order
    at.push_back(i * 1e9);
  }
  const Latency l = latency(y, at, 0.99);
  EXPECT_DOUBLE_EQ(*l.tail_ratio, 999 / 500.5);
  EXPECT_NEAR(l.cov, std::sqrt(1000 * 1001 / 12.0) / 500.5, 1e-12);
  EXPECT_DOUBLE_EQ(l.max, 1000);
}

// Steps of 1 ms, every tenth 3 ms: a tenth are stalls, and the period is 10 steps.
TEST(Latency, StallsAndTheirPeriod) {
  std::vector<double> x, start;
  double now = 0;
  for (int i = 0; i < 1000; ++i) {
    x.push_back(i % 10 == 0 ? 3e6 : 1e6);
    start.push_back(now);
    now += x.back();
  }
  const Latency l = latency(x, start, 0.98);
  EXPECT_DOUBLE_EQ(l.stall_rate, 0.1);
  ASSERT_TRUE(l.period_steps);
  EXPECT_DOUBLE_EQ(*l.period_steps, 10);
}

// From 10 to 11 ms over 10 s: a slope of 1 % of the median a second.
TEST(Latency, DriftIsASlopeWithItsInterval) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> noise(0, 1e5);
  std::vector<double> x, flat, start;
  for (int i = 0; i < 1000; ++i) {
    start.push_back(i * 1e7);
    x.push_back(10e6 + 1e6 * i / 1000 + noise(random));
    flat.push_back(10e6 + noise(random));
  }
  const Latency l = latency(x, start, 0.98);
  EXPECT_LT(l.drift_low, 0.1 / 10.5);
  EXPECT_GT(l.drift_high, 0.1 / 10.5);
  EXPECT_GT(l.drift_low, 0.005);
  const Latency f = latency(flat, start, 0.98);
  EXPECT_LT(f.drift_low, 0);
  EXPECT_GT(f.drift_high, 0);
}

TEST(Latency, TwoGroupsAreSeenAndOneIsNot) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(10e6, 2e5);
  std::exponential_distribution<double> tail(1e-6);
  std::vector<double> one, two, skewed, start;
  for (int i = 0; i < 500; ++i) {
    start.push_back(i * 1e7);
    one.push_back(noise(random));
    two.push_back(noise(random) + (i % 3 == 0 ? 5e6 : 0));
    skewed.push_back(10e6 + tail(random));
  }
  EXPECT_FALSE(latency(one, start, 0.98).bimodal);
  EXPECT_FALSE(latency(skewed, start, 0.98).bimodal);
  EXPECT_TRUE(latency(two, start, 0.98).bimodal);
}

// Two steps of 1 and 3 s with 4 tokens each: 8 tokens in 4 s, not the mean of 4/1 and 4/3.
TEST(Throughput, IsHarmonic) { EXPECT_DOUBLE_EQ(throughput({1e9, 3e9}, 4, 0.95, 1).per_s, 2); }

// Share of intervals of the mean that hold the true mean, over series of AR(1) with this correlation.
double coverage(double phi, int trials, int n) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> noise(0, 1);
  int held = 0;
  for (int t = 0; t < trials; ++t) {
    std::vector<double> x;
    double state = noise(random) / std::sqrt(1 - phi * phi);
    for (int i = 0; i < n; ++i) {
      state = phi * state + noise(random);
      x.push_back(100 + state);
    }
    const Interval interval = bootstrap_mean(x, 0.95, static_cast<uint64_t>(t), 500);
    held += interval.low <= 100 && 100 <= interval.high;
  }
  return static_cast<double>(held) / trials;
}

// 95 % asked; 2000 trials have a standard error of 0.5 %. On AR(1) the intervals are a little narrow: near 93 %.
TEST(Throughput, IntervalsHoldOnIndependentAndOnCorrelatedSeries) {
  EXPECT_GE(coverage(0, 2000, 400), 0.93);
  EXPECT_GE(coverage(0.5, 2000, 400), 0.93);
}

}  // namespace
}  // namespace assay
