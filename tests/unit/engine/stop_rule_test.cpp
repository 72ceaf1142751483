// The stop rule against metrics.md, and the end of warm-up; every expected value by hand or from a published table.
#include "harness/run/stop_rule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "harness/run/timed_loop.h"
#include "harness/run/warmup.h"

namespace assay {
namespace {

double half_width(const std::vector<uint64_t>& x, double confidence) {
  std::vector<double> scratch(x.size() + 1);
  return mean_half_width(x.data(), x.size(), confidence, scratch.data());
}

double median(const std::vector<uint64_t>& x) {
  std::vector<double> scratch(x.size());
  return median_of(x.data(), x.size(), scratch.data());
}

// 10, 12, 14, 16: mean 13, variance (9 + 1 + 1 + 9) / 3 = 20/3, standard error sqrt(20/3 / 4) = 1.290994;
// Student's t for 3 degrees of freedom, two-sided 95 %: 3.1824, 99 %: 5.8409 (any printed table).
TEST(HalfWidth, OfFewSamplesByHand) {
  EXPECT_NEAR(half_width({10, 12, 14, 16}, 0.95), 3.1824 * 1.290994, 1e-3);
  EXPECT_NEAR(half_width({10, 12, 14, 16}, 0.99), 5.8409 * 1.290994, 1e-3);
  EXPECT_NEAR(half_width({10, 12}, 0.95), 12.7062 * 1, 1e-3);  // variance 2, error sqrt(2/2) = 1
}

TEST(HalfWidth, OfLessThanTwoIsUnknown) {
  EXPECT_EQ(half_width({}, 0.95), std::numeric_limits<double>::infinity());
  EXPECT_EQ(half_width({7}, 0.95), std::numeric_limits<double>::infinity());
  EXPECT_EQ(half_width({7, 7, 7, 7}, 0.95), 0);
}

// 64 samples 0, 0, 2, 2, 0, 0, 2, 2, ...: taken one by one the variance is 64/63 and the half-width
// t(63) sqrt(64/63 / 64) = 1.9983 x 0.125988 = 0.25177. In pairs 32 means 0, 2, 0, 2, ...: variance 32/31, half-width
// t(31) sqrt(32/31 / 32) = 2.0395 x 0.179605 = 0.36630. In fours all means are 1. The widest counts.
TEST(HalfWidth, OfCorrelatedSamplesIsThatOfTheirBlocks) {
  std::vector<uint64_t> x;
  for (int i = 0; i < 64; ++i) x.push_back(i / 2 % 2 == 0 ? 0 : 2);
  EXPECT_NEAR(half_width(x, 0.95), 0.36630, 1e-4);
}

// The same 31 samples would make pairs of 15: too few for an interval of their own, so that the plain one stays:
// 16 zeros and 15 twos, mean 30/31, variance 31/30 x (15/31 x 4 - (30/31)^2) = 1.032258, half-width
// t(30) sqrt(1.032258 / 31) = 2.0423 x 0.182478.
TEST(HalfWidth, TakesNoBlocksFewerThanSixteen) {
  std::vector<uint64_t> x;
  for (int i = 0; i < 31; ++i) x.push_back(i / 2 % 2 == 0 ? 0 : 2);
  const double ones = 15;
  const double variance = 31.0 / 30 * (ones / 31 * 4 - std::pow(2 * ones / 31, 2));
  EXPECT_NEAR(half_width(x, 0.95), 2.0423 * std::sqrt(variance / 31), 1e-4);
}

TEST(Median, OfOddAndEvenCounts) {
  EXPECT_EQ(median({5}), 5);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({9, 1, 6, 5}), 5.5);
}

// MLPerf's early stopping, as metrics.md quotes it: 459 samples for p99 and 4603 for p99.9 at 99 %; a two-sided 98 %
// interval has 99 % on either side. p50: 1 - 0.5^7 = 0.992.
TEST(Percentiles, NeedTheSamplesThatBoundThem) {
  EXPECT_EQ(samples_for_percentiles({0.99}, 0.98), 459u);
  EXPECT_EQ(samples_for_percentiles({0.999}, 0.98), 4603u);
  EXPECT_EQ(samples_for_percentiles({0.5}, 0.98), 7u);
  EXPECT_EQ(samples_for_percentiles({0.999, 0.5, 0.99}, 0.98), 4603u) << "the most demanding counts";
  EXPECT_EQ(samples_for_percentiles({}, 0.98), 0u);
  EXPECT_EQ(samples_for_percentiles({0, 1, -1, 2}, 0.98), 0u);
}

RunPolicy policy(double target, std::vector<double> percentiles, int64_t min_samples, double limit_s) {
  RunPolicy p;
  p.target_half_width = target;
  p.percentiles = std::move(percentiles);
  p.min_samples = min_samples;
  p.time_limit_s = limit_s;
  return p;
}

// What the table bounds is what the stop rule waits for: never a p99 without its bound from a run that ended by
// precision.
TEST(StopRule, WaitsForThePercentilesOfTheSuite) {
  EXPECT_EQ(StopRule(policy(0.005, {0.5, 0.99}, 10, 20), 8).required_samples(), 459u);
  EXPECT_EQ(StopRule(policy(0.005, {0.999}, 10, 20), 8).required_samples(), 4603u);
  EXPECT_EQ(StopRule(policy(0.005, {}, 10, 20), 8).required_samples(), 10u);
  EXPECT_EQ(StopRule(policy(0.005, {}, -5, 20), 8).required_samples(), 2u) << "no interval of one sample";
}

// 459 samples of a case are 153 of each of three launches; never fewer than two.
TEST(StopRule, LaunchesShareTheSamplesOfACase) {
  RunPolicy of_three = policy(0.005, {0.99}, 10, 20);
  of_three.launches = 3;
  EXPECT_EQ(StopRule(of_three, 8).required_samples(), 153u);
  of_three.percentiles = {};
  EXPECT_EQ(StopRule(of_three, 8).required_samples(), 4u);
  of_three.min_samples = 1;
  EXPECT_EQ(StopRule(of_three, 8).required_samples(), 2u);
}

constexpr uint64_t kLong = uint64_t{1} << 60;

TEST(StopRule, PreciseIsNarrowTwiceInARow) {
  StopRule rule(policy(0.005, {}, 10, 20), 1000);
  const std::vector<uint64_t> steady(1000, 100);
  EXPECT_FALSE(rule.precise(steady.data(), 100, kLong)) << "once may be luck";
  EXPECT_TRUE(rule.precise(steady.data(), 120, kLong));
  std::vector<uint64_t> wild;
  for (int i = 0; i < 1000; ++i) wild.push_back(i % 2 == 0 ? 50 : 150);
  EXPECT_FALSE(rule.precise(wild.data(), 200, kLong));
  EXPECT_FALSE(rule.precise(steady.data(), 300, kLong)) << "a wide one between starts it anew";
  EXPECT_TRUE(rule.precise(steady.data(), 400, kLong));
}

// 99 and 101 in turn: n = 400 gives 1.9659 x sqrt(400/399 / 400) = 0.0984 of a median of 100: narrower than 0.1 %
// in plain blocks, and pairs have no spread at all. n = 100 gives 1.9842 x sqrt(100/99 / 100) = 0.1994.
TEST(StopRule, PreciseIsMeasuredByTheMedian) {
  std::vector<uint64_t> x;
  for (int i = 0; i < 400; ++i) x.push_back(i % 2 == 0 ? 99 : 101);
  for (const auto& [n, target, precise] : {std::tuple{100, 0.0019, false}, std::tuple{100, 0.0021, true},
                                           std::tuple{400, 0.00098, false}, std::tuple{400, 0.00099, true}}) {
    StopRule rule(policy(target, {}, 10, 20), 400);
    (void)rule.precise(x.data(), static_cast<uint64_t>(n), kLong);
    EXPECT_EQ(rule.precise(x.data(), static_cast<uint64_t>(n), kLong), precise) << n << " " << target;
  }
}

TEST(StopRule, PreciseNeedsEnoughSamplesAndTime) {
  const std::vector<uint64_t> steady(1000, 100);
  StopRule rule(policy(0.005, {0.99}, 10, 20), 1000);
  (void)rule.precise(steady.data(), 400, kLong);
  EXPECT_FALSE(rule.precise(steady.data(), 458, kLong));
  // A tenth of the limit of 20 s must have been timed.
  EXPECT_FALSE(rule.precise(steady.data(), 459, 1'999'999'999));
  EXPECT_TRUE(rule.precise(steady.data(), 459, 2'000'000'000));
}

TEST(StopRule, LooksAtGrowingDistances) {
  StopRule rule(policy(0.005, {}, 100, 20), 100000);
  const std::vector<uint64_t> x(100000, 100);
  EXPECT_FALSE(rule.due(82));  // 100 / 1.2 = 83.3
  EXPECT_TRUE(rule.due(83));
  (void)rule.precise(x.data(), 100, 0);
  EXPECT_FALSE(rule.due(119));
  EXPECT_TRUE(rule.due(120));
  uint64_t looks = 0;
  for (uint64_t n = 1; n <= x.size(); ++n) {
    if (!rule.due(n)) continue;
    ++looks;
    (void)rule.precise(x.data(), n, 0);
  }
  EXPECT_LE(looks, 40u) << "log(1000) / log(1.2) = 38";
}

TEST(StopRule, TheReportIsRelativeToTheMedian) {
  StopRule rule(policy(0.005, {}, 10, 20), 8);
  const std::vector<uint64_t> x{10, 12, 14, 16};
  ASSERT_TRUE(rule.relative_half_width(x.data(), 4));
  EXPECT_NEAR(*rule.relative_half_width(x.data(), 4), 3.1824 * 1.290994 / 13, 1e-4);
  EXPECT_FALSE(rule.relative_half_width(x.data(), 1));
  const std::vector<uint64_t> zeros{0, 0, 0};
  EXPECT_FALSE(rule.relative_half_width(zeros.data(), 3)) << "relative to nothing";
}

bool ended(const std::vector<uint64_t>& before, const std::vector<uint64_t>& after, double floor) {
  std::vector<double> scratch(before.size());
  return drift_ended(before.data(), after.data(), before.size(), floor, scratch.data());
}

// 98..102: median 100, absolute deviations 0 1 1 2 2, so MAD 1 and sigma 1.4826. Twice the standard error of the
// difference of two such medians: 2 x 1.2533 x sqrt(2 x 1.4826^2 / 5) = 2.350.
TEST(Drift, EndsWhereTwoWindowsAgree) {
  EXPECT_TRUE(ended({98, 99, 100, 101, 102}, {98, 99, 100, 101, 102}, 0));
  EXPECT_TRUE(ended({98, 99, 100, 101, 102}, {100, 101, 102, 103, 104}, 0));
  EXPECT_FALSE(ended({98, 99, 100, 101, 102}, {101, 102, 103, 104, 105}, 0));
  EXPECT_FALSE(ended({101, 102, 103, 104, 105}, {98, 99, 100, 101, 102}, 0)) << "faster is drift as well";
}

TEST(Drift, BelowThePrecisionAskedForIsNone) {
  EXPECT_TRUE(ended({98, 99, 100, 101, 102}, {101, 102, 103, 104, 105}, 0.03));  // 3 <= 0.03 x 103
  EXPECT_FALSE(ended({98, 99, 100, 101, 102}, {101, 102, 103, 104, 105}, 0.029));
}

// One step of a hundred times the length neither is drift nor hides it.
TEST(Drift, AStallChangesNothing) {
  EXPECT_TRUE(ended({98, 99, 100, 101, 102}, {98, 99, 100, 101, 10000}, 0));
  EXPECT_FALSE(ended({98, 99, 100, 101, 10000}, {110, 111, 112, 113, 114}, 0));
}

// A window is a twentieth of the warm-up's limit, itself a quarter of the case's: 20 s -> 250 ms.
TEST(Drift, WindowsLastATwentiethOfTheWarmUp) {
  EXPECT_EQ(warmup_window(10'000'000, 20), 25u);
  EXPECT_EQ(warmup_window(1'000'000'000, 20), 3u);
  EXPECT_EQ(warmup_window(1'000, 20), kMaxWarmupWindow);
  EXPECT_EQ(warmup_window(0, 20), kMaxWarmupWindow);
}

// One and a half times what the limit allows at the speed seen, between 4096 and 4 Mi.
TEST(Capacity, FollowsTheSpeed) {
  EXPECT_EQ(sample_capacity(1'000'000, 20), 30'000u);
  EXPECT_EQ(sample_capacity(1'000'000'000, 20), 4096u);
  EXPECT_EQ(sample_capacity(1, 20), kMaxSamples);
  EXPECT_EQ(sample_capacity(0, 86400), kMaxSamples);
}

}  // namespace
}  // namespace assay
