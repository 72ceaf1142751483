#include "results/metrics/two_sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "results/metrics/pareto.h"
#include "results/metrics/throughput.h"

namespace assay {
namespace {

// 100 (90 to 110) and 120 (114 to 126): the ratio is 1.2. In logs the distances are, below: b ln(120/114) = 0.051293,
// a ln(110/100) = 0.095310, together 0.108237; above: b ln(126/120) = 0.048790, a ln(100/90) = 0.105361, together
// 0.116111. So 1.2 e^-0.108237 = 1.07690 and 1.2 e^0.116111 = 1.34774.
TEST(RatioOf, MoverOnTheLogScaleByHand) {
  const Ratio r = ratio_of({100, 90, 110}, {120, 114, 126});
  EXPECT_DOUBLE_EQ(r.value, 1.2);
  EXPECT_NEAR(*r.low, 1.07690, 1e-5);
  EXPECT_NEAR(*r.high, 1.34774, 1e-5);
  EXPECT_FALSE(ratio_of({100, {}, {}}, {120, 114, 126}).low);
  EXPECT_FALSE(ratio_of({100, -1.0, 110}, {120, 114, 126}).low) << "a bound below 0 has no log";
}

TEST(Decide, NeedsAClearGapAndProofOfEquality) {
  EXPECT_EQ(decide({1.05, 1.03, 1.07}, 0.02), Difference::kFaster);
  EXPECT_EQ(decide({1.05, 1.01, 1.09}, 0.02), Difference::kAmbiguous) << "the interval reaches into the margin";
  EXPECT_EQ(decide({0.95, 0.93, 0.97}, 0.02), Difference::kSlower);
  EXPECT_EQ(decide({1.0, 0.99, 1.01}, 0.02), Difference::kSame);
  EXPECT_EQ(decide({1.0, 0.90, 1.10}, 0.02), Difference::kAmbiguous) << "too wide to call it equal";
  EXPECT_EQ(decide({1.5, {}, {}}, 0.02), Difference::kAmbiguous) << "no interval";
  EXPECT_EQ(decide({1.05, 1.03, 1.07}, 0.04), Difference::kAmbiguous);
}

TEST(MarginOfRepeats, TheSpreadOfEqualRuns) {
  EXPECT_DOUBLE_EQ(margin_of_repeats(0.02, {}), 0.02);
  EXPECT_DOUBLE_EQ(margin_of_repeats(0.02, {100}), 0.02);
  EXPECT_NEAR(margin_of_repeats(0.02, {100, 105, 102}), 0.05, 1e-12);
  EXPECT_DOUBLE_EQ(margin_of_repeats(0.02, {100, 101}), 0.02);
}

// Of the 9 pairs b is smaller in (1<2, 1<3, 1<4, 2<3, 2<4, 3<4) = 6 and equal in (2, 3) = 2: (6 + 1) / 9.
TEST(ProbabilitySmaller, CountsPairsAndHalfTheTies) {
  EXPECT_DOUBLE_EQ(probability_smaller({2, 3, 4}, {1, 2, 3}), 7.0 / 9);
  EXPECT_DOUBLE_EQ(probability_smaller({1, 2, 3}, {2, 3, 4}), 2.0 / 9);
  EXPECT_DOUBLE_EQ(probability_smaller({5, 5}, {5, 5, 5}), 0.5);
  EXPECT_DOUBLE_EQ(probability_smaller({}, {1}), 0.5);
}

// Step times of 10 ms with noise of `spread`, correlated by an AR(1) of coefficient `rho`.
std::vector<double> steps(std::mt19937_64& random, size_t n, double mean_ns, double spread, double rho) {
  std::normal_distribution<double> normal(0, 1);
  std::vector<double> x(n);
  double state = normal(random);
  for (double& v : x) {
    state = rho * state + std::sqrt(1 - rho * rho) * normal(random);
    v = mean_ns * std::exp(spread * state);
  }
  return x;
}

struct Counts {
  int same = 0, faster = 0, slower = 0, ambiguous = 0;
};

// Verdicts on the rate and on the median of `trials` pairs of runs whose second takes `shift` times as long.
struct Trial {
  Counts rate, median;
};
Trial compare_trials(int trials, size_t n, double spread, double rho, double shift) {
  std::mt19937_64 random(7);
  Trial out;
  const auto count = [](Difference d, Counts* c) {
    ++(d == Difference::kSame     ? c->same
       : d == Difference::kFaster ? c->faster
       : d == Difference::kSlower ? c->slower
                                  : c->ambiguous);
  };
  for (int t = 0; t < trials; ++t) {
    const std::vector<double> a = steps(random, n, 1e7, spread, rho), b = steps(random, n, 1e7 * shift, spread, rho);
    const auto rate = [&](const std::vector<double>& x) {
      const Throughput r = throughput(x, 1, 0.95, 1);
      return BoundedValue{r.per_s, r.interval.low, r.interval.high};
    };
    count(decide(ratio_of(rate(a), rate(b)), kDefaultMargin), &out.rate);
    const auto median = [&](const std::vector<double>& x) {
      std::vector<double> sorted = x;
      std::sort(sorted.begin(), sorted.end());
      return *correlated_quantile(x, sorted, 0.5, 0.95);
    };
    count(decide(ratio_of(median(b), median(a)), kDefaultMargin), &out.median);
  }
  return out;
}

// Equal chips, correlated steps of 3 %: a change is told where there is none in at most 5 % of 400 pairs; the rule
// asks for more than the interval does, so far fewer are expected.
TEST(TwoSample, FalsePositivesOnEqualRuns) {
  const Trial t = compare_trials(400, 500, 0.03, 0.6, 1);
  EXPECT_LE(t.rate.faster + t.rate.slower, 20);
  EXPECT_LE(t.median.faster + t.median.slower, 20);
  EXPECT_GE(t.rate.same, 380) << "and what is equal is called equal: the interval is about +-0.7 %";
  RecordProperty("rate_false_positives", t.rate.faster + t.rate.slower);
}

// The margin of 2 % without noise to speak of: 400 pairs with a true change of exactly the margin are called changed
// in no more than the 2.5 % that one side of the interval allows.
TEST(TwoSample, AChangeOfTheMarginIsRarelyCalledLarger) {
  const Trial t = compare_trials(400, 500, 0.03, 0.6, 1.02);
  EXPECT_LE(t.rate.slower, 20);
  EXPECT_EQ(t.rate.faster, 0);
}

// 5 % slower with the same noise: told in nearly all.
TEST(TwoSample, PowerOnAShift) {
  const Trial t = compare_trials(400, 500, 0.03, 0.6, 1.05);
  EXPECT_GE(t.rate.slower, 392);
  EXPECT_GE(t.median.slower, 380);
  EXPECT_EQ(t.rate.faster + t.rate.same, 0);
}

// Ten steps show nothing of a change of 1 %: not SAME, not SLOWER.
TEST(TwoSample, AShortNoisyRunIsAmbiguous) {
  const Trial t = compare_trials(200, 10, 0.05, 0, 1.01);
  EXPECT_GE(t.rate.ambiguous, 180);
}

// Correlation widens the bounds of a median: the same values shuffled look better known than in their order.
TEST(CorrelatedQuantile, IsWiderWhereStepsCorrelate) {
  std::mt19937_64 random(3);
  std::vector<double> x = steps(random, 2000, 1e7, 0.05, 0.95), sorted = x;
  std::sort(sorted.begin(), sorted.end());
  const auto in_order = correlated_quantile(x, sorted, 0.5, 0.95);
  std::shuffle(x.begin(), x.end(), random);
  const auto shuffled = correlated_quantile(x, sorted, 0.5, 0.95);
  ASSERT_TRUE(in_order && shuffled && in_order->low && shuffled->low);
  EXPECT_EQ(in_order->value, shuffled->value);
  EXPECT_GT(*in_order->high - *in_order->low, 2 * (*shuffled->high - *shuffled->low));
}

TEST(CorrelatedQuantile, SaysNothingPastTheSamples) {
  const std::vector<double> x(50, 1.0);
  EXPECT_FALSE(correlated_quantile(x, x, 0.99, 0.95)) << "50 < 100";
  EXPECT_TRUE(correlated_quantile(x, x, 0.9, 0.95));
}

// 200 medians of 300 correlated steps around a known median: the bounds hold in at least 95 % less the 3 % that 200
// trials scatter by.
TEST(CorrelatedQuantile, BoundsHold) {
  std::mt19937_64 random(11);
  int holds = 0;
  for (int t = 0; t < 200; ++t) {
    const std::vector<double> x = steps(random, 300, 1e7, 0.05, 0.5);
    std::vector<double> sorted = x;
    std::sort(sorted.begin(), sorted.end());
    const auto q = correlated_quantile(x, sorted, 0.5, 0.95);
    holds += q && q->low && q->high && *q->low <= 1e7 && 1e7 <= *q->high ? 1 : 0;
  }
  EXPECT_GE(holds, 184);
}

LoadPoint point(double per_user, double rate) { return {per_user, {rate, rate * 0.99, rate * 1.01}, ""}; }

TEST(Pareto, FrontLeavesOutWhatIsBeatenInBoth) {
  const std::vector<LoadPoint> front =
      pareto_front({point(10, 100), point(50, 50), point(40, 45), point(20, 80), point(5, 90), point(50, 40)});
  ASSERT_EQ(front.size(), 3U);
  EXPECT_EQ(front[0].per_user, 10);
  EXPECT_EQ(front[1].per_user, 20);
  EXPECT_EQ(front[2].per_user, 50);
}

// Three points (0, 0), (1, 1), (3, 2). Steffen at the middle: secants 1 and 0.5, p = (1*2 + 0.5*1)/3 = 0.8333, limited
// by 2 min(1, 0.5, 0.41667) = 0.8333. At the left end: p = 1*(1 + 1/3) - 0.5*(1/3) = 1.16667. On the first segment:
// a = 1.16667 + 0.83333 - 2 = 0, b = 3 - 2.33333 - 0.83333 = -0.16667; at 0.5: 0.58333 - 0.041667 = 0.541667.
TEST(Pareto, SteffenByHand) {
  const std::vector<LoadPoint> knots{point(0, 0), point(1, 1), point(3, 2)};
  const auto at = rate_at(knots, 0.5);
  ASSERT_TRUE(at);
  EXPECT_TRUE(at->interpolated);
  EXPECT_NEAR(at->rate.value, 0.541667, 1e-6);
  EXPECT_FALSE(rate_at(knots, 1)->interpolated);
  EXPECT_FALSE(rate_at(knots, 3.01)) << "nothing is extrapolated";
}

TEST(Pareto, InterpolationNeverRisesOnAFallingFront) {
  const std::vector<LoadPoint> front = pareto_front({point(10, 1000), point(11, 990), point(30, 300), point(90, 90)});
  double before = 1e9;
  for (double x = 10; x <= 90; x += 0.5) {
    const double y = rate_at(front, x)->rate.value;
    EXPECT_LE(y, before + 1e-9) << x;
    before = y;
  }
}

}  // namespace
}  // namespace assay
