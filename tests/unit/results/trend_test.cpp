#include "results/metrics/trend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace assay {
namespace {

// A record a day, each with an interval of -+ `half` (of ln rate) where that is over 0.
std::vector<TrendPoint> nights(const std::vector<double>& rates, double half = 0) {
  std::vector<TrendPoint> out;
  for (const double rate : rates) {
    TrendPoint p{static_cast<double>(out.size()), {rate, {}, {}}};
    if (half > 0) {
      p.rate.low = rate * std::exp(-half);
      p.rate.high = rate * std::exp(half);
    }
    out.push_back(p);
  }
  return out;
}

// 100 and 90, each three times, -1 %, 0 and +1 %: s = sqrt((2 + 2) x 1e-4 / 4) = 0.01, t of 4 degrees of freedom
// 2.7764, half-width 2.7764 x 0.01 x sqrt(1/3 + 1/3) = 0.02267: 0.9 exp(-+0.02267) = 0.8798 to 0.9206.
TEST(Trend, LevelsAreComparedByWhatTheirRecordsDifferBy) {
  const double down = std::exp(-0.01), up = std::exp(0.01);
  const std::vector<TrendPoint> before = nights({100 * down, 100, 100 * up}), after = nights({90 * up, 90 * down, 90});
  const LevelDifference d = level_difference(before, after, 0.02, 0.95);
  EXPECT_NEAR(d.ratio.value, 0.9, 1e-9);
  EXPECT_NEAR(d.ratio.low.value_or(0), 0.87983, 1e-5);
  EXPECT_NEAR(d.ratio.high.value_or(0), 0.92064, 1e-5);
  EXPECT_EQ(d.verdict, Difference::kSlower);
  EXPECT_EQ(level_difference(before, after, 0.12, 0.95).verdict, Difference::kAmbiguous) << "0.9206 > 1 / 1.12 = 0.893";
}

// Own intervals of -+4 % at 95 % are a standard deviation of 0.04 / 1.95996 = 0.020409, more than what is seen: 2.7764
// x 0.020409 x sqrt(2/3) = 0.046266.
TEST(Trend, ARecordsOwnIntervalCountsWhereItIsWider) {
  const std::vector<TrendPoint> a = nights({100, 100, 100}, 0.04), b = nights({90, 90, 90}, 0.04);
  const LevelDifference d = level_difference(a, b, 0.02, 0.95);
  EXPECT_NEAR(std::log(*d.ratio.high / 0.9), 0.046266, 1e-5);
  // One against one: z for t, and 0.04 sqrt(2).
  const LevelDifference single = level_difference(nights({100}, 0.04), nights({90}, 0.04), 0.02, 0.95);
  EXPECT_NEAR(std::log(*single.ratio.high / 0.9), 0.04 * std::sqrt(2), 1e-9);
  const LevelDifference blind = level_difference(nights({100}), nights({90}), 0.02, 0.95);
  EXPECT_FALSE(blind.ratio.low);
  EXPECT_EQ(blind.verdict, Difference::kAmbiguous);
}

// 13 nights, each 0.7 % slower: with intervals of -+0.7 % each night is SAME as the one before (0.993 exp(-0.0099) =
// 0.983 > 1 / 1.02). The last three against the first: 0.993^10 = 0.9322, s = -ln 0.993 = 0.007025, half-width 2.7764 x
// 0.007025 x sqrt(2/3) = 0.015925.
TEST(Trend, WhatCreepsIsSlower) {
  std::vector<double> rates;
  for (int i = 0; i < 13; ++i) rates.push_back(100 * std::pow(0.993, i));
  const std::vector<TrendPoint> points = nights(rates, 0.007);
  for (size_t i = 1; i < points.size(); ++i) {
    EXPECT_EQ(decide(ratio_of(points[i - 1].rate, points[i].rate), kDefaultMargin), Difference::kSame) << i;
  }
  const LevelDifference d = last_against_first(points, 3, kDefaultMargin, 0.95).value();
  EXPECT_NEAR(d.ratio.value, 0.93216, 1e-5);
  EXPECT_NEAR(*d.ratio.low, 0.91744, 1e-4);
  EXPECT_NEAR(*d.ratio.high, 0.94713, 1e-4);
  EXPECT_EQ(d.verdict, Difference::kSlower);
  EXPECT_NEAR(std::exp(trend_slope(points, 0.95)->per_day), 0.993, 1e-9);
}

TEST(Trend, FewRecordsAreHalfAgainstHalf) {
  const std::vector<TrendPoint> five = nights({100, 100, 100, 90, 90}, 0.01);
  EXPECT_EQ(last_against_first(five, 3, 0.02, 0.95)->records_before, 2U);
  EXPECT_EQ(last_against_first(nights({1}), 3, 0.02, 0.95), std::nullopt);
}

TEST(Trend, ChangesAreFoundWhereTheyAre) {
  std::vector<double> rates;
  for (int i = 0; i < 21; ++i) rates.push_back((i < 7 ? 100 : i < 15 ? 92 : 104) * (i % 2 == 0 ? 1.003 : 0.997));
  const std::vector<TrendPoint> points = nights(rates, 0.01);
  const std::vector<ChangePoint> found = change_points(points, 0.02, 0.95);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].at, 7U);
  EXPECT_EQ(found[0].change.verdict, Difference::kSlower);
  EXPECT_EQ(found[1].at, 15U);
  EXPECT_EQ(found[1].change.verdict, Difference::kFaster);
  EXPECT_TRUE(change_points(points, 0.2, 0.95).empty()) << "13 % is within 20 %";
  EXPECT_TRUE(change_points(nights({100, 90, 90}, 0.001), 0.02, 0.95).empty()) << "two records on each side";
}

// Where nothing changes one is told in 5 % of series at most: of 2000 series 5 % are 100, with a standard deviation of
// sqrt(2000 x 0.05 x 0.95) = 9.7; three of them more are 129.
TEST(Trend, NoiseIsNoChangeInMoreThanItsShareOfSeries) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> noise(0, 0.01);
  int told = 0;
  for (int series = 0; series < 2000; ++series) {
    std::vector<double> rates;
    for (int i = 0; i < 20; ++i) rates.push_back(100 * std::exp(noise(random)));
    told += change_points(nights(rates), 0, 0.95).empty() ? 0 : 1;
  }
  EXPECT_LT(told, 129);
  EXPECT_GT(told, 5) << "nor is it blind";
}

// Slopes of the pairs of (0, 0), (1, 1), (3, 2): 1, 2/3, 1/2.
TEST(Trend, SlopeIsTheMedianOfPairs) {
  std::vector<TrendPoint> points = nights({1, std::exp(1.0), std::exp(2.0)});
  points[2].day = 3;
  EXPECT_NEAR(trend_slope(points, 0.95)->per_day, 2.0 / 3, 1e-9);
  EXPECT_FALSE(trend_slope(points, 0.95)->interval) << "six records at least";
  for (TrendPoint& p : points) p.day = 0;
  EXPECT_FALSE(trend_slope(points, 0.95));
}

// 1 % a day but for one night of +6 %. Of the 15 slopes the 8th is 1 %; Kendall's S has the standard deviation sqrt(6 x
// 5 x 17 / 18) = 5.32, so that the bounds are the floor((15 - 1.96 x 5.32) / 2) = 2nd from each end: -2 % (from the odd
// night over two days) and 4 % (to it from the second).
TEST(Trend, OneOddNightMovesNoSlope) {
  std::vector<double> rates;
  for (const double y : {0.0, 0.01, 0.02, 0.09, 0.04, 0.05}) rates.push_back(std::exp(y));
  const TrendSlope slope = trend_slope(nights(rates), 0.95).value();
  EXPECT_NEAR(slope.per_day, 0.01, 1e-12);
  ASSERT_TRUE(slope.interval);
  EXPECT_NEAR(slope.interval->low, -0.02, 1e-12);
  EXPECT_NEAR(slope.interval->high, 0.04, 1e-12);
}

}  // namespace
}  // namespace assay
