// Several launches of a case become one record.
#include "harness/run/launches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/run/case_run.h"
#include "harness/run/recheck.h"
#include "results/metrics/energy.h"
#include "results/metrics/launches.h"
#include "tests/unit/engine/fake_adapter.h"

namespace assay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr uint64_t kS = 1'000'000'000;

// Two steps of 100 and 110 ns, launched at `start_ns` of the host's clock.
Record launched(uint64_t start_ns) {
  Record r;
  r.basis = "measured";
  r.status = "ok";
  r.samples.start_ns = {0, 120};
  r.samples.host_ns = {100, 110};
  r.samples.device_ns = {90, 95};
  RunLaunch launch = launch_of({100, 110});
  launch.start_ns = start_ns;
  r.run_launches = RunLaunches{3, {launch}, std::nullopt};
  r.stop = {"precision", 0.01, 0.002, 5, 0.5, 1.0, "drift-ended"};
  r.numerics.verdict = "pass";
  r.prepare_s = 0.25;
  r.counters = {{"cycles", 1000, ""}, {"misses", 7, ""}};
  r.noise.causes = {"steal 3 %"};
  r.noise.disturbed = true;
  r.noise.values = {{"steal_share", 0.03}, {"gap_max_ns", 50}, {"window_s", 1}, {"device_temp_c_min", 40}};
  r.noise.host_gap_start_ns = {20};
  r.noise.host_gap_ns = {5};
  r.timing_truth = {{"slope", "pass, 1.000"}};
  r.warnings = {"adapter printed: hello"};
  return r;
}

TEST(AddLaunch, StepsLieOneLaunchAfterTheOther) {
  Record r = launched(5000);
  Record second = launched(8000), third = launched(2000);
  second.samples.host_ns = {120, 130};
  second.run_launches->each[0] = launch_of({120, 130});
  second.run_launches->each[0].start_ns = 8000;
  add_launch(second, &r);
  EXPECT_THAT(r.samples.host_ns, ElementsAre(100, 110, 120, 130));
  EXPECT_THAT(r.samples.start_ns, ElementsAre(0, 120, 3000, 3120)) << "on one axis, by the host's clock";
  EXPECT_THAT(r.samples.device_ns, ElementsAre(90, 95, 90, 95));
  EXPECT_THAT(r.noise.host_gap_start_ns, ElementsAre(20, 3020));
  ASSERT_EQ(r.run_launches->each.size(), 2u);
  EXPECT_EQ(r.run_launches->each[1].mean_step_ns, 125);
  ASSERT_TRUE(r.run_launches->between) << "its own two launches tell what launches differ by";
  EXPECT_EQ(r.run_launches->between->dof, 1);
  // A clock that began anew: straight on, from 3120 + 130.
  add_launch(third, &r);
  EXPECT_THAT(r.samples.start_ns, ElementsAre(0, 120, 3000, 3120, 3250, 3370));
  EXPECT_EQ(r.run_launches->each[2].start_ns, 5000u + 3250u);
  EXPECT_TRUE(record_from_json(record_to_json(r), "r").ok());
}

TEST(AddLaunch, KeepsTheCeilingsBesideEachLaunch) {
  const auto with_ceilings = [](uint64_t start_ns, double flops, double bytes) {
    Record r = launched(start_ns);
    r.ceiling = {flops, "bf16", bytes, "before this case, same worker", "", 2048, 1 << 28, "f32", "t", {}};
    return r;
  };
  Record r = with_ceilings(5000, 1e12, 50e9);
  EXPECT_EQ(earlier_launch(r).gemm_size, 2048);
  EXPECT_EQ(earlier_launch(r).read_bytes, uint64_t{1} << 28);
  add_launch(with_ceilings(8000, 2e12, 25e9), &r);
  add_launch(with_ceilings(9000, 3e12, 30e9), &r);
  EXPECT_EQ(*r.ceiling.read_bytes_per_s, 50e9);
  const Result<Record> back = record_from_json(record_to_json(r), "r");
  ASSERT_TRUE(back.ok()) << back.error().message;
  ASSERT_EQ(back->ceiling.of_launches.size(), 3u);
  EXPECT_EQ(*back->ceiling.of_launches[0].flops_per_s, 1e12);
  EXPECT_EQ(*back->ceiling.of_launches[1].read_bytes_per_s, 25e9);
  EXPECT_EQ(*back->ceiling.of_launches[2].flops_per_s, 3e12);
  EXPECT_EQ(back->ceiling.gemm_size, 2048);
  Record refused = with_ceilings(10'000, 1e12, 1);
  refused.ceiling.read_bytes_per_s.reset();
  refused.ceiling.reason = "read: no memory";
  add_launch(refused, &r);
  EXPECT_EQ(r.ceiling.reason, "launch 4: read: no memory");
  Record none = launched(5000);
  add_launch(launched(8000), &none);
  EXPECT_TRUE(none.ceiling.of_launches.empty()) << "as of a ceiling's own case";
}

TEST(AddLaunch, CountsAddUpAndWhatDisturbedIsNumbered) {
  Record r = launched(5000);
  Record second = launched(8000);
  second.stop = {"time-limit", 0.01, 0.02, 4, 0.25, 3.0, "limit"};
  second.counters = {{"cycles", 500, ""}, {"misses", {}, "refused"}};
  second.noise.causes = {"gaps 15 %"};
  second.noise.values = {{"steal_share", 0.07}, {"gap_max_ns", 40}, {"window_s", 3}, {"device_temp_c_min", 35}};
  second.numerics.verdict = "not-run";
  second.prepare_s = 9;
  second.timing_truth = {{"slope", "pass, 1.01"}, {"device clock", "runs at 1.0"}};
  second.warnings.emplace_back("used 1.2 CPUs");
  add_launch(second, &r);
  EXPECT_EQ(r.stop.reason, "time-limit");
  EXPECT_EQ(r.stop.achieved_half_width, 0.02);
  EXPECT_EQ(r.stop.warmup_steps, 9u);
  EXPECT_EQ(r.stop.timed_s, 4);
  EXPECT_EQ(r.stop.warmup_end, "limit");
  EXPECT_EQ(r.counters[0].value, 1500);
  EXPECT_FALSE(r.counters[1].value);
  EXPECT_EQ(r.counters[1].reason, "refused");
  EXPECT_THAT(r.noise.causes, ElementsAre("launch 1: steal 3 %", "launch 2: gaps 15 %"));
  EXPECT_DOUBLE_EQ(r.noise.values["steal_share"], 0.06) << "(0.03 x 1 s + 0.07 x 3 s) / 4 s";
  EXPECT_EQ(r.noise.values["gap_max_ns"], 50);
  EXPECT_EQ(r.noise.values["window_s"], 4);
  EXPECT_EQ(r.noise.values["device_temp_c_min"], 35);
  EXPECT_EQ(r.numerics.verdict, "pass") << "checked in the first launch";
  EXPECT_EQ(r.prepare_s, 0.25);
  EXPECT_EQ(r.timing_truth["slope"], "pass, 1.000");
  EXPECT_EQ(r.timing_truth["device clock"], "runs at 1.0");
  EXPECT_THAT(r.warnings, ElementsAre("adapter printed: hello", "launch 2: used 1.2 CPUs"));
}

TEST(AddLaunch, AFailedLaunchIsAFailedCase) {
  Record r = launched(5000);
  Record second;
  second.status = "failed";
  second.reason = "adapter died with SIGSEGV in program.wait";
  add_launch(second, &r);
  EXPECT_EQ(r.status, "failed");
  EXPECT_EQ(r.reason, "launch 2 of 3: adapter died with SIGSEGV in program.wait");
  EXPECT_EQ(r.samples.host_ns.size(), 2u) << "what was seen before is kept";
}

// 100 W over 2 s and 150 W over 2 s, and a pause of 46 s between them at 20 W: 500 J in 4 s.
TEST(AddLaunch, EnergyOfThePauseIsNotTheRuns) {
  const auto with_energy = [](uint64_t start_ns, double watts) {
    Record r = launched(start_ns);
    r.energy.source = "meter";
    r.energy.window_start_ns = kS / 2;
    r.energy.window_end_ns = 5 * kS / 2;
    for (uint64_t t = 0; t <= 30; ++t) {  // to and fro by 1 W: a sensor that never moves is not believed
      const double now = watts + (t % 2 == 0 ? 1 : -1);
      r.energy.samples.push_back({t * kS / 10, {}, t < 5 || t > 25 ? 20 : now});
    }
    r.energy = energy_again(r.energy);
    return r;
  };
  Record r = with_energy(0, 100);
  ASSERT_TRUE(r.energy.joules) << r.energy.reason;
  EXPECT_NEAR(*r.energy.joules, 200, 1e-6);
  add_launch(with_energy(48 * kS, 150), &r);
  EXPECT_NEAR(*r.energy.joules, 500, 1e-6);
  EXPECT_NEAR(*r.energy.watts_mean, 125, 1e-6);
  EXPECT_THAT(r.energy.pause_ns, ElementsAre(46 * kS));
  const Result<Record> back = record_from_json(record_to_json(r), "r");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_NEAR(*energy_again(back->energy).joules, 500, 1e-3) << "the record's readings say the same again";
  Record blind = launched(99 * kS);
  blind.energy.reason = "the sensor is gone";
  add_launch(blind, &r);
  EXPECT_FALSE(r.energy.joules);
  EXPECT_EQ(r.energy.reason, "launch 3: the sensor is gone");
  EXPECT_THAT(r.energy.samples, IsEmpty()) << "two launches' readings would come to 500 J, which no figure states";
  EXPECT_THAT(r.energy.pause_start_ns, IsEmpty());
  EXPECT_THAT(r.energy.pause_ns, IsEmpty());
  EXPECT_TRUE(record_from_json(record_to_json(r), "r").ok());
  EXPECT_THAT(record_disagreements(r), Not(Contains(HasSubstr("energy."))));
}

class Launches : public testing::Test {
 protected:
  Launches() : counters_(open_counters()), pulse_(&page_) {
    job_.device = "fake:0";
    job_.form = "quick";
    job_.threads = 1;
    job_.policy.percentiles = {0.5};
    job_.policy.time_limit_s = 0.05;
    job_.policy.launches = 2;
    adapter_.behaviour.unsupported = [](const Graph& graph) -> std::string {
      return graph.ops.size() == 1 ? "no ceilings here" : "";
    };
  }
  Record run(const Case& c) {
    job_.case_json = c.to_json();
    return run_case(job_, {adapter_, *counters_, threads_, pulse_});
  }
  Job job_;
  FakeAdapter adapter_;
  std::unique_ptr<Counters> counters_;
  HostThreads threads_{1};
  SharedPage page_{};
  Pulse pulse_;
};

TEST_F(Launches, AFurtherOneRunsTheSamePartOfTheModelAndChecksNothingAgain) {
  const Case c = tiny_case(StepKind::kDecode, 1, 1, 4, 6);
  job_.policy.max_layers = 4;
  Record r = run(c);
  ASSERT_EQ(r.status, "ok") << r.reason;
  ASSERT_TRUE(r.run_launches);
  EXPECT_EQ(r.run_launches->planned, 2);
  EXPECT_GT(r.run_launches->each[0].start_ns, 0u);
  job_.earlier = earlier_launch(r);
  EXPECT_EQ(job_.earlier->layers, 4);
  job_.check_numerics = false;
  job_.policy.max_layers = 0;  // all six would fit
  const Record second = run(c);
  ASSERT_EQ(second.status, "ok") << second.reason;
  EXPECT_EQ(second.step_flops, r.step_flops);
  EXPECT_TRUE(second.numerics.ops.empty());
  EXPECT_FALSE(second.extrapolation) << "projected once";
  const size_t steps = r.samples.host_ns.size() + second.samples.host_ns.size();
  add_launch(second, &r);
  EXPECT_EQ(r.samples.host_ns.size(), steps);
  EXPECT_EQ(r.numerics.verdict, "pass");
  ASSERT_TRUE(r.extrapolation);
  if (r.extrapolation->projected_step_ns) {
    EXPECT_THAT(r.extrapolation->method, HasSubstr("mean step of all"));
  }
  job_.earlier->layers = 7;
  EXPECT_THAT(run(c).reason, HasSubstr("7 layers ran in an earlier launch, 6 fit now"));
}

}  // namespace
}  // namespace assay
