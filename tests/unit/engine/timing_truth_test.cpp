// Can the times be believed? Liars of each kind, and honest adapters that must not be called liars.
#include "harness/run/timing_truth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/fake_adapter.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kInterval = "device within host interval";

Samples samples(std::vector<uint64_t> host, std::vector<uint64_t> device, uint64_t step = 0) {
  Samples s;
  s.host_ns = std::move(host);
  s.device_ns = std::move(device);
  s.device_clock_step_ns = step;
  return s;
}

TEST(Intervals, DeviceTimeFitsIntoTheHosts) {
  TruthVerdict verdict;
  check_intervals(samples({100, 200}, {90, 200}), &verdict);
  EXPECT_EQ(verdict.outcomes[kInterval], "pass");
  EXPECT_EQ(verdict.failure, "");
}

TEST(Intervals, OneStepOfTheDeviceClockIsAllowed) {
  TruthVerdict verdict;
  check_intervals(samples({100, 200}, {90, 210}, 10), &verdict);
  EXPECT_EQ(verdict.outcomes[kInterval], "pass");
  check_intervals(samples({100, 200}, {90, 211}, 10), &verdict);
  EXPECT_EQ(verdict.outcomes[kInterval], "fail");
  EXPECT_THAT(verdict.failure,
              HasSubstr("adapter lies about time: step 1 took 211 ns by its clock (step 10 ns) inside a "
                        "host interval of 200 ns"));
}

TEST(Intervals, WithoutADeviceClockThereIsNothingToCheck) {
  TruthVerdict verdict;
  check_intervals(samples({100, 200}, {}), &verdict);
  EXPECT_EQ(verdict.outcomes[kInterval], "no device clock");
  EXPECT_EQ(verdict.failure, "");
}

TruthVerdict slope(const SlopePoint& one, const SlopePoint& many, bool device_clock, double noise_ns = 0) {
  TruthVerdict verdict;
  check_slope(one, many, device_clock, noise_ns, &verdict);
  return verdict;
}

// Ten more steps: 1000 ns by the host, 950 and 840 by the device: 5 % and 16 % apart, 15 % are allowed.
TEST(Slope, BothClocksGrowAlike) {
  const TruthVerdict honest = slope({1, 150, 100}, {11, 1150, 1050}, true, 30);
  EXPECT_EQ(honest.failure, "");
  EXPECT_EQ(honest.outcomes.at("device clock"),
            "runs at 0.9500 of the host's +- 0.0588 (95 %)");  // 95 +- 1.96 x 3 of 100 ns a step
  const TruthVerdict lie = slope({1, 150, 100}, {11, 1150, 940}, true);
  EXPECT_THAT(lie.failure,
              StartsWith("adapter lies about time: repeat 1 and 11: device 84 ns a step, host 100 ns a step"));
  EXPECT_THAT(lie.outcomes.at("slope"), StartsWith("fail, "));
  EXPECT_NE(slope({1, 150, 100}, {11, 1150, 1300}, true).failure, "") << "a slow device clock lies as well";
  EXPECT_NE(slope({1, 150, 100}, {11, 1150, 100}, true).failure, "") << "one that stands still";
}

// 160 ns of difference over ten steps is within three times a noise of 60 ns.
TEST(Slope, WhatNoiseExplainsIsNoLie) {
  EXPECT_EQ(slope({1, 150, 100}, {11, 1150, 940}, true, 60).failure, "");
  EXPECT_NE(slope({1, 150, 100}, {11, 1150, 940}, true, 50).failure, "");
}

// Three times a noise of 17 ns a step is over half of the 100 ns that a step takes.
TEST(Slope, NoiseThatWouldHideHalfAStepShowsNothing) {
  const TruthVerdict blind = slope({1, 150, 100}, {11, 1150, 1050}, true, 170);
  EXPECT_THAT(blind.outcomes.at("slope"), StartsWith("inconclusive, "));
  EXPECT_THAT(blind.warnings, testing::ElementsAre(HasSubstr("could not be checked")));
  EXPECT_EQ(blind.failure, "");
  EXPECT_THAT(slope({1, 150, 100}, {11, 1150, 1050}, true, 160).outcomes.at("slope"), StartsWith("pass, "));
}

TEST(Slope, WithoutADeviceClockOnlyTheHostsGrowthIsDoubted) {
  EXPECT_THAT(slope({1, 100, 0}, {11, 1100, 0}, false).warnings, IsEmpty());
  EXPECT_THAT(slope({1, 100, 0}, {11, 700, 0}, false).warnings, IsEmpty()) << "a fixed cost is saved";
  const TruthVerdict nothing = slope({1, 100, 0}, {11, 110, 0}, false);
  ASSERT_EQ(nothing.warnings.size(), 1u);
  EXPECT_THAT(nothing.warnings[0], HasSubstr("time does not grow with work"));
  EXPECT_EQ(nothing.failure, "") << "warned about only";
  EXPECT_EQ(slope({1, 100, 0}, {11, 1400, 0}, false).warnings.size(), 1u) << "further steps that cost more";
}

class SlopeRun : public testing::Test {
 protected:
  SlopeRun() : graph_(*lower(tiny_case(StepKind::kDecode, 1, 1, 4), LowerOptions{})), pulse_(&page_) {
    behaviour_.computes = false;
  }
  // Steps of 2 ms of host time; `device_ns` of a submission by its repeats.
  Status run(const Samples& samples, std::function<uint64_t(uint32_t)> device_ns) {
    behaviour_.time = [device_ns = std::move(device_ns)](const Graph&, const assay_run_args& args,
                                                         assay_run_result* result) {
      wait_until_ns(now_ns() + 2'000'000 * uint64_t{args.repeat});
      if (!device_ns) return;
      result->device_clock = ASSAY_CLOCK_DEVICE_EVENT;
      result->device_ns = device_ns(args.repeat);
    };
    return run_slope_test(program_, {4}, samples, pulse_, &verdict_);
  }

  FakeBehaviour behaviour_;
  Graph graph_;
  FakeProgram program_{graph_, behaviour_};
  SharedPage page_{};
  Pulse pulse_;
  TruthVerdict verdict_;
};

const std::vector<uint64_t> kTwoMs(20, 2'000'000);

TEST_F(SlopeRun, TwiceTheWorkTakesTwiceTheTime) {
  ASSERT_TRUE(run(samples(kTwoMs, kTwoMs), [](uint32_t repeat) { return 2'000'000 * uint64_t{repeat}; }).ok());
  EXPECT_EQ(verdict_.failure, "");
  EXPECT_THAT(verdict_.outcomes["slope"], StartsWith("pass, repeat 1 and 25"));  // 50 ms
}

TEST_F(SlopeRun, ADeviceClockThatDoesNotCountRepeatsLies) {
  ASSERT_TRUE(run(samples(kTwoMs, kTwoMs), [](uint32_t) { return 2'000'000; }).ok());
  EXPECT_THAT(verdict_.failure, StartsWith("adapter lies about time"));
}

// Half a step of the host's own time in the only sample: by further ones it is a stall.
TEST_F(SlopeRun, AStallInTheOnlySampleIsNoLie) {
  ASSERT_TRUE(
      run(samples({3'000'000}, {2'000'000}), [](uint32_t repeat) { return 2'000'000 * uint64_t{repeat}; }).ok());
  EXPECT_EQ(verdict_.failure, "");
}

// Every run of a submission but one is stalled: host 1.5 times the device's time.
TEST_F(SlopeRun, OneRunThatAgreesIsEnough) {
  int runs = 0;
  behaviour_.time = [&](const Graph&, const assay_run_args& args, assay_run_result* result) {
    wait_until_ns(now_ns() + (++runs == 2 ? 2'000'000 : 3'000'000) * uint64_t{args.repeat});
    result->device_clock = ASSAY_CLOCK_DEVICE_EVENT;
    result->device_ns = 2'000'000 * uint64_t{args.repeat};
  };
  ASSERT_TRUE(run_slope_test(program_, {4}, samples(kTwoMs, kTwoMs), pulse_, &verdict_).ok());
  EXPECT_EQ(verdict_.failure, "");
}

// Steps of 30 ms, of which the device owns to 3 and 27 in turn: what it adds by its own jitter excuses nothing.
TEST_F(SlopeRun, AClockThatJittersOnPurposeLies) {
  constexpr uint64_t kStep = 30'000'000;
  Samples jittering;
  for (int i = 0; i < 20; ++i) {
    jittering.host_ns.push_back(kStep);
    jittering.device_ns.push_back(i % 2 == 0 ? kStep / 10 : kStep * 9 / 10);
  }
  behaviour_.time = [](const Graph&, const assay_run_args& args, assay_run_result* result) {
    wait_until_ns(now_ns() + kStep * args.repeat);
    result->device_clock = ASSAY_CLOCK_DEVICE_EVENT;
    result->device_ns = kStep * args.repeat / 2;
  };
  ASSERT_TRUE(run_slope_test(program_, {4}, jittering, pulse_, &verdict_).ok());
  EXPECT_THAT(verdict_.failure, StartsWith("adapter lies about time"));
}

// Work done while the caches are flushed is not in the timed steps, but it is missing from warm ones.
TEST_F(SlopeRun, ColdStepsAreCheckedByWarmOnes) {
  program_.run_cold(true);
  ASSERT_TRUE(run(samples(std::vector<uint64_t>(20, 9'000'000), kTwoMs), [](uint32_t) { return 2'000'000; }).ok());
  EXPECT_THAT(verdict_.failure, StartsWith("adapter lies about time: repeat 1 and 2"))
      << "of warm steps of 2 ms, not cold ones of 9";
  EXPECT_EQ(behaviour_.flushed, 0u);
  EXPECT_TRUE(program_.cold());
}

TEST_F(SlopeRun, AnAdapterThatDoesNotRepeatTheWorkIsFound) {
  behaviour_.time = [](const Graph&, const assay_run_args&, assay_run_result*) { wait_until_ns(now_ns() + 2'000'000); };
  ASSERT_TRUE(run_slope_test(program_, {4}, samples(kTwoMs, {}), pulse_, &verdict_).ok());
  ASSERT_EQ(verdict_.warnings.size(), 1u);
  EXPECT_THAT(verdict_.warnings[0], HasSubstr("time does not grow with work"));
}

TEST_F(SlopeRun, IsLeftOutWithTheReason) {
  behaviour_.submit = [](uint64_t) { return ASSAY_UNSUPPORTED; };
  ASSERT_TRUE(run(samples(kTwoMs, {}), nullptr).ok());
  EXPECT_EQ(verdict_.outcomes["slope"], "not run: the adapter does not repeat steps");
  ASSERT_TRUE(run(samples({3'000'000'000}, {}), nullptr).ok());
  EXPECT_THAT(verdict_.outcomes["slope"], StartsWith("not run: two steps take over 4 s"));
}

TEST_F(SlopeRun, AFailureIsTheAdapters) {
  behaviour_.submit = [](uint64_t) { return ASSAY_DEVICE_LOST; };
  const Status status = run(samples(kTwoMs, {}), nullptr);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "program.submit: status 4");
}

// 2 GFLOP and 3 GB in a step of 1 s.
Record one_second() {
  Record r;
  r.samples.host_ns = {1'000'000'000};
  r.step_flops = 2e9;
  r.step_weight_bytes = 2.5e9;
  r.step_kv_bytes = 0.5e9;
  r.ceiling.flops_per_s = 2e9;
  r.ceiling.read_bytes_per_s = 3e9;
  return r;
}

TEST(PlausibleRates, AtTheCeilingIsFine) {
  TruthVerdict verdict;
  check_plausible_rates(one_second(), 0, &verdict);
  EXPECT_EQ(verdict.outcomes["flops within ceiling"], "pass, 1.00 of the attainable peak");
  EXPECT_EQ(verdict.outcomes["bytes within ceiling"], "pass, 1.00 of the attainable peak");
  EXPECT_THAT(verdict.warnings, IsEmpty());
}

TEST(PlausibleRates, HalfAgainOverTheCeilingIsNot) {
  Record r = one_second();
  r.ceiling.flops_per_s = 1.3e9;  // 1.54 times
  TruthVerdict verdict;
  check_plausible_rates(r, 0, &verdict);
  EXPECT_THAT(verdict.outcomes["flops within ceiling"], StartsWith("implausible"));
  ASSERT_EQ(verdict.warnings.size(), 1u);
  EXPECT_THAT(verdict.warnings[0], HasSubstr("2e+09 FLOP/s is 1.5 times the attainable peak"));
}

TEST(PlausibleRates, BytesThatACacheHoldsAreNotJudged) {
  Record r = one_second();
  r.ceiling.read_bytes_per_s = 1e9;
  TruthVerdict verdict;
  check_plausible_rates(r, 750'000'000, &verdict);  // 3 GB are just four caches of it
  EXPECT_EQ(verdict.outcomes.count("bytes within ceiling"), 0u);
  check_plausible_rates(r, 749'999'999, &verdict);
  EXPECT_EQ(verdict.warnings.size(), 1u);
}

TEST(PlausibleRates, WithoutACeilingNothingIsSaid) {
  Record r = one_second();
  r.ceiling = {};
  TruthVerdict verdict;
  check_plausible_rates(r, 0, &verdict);
  EXPECT_TRUE(verdict.outcomes.empty());
}

}  // namespace
}  // namespace assay
