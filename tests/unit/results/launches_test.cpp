// The interval that contains the variance between launches: by hand, and by simulation of a process whose truth is
// known.
#include "results/metrics/launches.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>

namespace assay {
namespace {

RunLaunch launch(double mean_ns, std::optional<double> error = std::nullopt, double dof = 0, uint64_t steps = 10) {
  return {steps, 0, mean_ns, error, dof};
}

// 10, 16, 14, 12: mean 13, s^2 = (9 + 9 + 1 + 1) / 3 = 20/3, standard error sqrt(20/3 / 4) = 1.290994.
TEST(Launch, HasTheErrorOfItsOwnSteps) {
  const RunLaunch one = launch_of({10, 16, 14, 12});  // neighbours are not alike: nothing is lost by correlation
  EXPECT_EQ(one.steps, 4u);
  EXPECT_DOUBLE_EQ(one.mean_step_ns, 13);
  EXPECT_NEAR(*one.relative_error, 1.290994 / 13, 1e-6);
  EXPECT_DOUBLE_EQ(one.error_dof, 3);
  const RunLaunch single = launch_of({7});
  EXPECT_EQ(single.mean_step_ns, 7);
  EXPECT_FALSE(single.relative_error) << "one step has no error";
}

// Two cases of three launches, in logarithms a - 0.1, a, a + 0.1 and b - 0.05, b + 0.05, b: sums of squares 0.02 and
// 0.005 with 2 + 2 degrees of freedom. With own steps worth 0.03^2 in both: s_b^2 = 0.025 / 4 - 0.0009 = 0.00535, its
// standard error sqrt(8) x 0.00625 / 4 = 0.00441942.
TEST(BetweenLaunches, PooledAnalysisOfVarianceByHand) {
  const auto at = [](double log_ns, double error) { return launch(std::exp(log_ns), error, 9); };
  const std::vector<RunLaunch> a{at(6.9, 0.03), at(7, 0.03), at(7.1, 0.03)};
  const std::vector<RunLaunch> b{at(8.95, 0.03), at(9.05, 0.03), at(9, 0.03)};
  const auto both = between_launches({a, b, {launch(5, 0.5, 9)}});
  ASSERT_TRUE(both);
  EXPECT_EQ(both->formula, "launches/1");
  EXPECT_NEAR(both->relative_sd * both->relative_sd, 0.00535, 1e-7);
  EXPECT_NEAR(both->variance_error, 0.00441942, 1e-7);
  EXPECT_EQ(both->dof, 4);
  EXPECT_EQ(both->cases, 2) << "a case of one launch tells nothing of what launches differ by";
  // Own steps worth 0.0002 and 0.0047: 0.02 / (x + 0.0002) + 0.005 / (x + 0.0047) = 4 is x^2 - 0.00135 x - 0.00002281
  // = 0, x = 0.00549845; information 2 / 0.00569845 + 2 / 0.01019845 = 547.081.
  const std::vector<RunLaunch> c{at(6.9, std::sqrt(0.0002)), at(7, std::sqrt(0.0002)), at(7.1, std::sqrt(0.0002))};
  const std::vector<RunLaunch> d{at(8.95, std::sqrt(0.0047)), at(9.05, std::sqrt(0.0047)), at(9, std::sqrt(0.0047))};
  const auto unequal = between_launches({c, d});
  EXPECT_NEAR(unequal->relative_sd * unequal->relative_sd, 0.00549845, 1e-7);
  EXPECT_NEAR(unequal->variance_error, std::sqrt(8.0) / 547.081, 1e-7);
  EXPECT_FALSE(between_launches({{launch(5)}, {launch(6)}}));
  EXPECT_FALSE(between_launches({}));
}

// Two launches at 1000 and 1001 with 10 % of their own: none beyond. The error is sqrt(2) x 0.01 / 1.
TEST(BetweenLaunches, IsNeverLessThanNothing) {
  const auto between = between_launches({{launch(1000, 0.1, 9), launch(1001, 0.1, 9)}});
  EXPECT_EQ(between->relative_sd, 0);
  EXPECT_NEAR(between->variance_error, 0.01 * std::numbers::sqrt2, 1e-9);
  const auto still = between_launches({{launch(1000, 0.0, 9), launch(1000, 0.0, 9)}});
  EXPECT_EQ(still->relative_sd, 0);
  EXPECT_EQ(still->variance_error, 0) << "where nothing varies, that is sure";
}

// Three equal launches: shares 1/3, their squares together 1/3. Variance 0.00535 / 3 + 0.0009 / 3 = 0.00208333 =
// 0.0456435^2. Welch and Satterthwaite: 0.00208333^2 / [(0.00441942 / 3)^2 / 2 + 3 (0.0009 / 9)^2 / 9] = 3.9877.
TEST(LaunchUncertainty, WelchAndSatterthwaiteByHand) {
  const std::vector<RunLaunch> three(3, launch(1000, 0.03, 9));
  const LaunchUncertainty u = launch_uncertainty(three, {"launches/1", std::sqrt(0.00535), 0.00441942, 4, 2});
  EXPECT_NEAR(u.relative, 0.0456435, 1e-6);
  EXPECT_NEAR(u.dof, 3.9877, 1e-3);
}

// Steps of 900, 1000 and 1100 ns, one a launch: mean 1000. Variance 0.06^2 x sum of squared shares (0.81 + 1 + 1.21) /
// 9 = 0.0036 x 0.335556 = 0.034757^2 with the 4 degrees of freedom of the pool, t = 2.776445: exp(0.096501) = 1.101311.
TEST(RecordRate, HoldsWhatLaunchesDifferBy) {
  Record r;
  r.samples.host_ns = {900, 1000, 1100};
  r.run_launches = RunLaunches{3,
                               {launch(900, {}, 0, 1), launch(1000, {}, 0, 1), launch(1100, {}, 0, 1)},
                               BetweenLaunches{"launches/1", 0.06, 0.00254558, 4, 2}};
  const Throughput rate = record_rate(r, 2, 0.95);
  EXPECT_DOUBLE_EQ(rate.per_s, 2e6);
  EXPECT_NEAR(rate.interval.high, 2e6 * 1.101311, 2e6 * 1e-5);
  EXPECT_NEAR(rate.interval.low, 2e6 / 1.101311, 2e6 * 1e-5);
  // Of one launch, the interval is that of its steps.
  r.run_launches->between.reset();
  const Throughput steps = throughput({900, 1000, 1100}, 2, 0.95, 1);
  EXPECT_EQ(record_rate(r, 2, 0.95).interval.high, steps.interval.high);
  r.run_launches.reset();
  EXPECT_EQ(record_rate(r, 2, 0.95).interval.low, steps.interval.low);
}

// Two runs of a case of one launch each, their pools both of 0.06 with 4 degrees of freedom: 8 in all. Two equal
// launches: variance 0.0036 / 2 = 0.0424264^2, t(8) = 2.306004.
TEST(RecordRate, OfRepeatsPoolsTheirPools) {
  Record a;
  a.samples.host_ns = {1000};
  a.run_launches = RunLaunches{1, {launch(1000, {}, 0, 1)}, BetweenLaunches{"launches/1", 0.06, 0.00254558, 4, 2}};
  const Record b = a;
  const Throughput rate = rate_of_repeats({&a, &b}, 1, 0.95);
  EXPECT_NEAR(std::log(rate.interval.high / rate.per_s), 2.306004 * 0.0424264, 1e-5);
}

// A process of two levels: launches differ by a factor of exp(between x normal), steps of a launch by `own` x normal.
class TwoLevels {
 public:
  explicit TwoLevels(uint64_t seed) : random_(seed) {}

  // A campaign: cases of true mean step 1 us, each of three launches; the last case has two steps a launch.
  std::vector<Record> campaign(double between, double own) {
    std::vector<Record> records(kCases);
    std::vector<std::vector<RunLaunch>> launches;
    for (size_t c = 0; c < kCases; ++c) {
      Record& r = records[c];
      r.run_launches.emplace();
      for (int j = 0; j < 3; ++j) {
        const double pace = 1e6 * std::exp(between * normal());
        std::vector<double> steps(c + 1 == kCases ? 2 : 60);
        for (double& x : steps) x = pace * (1 + own * normal());
        r.samples.host_ns.insert(r.samples.host_ns.end(), steps.begin(), steps.end());
        r.run_launches->each.push_back(launch_of(steps));
      }
      launches.push_back(r.run_launches->each);
    }
    for (Record& r : records) r.run_launches->between = between_launches(launches);
    return records;
  }

  static constexpr size_t kCases = 9;

 private:
  // Box and Muller; the standard's own distributions differ between libraries.
  double normal() {
    const auto uniform = [&] { return (static_cast<double>(random_() >> 11U) + 0.5) * 0x1p-53; };
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  std::mt19937_64 random_;
};

struct Coverage {
  double share = 0;      // of intervals that hold the truth
  double few_steps = 0;  // the same of the case of two steps a launch
  double width = 0;      // mean half-width of the other cases, in log
};

template <typename Rate>
Coverage coverage(double between, double own, const Rate& rate) {
  constexpr int kCampaigns = 300;
  TwoLevels process(7);
  Coverage out;
  for (int i = 0; i < kCampaigns; ++i) {
    const std::vector<Record> records = process.campaign(between, own);
    for (const Record& r : records) {
      const Throughput t = rate(r);
      const double held = t.interval.low <= 1000 && 1000 <= t.interval.high ? 1.0 / kCampaigns : 0;
      out.share += held / TwoLevels::kCases;
      if (&r == &records.back()) {
        out.few_steps += held;
      } else {
        out.width += std::log(t.interval.high / t.interval.low) / 2 / kCampaigns / (TwoLevels::kCases - 1);
      }
    }
  }
  return out;
}

// 2,700 intervals: 95 % to about 1 %. Were the truth known, the half-width would be 1.96 x 0.05 / sqrt(3) = 5.66 %; of
// 18 degrees of freedom Student's t makes it 7 % wider.
TEST(Simulation, NinetyFiveOfAHundredIntervalsHoldTheTruth) {
  const auto by_launches = [](const Record& r) { return record_rate(r, 1, 0.95); };
  const Coverage c = coverage(0.05, 0.03, by_launches);
  EXPECT_NEAR(c.share, 0.95, 0.015);
  EXPECT_NEAR(c.few_steps, 0.95, 0.035);
  EXPECT_NEAR(c.width, 0.0566 * 1.07, 0.006);
  // The same steps taken for those of one launch tell a third of it.
  const Coverage one = coverage(0.05, 0.03, [](Record r) {
    r.run_launches.reset();
    r.samples.host_ns.resize(r.samples.host_ns.size() / 3);
    return record_rate(r, 1, 0.95);
  });
  EXPECT_LT(one.share, 0.4);
}

// Where launches do not differ, the interval is that of the steps, not much wider: 1.96 x 0.03 / sqrt(180) = 0.44 %.
TEST(Simulation, LaunchesThatDoNotDifferWidenLittle) {
  const Coverage c = coverage(0, 0.03, [](const Record& r) { return record_rate(r, 1, 0.95); });
  EXPECT_GT(c.share, 0.93);
  EXPECT_LT(c.width, 1.4 * 0.0044);
}

}  // namespace
}  // namespace assay
