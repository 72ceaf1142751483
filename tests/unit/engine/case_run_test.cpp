// One job from case to record, whatever happens on the way.
#include "harness/run/case_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "harness/run/outputs_check.h"
#include "tests/unit/engine/fake_adapter.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class CaseRun : public testing::Test {
 protected:
  CaseRun() : counters_(open_counters()), pulse_(&page_) {
    job_.device = "fake:0";
    job_.form = "quick";
    job_.seed = 5;
    job_.threads = 1;
    job_.policy.percentiles = {0.5};
    job_.policy.min_samples = 5;
    job_.policy.time_limit_s = 0.1;
    job_.policy.target_half_width = 0.5;
    // The double-precision reference is no match for a ceiling's GEMM: it declines both.
    adapter_.behaviour.unsupported = [](const Graph& graph) -> std::string {
      return graph.ops.size() == 1 ? "no ceilings here" : "";
    };
  }
  Record run(const Case& c = tiny_case(StepKind::kDecode, 1, 1, 4)) {
    job_.case_json = c.to_json();
    return run_case(job_, {adapter_, *counters_, threads_, pulse_});
  }
  // The timed part or what follows it.
  [[nodiscard]] bool is_timed() const {
    const auto phase = static_cast<Phase>(page_.phase.load());
    return phase == Phase::kTimed || phase == Phase::kFinish;
  }
  void ends_as(const Record& record, const std::string& status, const std::string& reason) const {
    EXPECT_EQ(record.status, status) << record.reason;
    EXPECT_THAT(record.reason, HasSubstr(reason));
    EXPECT_EQ(record.case_id, "decode/tiny/f32/b1/c4");
    EXPECT_EQ(record.seed, 5u);
  }

  Job job_;
  FakeAdapter adapter_;
  std::unique_ptr<Counters> counters_;
  HostThreads threads_{1};
  SharedPage page_{};
  Pulse pulse_;
};

TEST_F(CaseRun, AGoodRunIsAWholeRecord) {
  const Record r = run();
  ends_as(r, "ok", "");
  EXPECT_EQ(r.basis, "simulated") << "the device says so, nothing else sets it";
  EXPECT_EQ(r.adapter, "fake");
  EXPECT_EQ(r.numerics.verdict, "pass");
  ASSERT_TRUE(r.numerics.whole);
  EXPECT_TRUE(r.numerics.whole->pass);
  EXPECT_GE(r.samples.host_ns.size(), 5u);
  EXPECT_EQ(r.samples.start_ns.size(), r.samples.host_ns.size());
  EXPECT_EQ(r.samples.start_ns[0], 0u);
  EXPECT_GE(r.stop.warmup_steps, 1u);
  EXPECT_EQ(r.launches, 3u);
  EXPECT_EQ(r.executed, "as asked");
  EXPECT_FALSE(r.extrapolation);
  EXPECT_EQ(r.timing_truth.at("device within host interval"), "no device clock");
  EXPECT_FALSE(r.ceiling.flops_per_s);
  EXPECT_EQ(r.ceiling.reason, "GEMM: no ceilings here; read: no ceilings here");
  EXPECT_FALSE(r.energy.joules);
  EXPECT_THAT(r.energy.reason, StartsWith("no energy source"));
  EXPECT_TRUE(record_from_json(record_to_json(r), "test").ok());
}

// Of the timed program alone: its first step, and with it what is checked, is right.
TEST_F(CaseRun, WhatTheTimedStepsLeaveIsCheckedToo) {
  EXPECT_EQ(run().timing_truth.at("outputs"), "pass");
  const auto later = [&](const std::function<void(const Graph&, std::vector<Values>*)>& spoil) {
    adapter_.behaviour.spoil = [this, spoil](const Graph& graph, std::vector<Values>* values) {
      if (is_timed()) spoil(graph, values);
    };
    return run();
  };
  const auto hidden = [](const Graph& graph) { return *result_tensor(graph); };
  ends_as(later([&](const Graph& g, std::vector<Values>* v) { (*v)[hidden(g)][0] = NAN; }), "failed",
          "it is not finite");
  ends_as(later([&](const Graph& g, std::vector<Values>* v) {
            for (double& x : (*v)[hidden(g)]) x *= 1.5;
          }),
          "failed", "no longer the one that was checked before them: relative error 0.5");
  ends_as(later([](const Graph& g, std::vector<Values>* v) { (*v)[g.ops.back().out[0]][0] += 1; }), "failed",
          "the last op yields others from the same rows");
}

// From the first timed step on its result is given again, which is right as long as nothing changes.
TEST_F(CaseRun, ResultsThatAreGivenAgainAreFound) {
  std::vector<Values> remembered;
  adapter_.behaviour.spoil = [&](const Graph& graph, std::vector<Values>* values) {
    if (!is_timed()) return;
    if (remembered.empty()) remembered = *values;
    for (const Op& op : graph.ops) {
      for (const uint32_t t : op.out) (*values)[t] = remembered[t];
    }
  };
  ends_as(run(), "failed", "the result of other inputs is that of the timed ones");
}

// Steps of 2 ms; a read of the result does 20 ms of work that the step before it left undone.
TEST_F(CaseRun, WorkThatIsDoneWhenItIsReadIsFound) {
  bool owed = false;
  adapter_.behaviour.time = [&](const Graph&, const assay_run_args&, assay_run_result*) {
    wait_until_ns(now_ns() + 2'000'000);
    owed = true;
  };
  adapter_.behaviour.read = [&](uint32_t) {
    if (std::exchange(owed, false)) wait_until_ns(now_ns() + 20'000'000);
    return ASSAY_OK;
  };
  ends_as(run(), "failed", "longer than the second: the work is done when it is read");
}

// The same inputs again take 2 ms, others 12 ms.
TEST_F(CaseRun, WorkThatIsSkippedOnUnchangedInputsIsFound) {
  bool changed = true;
  adapter_.behaviour.write = [&](uint32_t) {
    changed = true;
    return ASSAY_OK;
  };
  adapter_.behaviour.time = [&](const Graph&, const assay_run_args& args, assay_run_result*) {
    const uint64_t first = std::exchange(changed, false) ? 12 : 2;
    wait_until_ns(now_ns() + (first + 2 * (args.repeat - 1)) * 1'000'000);
  };
  ends_as(run(), "failed", "what did not change was not computed again");
  adapter_.behaviour.time = [&](const Graph&, const assay_run_args& args, assay_run_result*) {
    wait_until_ns(now_ns() + 4 * args.repeat * 1'000'000);
  };
  EXPECT_THAT(run().timing_truth.at("outputs.other-inputs"), StartsWith("pass, "));
}

TEST(OutputTimes, NoiseInOneReadOrStepIsNoLie) {
  const auto judged = [](const OutputTimes& times) {
    TruthVerdict verdict;
    judge_output_times(times, 10e6, &verdict);
    return verdict;
  };
  EXPECT_EQ(judged({{9e6, 1e6}, {1e6, 1e6}, {}, {}}).failure, "") << "the second time it was at once";
  EXPECT_THAT(judged({{9e6, 4e6}, {1e6, 1e6}, {}, {}}).failure, HasSubstr("3 ms longer")) << "over a fifth of 10 ms";
  EXPECT_EQ(judged({{1e6}, {1e6}, {40e6, 12e6}, {10e6, 10e6}}).outcomes.at("outputs.other-inputs"),
            "pass, 12 ms on other inputs, 10 ms on those of the timed steps");
  EXPECT_EQ(judged({{1e6}, {1e6}, {13e6}, {9e6}}).warnings.size(), 1U);
  EXPECT_THAT(judged({{1e6}, {1e6}, {16e6, 15.5e6}, {10e6, 9e6}}).failure, HasSubstr("15.5 ms on other inputs"));
  EXPECT_EQ(judged({{1e6}, {1e6}, {16e6, 15.5e6}, {15e6, 16e6}}).failure, "") << "the machine became slower";
}

TEST_F(CaseRun, WhatDoesNotFitRunsFewerLayersAndProjects) {
  const Case c = tiny_case(StepKind::kDecode, 1, 1, 4, 6);
  const auto bytes = [&](int64_t layers) { return graph_memory(*lower(c, {.layers = layers})).total(); };
  const uint64_t margin = uint64_t{64} << 20;
  adapter_.behaviour.memory_bytes = margin + (bytes(4) + bytes(5)) / 2;
  const Record r = run(c);
  EXPECT_EQ(r.status, "ok") << r.reason;
  ASSERT_TRUE(r.extrapolation);
  EXPECT_EQ(r.extrapolation->layers_run, 4);
  EXPECT_EQ(r.extrapolation->layers_total, 6);
  EXPECT_EQ(r.extrapolation->fewer_layers, 2);
  EXPECT_THAT(r.extrapolation->reason, StartsWith("the whole model needs "));
}

TEST_F(CaseRun, WhatDoesNotFitAtAllIsUnsupported) {
  adapter_.behaviour.memory_bytes = uint64_t{64} << 20;
  ends_as(run(), "unsupported", "a single layer needs");
}

TEST_F(CaseRun, AnHonestNoIsUnsupported) {
  adapter_.behaviour.unsupported = [](const Graph&) { return "no rope here"; };
  ends_as(run(), "unsupported", "no rope here");
  adapter_.has_programs = false;
  ends_as(run(), "unsupported", "no table program/1");
  adapter_.has_programs = true;
  adapter_.behaviour.unsupported = nullptr;
  adapter_.behaviour.prepare = [](const Graph&) { return Error{ErrorKind::kUnsupported, "no SPIR-V on this device"}; };
  ends_as(run(), "unsupported", "no SPIR-V on this device");
}

TEST_F(CaseRun, ColdRunsAreRefusedAndNotFaked) {
  Case c = tiny_case(StepKind::kDecode, 1, 1, 4);
  c.cold = true;
  const Record r = run(c);
  EXPECT_EQ(r.status, "unsupported");
  EXPECT_THAT(r.reason, HasSubstr("cold: the adapter can't flush the device's caches"));
}

TEST_F(CaseRun, AColdRunFlushesBeforeEachStep) {
  adapter_.flushes = true;
  const Record warm = run();
  EXPECT_EQ(adapter_.behaviour.flushed, 0u);
  Case c = tiny_case(StepKind::kDecode, 1, 1, 4);
  c.cold = true;
  constexpr uint64_t kFlush = 5'000'000;  // over ten times a step
  adapter_.behaviour.flush_ns = kFlush;
  const Record r = run(c);
  EXPECT_EQ(r.status, "ok") << r.reason;
  for (size_t i = 0; i + 1 < r.samples.start_ns.size(); ++i) {
    EXPECT_GE(r.samples.start_ns[i + 1] - r.samples.start_ns[i] - r.samples.host_ns[i], kFlush);
  }
  EXPECT_LT(*std::min_element(r.samples.host_ns.begin(), r.samples.host_ns.end()), kFlush) << "flushing is not timed";
  EXPECT_EQ(r.case_id, "decode/tiny/f32/b1/c4/cold");
  EXPECT_NE(r.case_hash, warm.case_hash) << "cold and warm are not the same work";
  EXPECT_GE(adapter_.behaviour.flushed, r.samples.host_ns.size() + r.stop.warmup_steps);
  EXPECT_THAT(r.timing_truth.at("slope"), HasSubstr("repeat 1 and ")) << "of warm steps";
  EXPECT_THAT(r.energy.reason, StartsWith("cold: the flushing"));
}

TEST_F(CaseRun, ADeviceThatIsNotThereFails) {
  job_.device = "fake:1";
  ends_as(run(), "failed", "device fake:1: adapter fake has no such device; it has 1 (fake:0)");
  job_.device = "fake";
  ends_as(run(), "failed", "expected NAME:INDEX");
}

TEST_F(CaseRun, WrongNumbersAreNotTimed) {
  adapter_.behaviour.spoil = scaled("layer0.attention", 1.01);
  const Record r = run();
  ends_as(r, "failed", "numerics: op layer0.attention (attention, f32): relative error 0.01");
  EXPECT_TRUE(r.samples.host_ns.empty());
  EXPECT_EQ(r.numerics.verdict, "fail");
}

TEST_F(CaseRun, AFaultInTheTimedPartKeepsTheStepsBeforeIt) {
  job_.policy.target_half_width = 0;
  job_.policy.time_limit_s = 0.2;
  uint64_t timed = 0;
  adapter_.behaviour.wait = [&](uint64_t) {
    timed += page_.phase.load() == static_cast<uint32_t>(Phase::kTimed) ? 1 : 0;
    return timed == 4 ? ASSAY_DEVICE_LOST : ASSAY_OK;
  };
  const Record r = run();
  ends_as(r, "failed", "program.wait: status 4");
  EXPECT_EQ(r.samples.host_ns.size(), 3u);
  EXPECT_EQ(r.stop.reason, "failed");
}

TEST_F(CaseRun, AStopRequestKeepsWhatWasMeasured) {
  job_.policy.target_half_width = 0;
  job_.policy.time_limit_s = 0.4;
  adapter_.behaviour.time = [&](const Graph&, const assay_run_args&, assay_run_result*) {
    if (page_.phase.load() == static_cast<uint32_t>(Phase::kTimed) && page_.steps.load() == 4) page_.stop.store(1);
  };
  const Record r = run();
  ends_as(r, "interrupted", "stopped on request");
  EXPECT_EQ(r.samples.host_ns.size(), 5u);
}

TEST_F(CaseRun, ALieAboutTimeFails) {
  adapter_.behaviour.time = [](const Graph&, const assay_run_args&, assay_run_result* result) {
    result->device_clock = ASSAY_CLOCK_DEVICE_TIMESTAMP;
    result->device_clock_step_ns = 1;
    result->device_ns = uint64_t{1} << 40;
  };
  ends_as(run(), "failed", "adapter lies about time");
}

TEST(DeviceIndex, IsWhatFollowsTheColon) {
  EXPECT_EQ(*device_index("cpu:0"), 0u);
  EXPECT_EQ(*device_index("a:b:12"), 12u);
  for (const char* bad : {"cpu", "cpu:", "cpu:-1", "cpu:1x", "cpu:4294967296", ""}) {
    EXPECT_FALSE(device_index(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace assay
