#include "results/metrics/acceptance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "results/metrics/latency.h"

namespace assay {
namespace {

// MLPerf's table of early stopping (t failures allowed at 99 %), as published and as computed again from the binomial.
TEST(Acceptance, EarlyStoppingTable) {
  const uint64_t failures[] = {0, 1, 2, 5, 10};
  const uint64_t p90[] = {44, 64, 81, 127, 197}, p95[] = {90, 130, 165, 259, 398};
  const uint64_t p99[] = {459, 662, 838, 1307, 2010}, p999[] = {4603, 6636, 8403, 13105, 20140};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(early_stopping_n(0.90, 0.99, failures[i]), p90[i]);
    EXPECT_EQ(early_stopping_n(0.95, 0.99, failures[i]), p95[i]);
    EXPECT_EQ(early_stopping_n(0.99, 0.99, failures[i]), p99[i]);
    EXPECT_EQ(early_stopping_n(0.999, 0.99, failures[i]), p999[i]);
  }
  const uint64_t at95[] = {299, 473, 1049, 1693};
  const uint64_t few[] = {0, 1, 5, 10};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(early_stopping_n(0.99, 0.95, few[i]), at95[i]);
}

TEST(Acceptance, FixedNumbersOfMlperf) {
  EXPECT_EQ(mlperf_fixed_n(0.90, 0.99), 23886U);
  EXPECT_EQ(mlperf_fixed_n(0.95, 0.99), 50425U);
  EXPECT_EQ(mlperf_fixed_n(0.97, 0.99), 85811U);
  EXPECT_EQ(mlperf_fixed_n(0.99, 0.99), 262742U);
  EXPECT_EQ(mlperf_rounded_n(0.90, 0.99), 24576U);
  EXPECT_EQ(mlperf_rounded_n(0.95, 0.99), 57344U);
  EXPECT_EQ(mlperf_rounded_n(0.97, 0.99), 90112U);
  EXPECT_EQ(mlperf_rounded_n(0.99, 0.99), 270336U);
}

// The published example: 10,000 queries at p99 discard 76, so that t = 77.
TEST(Acceptance, EarlyStoppingEstimate) {
  EXPECT_EQ(early_stopping_discard(10000, 0.99, 0.99), 77U);
  EXPECT_EQ(early_stopping_discard(662, 0.99, 0.99), 1U);
  EXPECT_FALSE(early_stopping_discard(661, 0.99, 0.99));
}

// p99.9 at 99 %: 4,603 steps without one over pass, 4,602 do not; with 5 over it takes 13,105.
TEST(Acceptance, PassesFromTheNumberItNamesOn) {
  EXPECT_EQ(accept(4603, 0, 0.999, 0.99).verdict, Accepted::kPass);
  const Acceptance a = accept(4602, 0, 0.999, 0.99);
  EXPECT_EQ(a.verdict, Accepted::kInconclusive);
  EXPECT_EQ(a.n_needed, 4603U);
  EXPECT_EQ(accept(13105, 5, 0.999, 0.99).verdict, Accepted::kPass);
  EXPECT_EQ(accept(13104, 5, 0.999, 0.99).verdict, Accepted::kInconclusive);
}

// p50 with 10 of 10 over: P(Bin(10, 1/2) >= 10) = 1/1024 <= 0.01 fails; 9 of 10: 11/1024 = 0.0107 > 0.01 does not.
TEST(Acceptance, FailsWhereSoManyWouldBeUnlikely) {
  EXPECT_EQ(accept(10, 10, 0.5, 0.99).verdict, Accepted::kFail);
  EXPECT_EQ(accept(10, 9, 0.5, 0.99).verdict, Accepted::kInconclusive);
  EXPECT_EQ(accept(0, 0, 0.99, 0.99).verdict, Accepted::kInconclusive);
}

// 0 of n: the upper bound is 1 - (a/2)^(1/n), in closed form. 1 of 10 at 95 %: 0.0025 to 0.4450, the textbook interval.
TEST(Acceptance, ClopperPearson) {
  EXPECT_NEAR(share_interval(100, 0, 0.95).high, 1 - std::pow(0.025, 1.0 / 100), 1e-12);
  EXPECT_EQ(share_interval(100, 0, 0.95).low, 0);
  EXPECT_NEAR(share_interval(10, 1, 0.95).low, 0.0025, 5e-5);
  EXPECT_NEAR(share_interval(10, 1, 0.95).high, 0.4450, 5e-5);
  EXPECT_EQ(share_interval(10, 10, 0.95).high, 1);
}

// Steps whose true p99 lies exactly at the limit must be accepted in at most 1 % of tests; 4000 tests of 700 steps of a
// heavy-tailed (Pareto, shape 2) and of a bimodal distribution: 1 % has a standard error of 0.16 %.
TEST(Acceptance, FalseAcceptsStayBelowTheStatedShare) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(0, 1);
  int pareto = 0, two = 0;
  for (int t = 0; t < 4000; ++t) {
    uint64_t over_pareto = 0, over_two = 0;
    for (int i = 0; i < 700; ++i) {
      over_pareto += 1 / std::sqrt(1 - uniform(random)) > 10;  // P(X > 10) = 1/100
      const double slow = uniform(random) < 0.02 ? 20 : 1;     // a mode at 20 of 2 %, half of it over the limit
      over_two += slow + uniform(random) > 20.5;
    }
    pareto += accept(700, over_pareto, 0.99, 0.99).verdict == Accepted::kPass;
    two += accept(700, over_two, 0.99, 0.99).verdict == Accepted::kPass;
  }
  EXPECT_LE(pareto, 4000 * (0.01 + 3 * 0.0016));
  EXPECT_LE(two, 4000 * (0.01 + 3 * 0.0016));
}

// Steps of which each stands ten times in a row tell no more than a tenth of them: the same 460 distinct values.
TEST(Acceptance, CorrelatedSamplesAreThinned) {
  std::mt19937_64 random(9);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<double> x;
  for (int i = 0; i < 200; ++i) x.insert(x.end(), 10, uniform(random));
  const Acceptance a = accept_samples(x, 2, 0.99, 0.99);
  EXPECT_GE(a.thinning, 5);
  EXPECT_EQ(a.verdict, Accepted::kInconclusive) << "2000 steps, but not 459 independent ones";
  std::vector<double> independent(2000);
  for (double& v : independent) v = uniform(random);
  EXPECT_EQ(accept_samples(independent, 2, 0.99, 0.99).verdict, Accepted::kPass);
  EXPECT_EQ(accept_samples(independent, 0.5, 0.99, 0.99).verdict, Accepted::kFail);
}

}  // namespace
}  // namespace assay
