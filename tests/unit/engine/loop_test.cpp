// The loops that run steps: what ends them, and what they keep.
#include <gtest/gtest.h>

#include "harness/run/timed_loop.h"
#include "tests/unit/engine/fake_adapter.h"

namespace assay {
namespace {

class Loop : public testing::Test {
 protected:
  Loop() : graph_(*lower(tiny_case(StepKind::kDecode, 1, 1, 4), LowerOptions{})), pulse_(&page_) {
    behaviour_.computes = false;
    policy_.percentiles = {};
    policy_.time_limit_s = 1000;
  }
  LoopResult timed(uint64_t capacity) {
    buffers_ = std::make_unique<StepBuffers>(capacity);
    StopRule rule(policy_, capacity);
    return run_timed(program_, args_, policy_, rule, pulse_, *buffers_);
  }

  FakeBehaviour behaviour_;
  Graph graph_;
  FakeProgram program_{graph_, behaviour_};
  SharedPage page_{};
  Pulse pulse_;
  RunPolicy policy_;
  std::vector<int64_t> scalars_{4};
  assay_run_args args_{sizeof(assay_run_args), 1, scalars_.data()};
  std::unique_ptr<StepBuffers> buffers_;
};

TEST_F(Loop, EndsByPrecision) {
  policy_.target_half_width = 1e6;
  policy_.min_samples = 50;
  policy_.time_limit_s = 1;  // of which a tenth must pass
  behaviour_.time = [](const Graph&, const assay_run_args&, assay_run_result*) { wait_until_ns(now_ns() + 4000); };
  const LoopResult loop = timed(100'000);
  EXPECT_STREQ(loop.reason, "precision");
  EXPECT_GE(loop.n, 50u);
  EXPECT_GE(loop.elapsed_ns, 100'000'000u);
}

TEST_F(Loop, EndsAtTheTimeLimit) {
  policy_.target_half_width = 0;
  policy_.time_limit_s = 0.02;
  uint64_t turn = 0;  // never two steps alike: no interval of them has width 0
  behaviour_.time = [&](const Graph&, const assay_run_args&, assay_run_result*) {
    wait_until_ns(now_ns() + 10'000 + 7000 * (++turn % 3));
  };
  const LoopResult loop = timed(kMaxSamples);
  EXPECT_STREQ(loop.reason, "time-limit");
  EXPECT_GE(loop.elapsed_ns, 20'000'000u);
  EXPECT_GT(loop.n, 1u);
}

TEST_F(Loop, TwoStepsAreTheLeastHoweverLong) {
  policy_.time_limit_s = 0.001;
  behaviour_.time = [](const Graph&, const assay_run_args&, assay_run_result*) { wait_until_ns(now_ns() + 2'000'000); };
  const LoopResult loop = timed(100);
  EXPECT_STREQ(loop.reason, "time-limit");
  EXPECT_EQ(loop.n, 2u) << "one has no interval";
}

TEST_F(Loop, EndsWhereTheBuffersAreFull) {
  policy_.target_half_width = 0;
  policy_.min_samples = 1000;
  const LoopResult loop = timed(100);
  EXPECT_STREQ(loop.reason, "fixed");
  EXPECT_EQ(loop.n, 100u);
}

TEST_F(Loop, EndsOnRequestAfterTheStepInHand) {
  policy_.min_samples = 1000;
  behaviour_.wait = [&](uint64_t call) {
    if (call == 7) page_.stop.store(1);
    return ASSAY_OK;
  };
  const LoopResult loop = timed(100);
  EXPECT_STREQ(loop.reason, "interrupted");
  EXPECT_EQ(loop.n, 7u);
  EXPECT_EQ(page_.steps.load(), 7u);
  EXPECT_EQ(page_.in_adapter.load(), kNotInAdapter);
}

TEST_F(Loop, AFailedStepIsNamedAndNotCounted) {
  policy_.min_samples = 1000;
  behaviour_.wait = [](uint64_t call) { return call == 5 ? ASSAY_DEVICE_LOST : ASSAY_OK; };
  const LoopResult waited = timed(100);
  EXPECT_STREQ(waited.reason, "failed");
  EXPECT_EQ(waited.n, 4u);
  EXPECT_STREQ(waited.failure.call, "program.wait");
  EXPECT_EQ(waited.failure.status, ASSAY_DEVICE_LOST);
  behaviour_.submit = [](uint64_t call) { return call == 9 ? ASSAY_CANCELLED : ASSAY_OK; };
  behaviour_.wait = nullptr;
  const LoopResult submitted = timed(100);
  EXPECT_STREQ(submitted.failure.call, "program.submit");
  EXPECT_EQ(submitted.failure.status, ASSAY_CANCELLED);
}

TEST_F(Loop, KeepsEveryStepInOrder) {
  policy_.min_samples = 1000;
  uint64_t device = 0;
  behaviour_.time = [&](const Graph&, const assay_run_args&, assay_run_result* result) {
    result->device_clock = ASSAY_CLOCK_DEVICE_EVENT;
    result->device_clock_step_ns = 40;
    result->device_ns = ++device;
  };
  const LoopResult loop = timed(50);
  ASSERT_EQ(loop.n, 50u);
  EXPECT_EQ(loop.device_clock, static_cast<uint32_t>(ASSAY_CLOCK_DEVICE_EVENT));
  EXPECT_EQ(loop.device_clock_step_ns, 40u);
  for (uint64_t i = 0; i < loop.n; ++i) {
    EXPECT_EQ(buffers_->device_ns[i], i + 1);
    const uint64_t end_before = i == 0 ? 0 : buffers_->start_ns[i - 1] + buffers_->host_ns[i - 1];
    EXPECT_GE(buffers_->start_ns[i], end_before);
  }
  EXPECT_EQ(loop.elapsed_ns, buffers_->start_ns[49] + buffers_->host_ns[49] - buffers_->start_ns[0]);
}

TEST_F(Loop, WarmUpRunsAtLeastItsFewestSteps) {
  policy_.time_limit_s = 1;
  const LoopResult late = run_warmup(program_, args_, policy_, 5, 2'000'000'000, pulse_);
  EXPECT_EQ(late.n, 5u) << "its limit was behind already";
  EXPECT_STREQ(late.reason, "limit");
}

// Steps that are alike to the clock's resolution drift less than a tenth.
TEST_F(Loop, WarmUpEndsWithTheDrift) {
  policy_.time_limit_s = 40;
  policy_.target_half_width = 0.2;
  behaviour_.time = [](const Graph&, const assay_run_args&, assay_run_result*) { wait_until_ns(now_ns() + 100'000); };
  const LoopResult warm = run_warmup(program_, args_, policy_, 1, 0, pulse_);
  EXPECT_STREQ(warm.reason, "drift-ended");
  EXPECT_GE(warm.n, 6u) << "two windows have been compared";
  EXPECT_GE(warm.fastest_ns, 100'000u);
  EXPECT_GE(warm.elapsed_ns, warm.n * 100'000);
}

TEST_F(Loop, WarmUpStopsOnRequestAndOnFailure) {
  policy_.time_limit_s = 1000;
  page_.stop.store(1);
  EXPECT_STREQ(run_warmup(program_, args_, policy_, 5, 0, pulse_).reason, "interrupted");
  page_.stop.store(0);
  behaviour_.submit = [](uint64_t) { return ASSAY_INTERNAL; };
  const LoopResult failed = run_warmup(program_, args_, policy_, 5, 0, pulse_);
  EXPECT_STREQ(failed.reason, "failed");
  EXPECT_STREQ(failed.failure.call, "program.submit");
}

}  // namespace
}  // namespace assay
