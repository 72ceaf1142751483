// The verdict on a host's noise, each limit met and passed; and where a gap lies on the samples' axis.
#include "harness/measure/noise_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kSecond = 1'000'000'000;

NoiseReport judged(const TimedPart& timed) {
  NoiseMeasured m;
  m.timed = timed;
  return judge_noise(m, 0);
}

TimedPart quiet() {
  TimedPart t;
  t.window_ns = 10 * kSecond;
  t.steal_share = 0.003;
  t.foreign_share = 0.01;
  t.run_queue_wait_share = 0.004;
  t.wakes = 600;
  t.late_wakes = 10;
  t.lateness_p50_ns = 130'000;
  return t;
}

TEST(NoiseJudge, AQuietHostIsNotDisturbed) {
  const NoiseReport report = judged(quiet());
  EXPECT_FALSE(report.disturbed);
  EXPECT_THAT(report.causes, IsEmpty());
  EXPECT_EQ(report.values.at("steal_share"), 0.003);
  EXPECT_EQ(report.values.at("window_s"), 10);
  EXPECT_NEAR(report.values.at("late_wake_share"), 10.0 / 600, 1e-12);
}

TEST(NoiseJudge, StealOverTwoPercent) {
  TimedPart t = quiet();
  t.steal_share = 0.02;
  EXPECT_FALSE(judged(t).disturbed);
  t.steal_share = 0.041;
  EXPECT_THAT(judged(t).causes, ElementsAre("steal 4.1 %"));
}

// Ticks of 10 ms are 2 % of half a second: two of them are not held against it.
TEST(NoiseJudge, WhatTicksCannotResolveIsNotHeldAgainstAShortRun) {
  TimedPart t = quiet();
  t.tick_share = 0.02;
  t.steal_share = 0.06;
  t.foreign_share = 0.09;
  EXPECT_FALSE(judged(t).disturbed);
  t.steal_share = 0.061;
  t.foreign_share = 0.091;
  EXPECT_THAT(judged(t).causes, ElementsAre("steal 6.1 %", "foreign CPU 9.1 %"));
}

TEST(NoiseJudge, ForeignCpuOverFivePercent) {
  TimedPart t = quiet();
  t.foreign_share = 0.05;
  EXPECT_FALSE(judged(t).disturbed);
  t.foreign_share = 0.12;
  EXPECT_THAT(judged(t).causes, ElementsAre("foreign CPU 12.0 %"));
}

TEST(NoiseJudge, RunQueueWaitOverTwoPercent) {
  TimedPart t = quiet();
  t.run_queue_wait_share = 0.03;
  EXPECT_THAT(judged(t).causes, ElementsAre("run-queue wait 3.0 %"));
}

TEST(NoiseJudge, LateWakesNeedThreeAndFivePercent) {
  TimedPart t = quiet();
  t.wakes = 20;
  t.late_wakes = 2;  // 10 %, but two prove nothing
  EXPECT_FALSE(judged(t).disturbed);
  t.late_wakes = 3;
  EXPECT_THAT(judged(t).causes, ElementsAre("late wakes 15.0 %"));
  t.wakes = 60;  // exactly 5 %
  EXPECT_FALSE(judged(t).disturbed);
}

TEST(NoiseJudge, WhatCouldNotBeReadIsNeitherGoodNorBad) {
  TimedPart t;
  t.window_ns = kSecond;
  const NoiseReport report = judged(t);
  EXPECT_FALSE(report.disturbed);
  EXPECT_EQ(report.values.count("steal_share"), 0u);
  EXPECT_EQ(report.values.count("late_wake_share"), 0u);
  EXPECT_TRUE(judge_noise({}, 0).values.empty());
}

NoiseReport clocks(std::optional<double> before, std::optional<double> after) {
  NoiseMeasured m;
  m.mhz_before = before;
  m.mhz_after = after;
  return judge_noise(m, 0);
}

TEST(NoiseJudge, ClockDriftOverThreePercentEitherWay) {
  EXPECT_FALSE(clocks(3000, 2911).disturbed);
  EXPECT_THAT(clocks(3000, 2820).causes, ElementsAre("clock drift 6.0 %"));
  EXPECT_THAT(clocks(3000, 3180).causes, ElementsAre("clock drift 6.0 %"));
  EXPECT_FALSE(clocks(3000, std::nullopt).disturbed);
  EXPECT_FALSE(clocks(0, 3000).disturbed);
}

// 6 % of the tenth of a step that passes on this host are 0.6 % of the step; of two thirds they are 4 %.
TEST(NoiseJudge, ClockDriftCountsByWhatPassesOnTheHost) {
  NoiseMeasured m;
  m.mhz_before = 3000;
  m.mhz_after = 3180;
  m.host_share = 0.1;
  const NoiseReport device_timed = judge_noise(m, 0);
  EXPECT_FALSE(device_timed.disturbed);
  EXPECT_NEAR(device_timed.values.at("clock_drift"), 0.06, 1e-12);
  EXPECT_EQ(device_timed.values.at("host_share"), 0.1);
  m.host_share = 2.0 / 3;
  EXPECT_THAT(judge_noise(m, 0).causes, ElementsAre("clock drift 6.0 %"));
}

SpinGaps spin(double share) { return {50'000'000, 3, static_cast<uint64_t>(share * 50e6), 5'000, 4'000}; }

NoiseReport gaps(std::optional<SpinGaps> before, std::optional<SpinGaps> after) {
  NoiseMeasured m;
  m.gaps_before = before;
  m.gaps_after = after;
  return judge_noise(m, 0);
}

// A busy core of an idle shared machine loses 5.8 % to gaps on its own: ten are too many, or three times as many as
// before.
TEST(NoiseJudge, GapsOverATenthOrGrownThreefold) {
  EXPECT_FALSE(gaps(spin(0.058), spin(0.058)).disturbed);
  EXPECT_THAT(gaps(spin(0.12), spin(0.01)).causes, ElementsAre("gaps 12.0 %"));
  EXPECT_THAT(gaps(spin(0.01), spin(0.04)).causes, ElementsAre("gaps 4.0 %"));
  EXPECT_FALSE(gaps(spin(0.015), spin(0.04)).disturbed) << "under threefold";
  EXPECT_FALSE(gaps(spin(0.001), spin(0.03)).disturbed) << "3 % may be chance";
  EXPECT_FALSE(gaps(std::nullopt, spin(0.04)).disturbed) << "grown from what?";
  EXPECT_EQ(gaps(spin(0.02), std::nullopt).values.at("gap_share"), 0.02);
  EXPECT_EQ(gaps(spin(0.02), std::nullopt).values.at("gap_max_ns"), 5000);
}

// The run's zero is at 1000: what ended before is dropped, what began before is cut.
TEST(NoiseJudge, GapsLieOnTheSamplesAxis) {
  NoiseMeasured m;
  m.timed = quiet();
  m.timed->gaps = {{100, 900}, {900, 300}, {5000, 70}};
  const NoiseReport report = judge_noise(m, 1000);
  EXPECT_THAT(report.host_gap_start_ns, ElementsAre(0u, 4000u));
  EXPECT_THAT(report.host_gap_ns, ElementsAre(200u, 70u));
}

}  // namespace
}  // namespace assay
