// k of L layers: how many fit, how many are quick enough, and the line to the whole model.
#include "harness/run/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/run/extrapolate.h"
#include "tests/unit/engine/fake_adapter.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr uint64_t kMiB = uint64_t{1} << 20;

uint64_t needed(const Case& c, int64_t layers) {
  LowerOptions options;
  options.layers = layers;
  return graph_memory(*lower(c, options)).total();
}

// A layer of this model holds 3 x 2048 x 4096 + ... elements: tens of MiB, so that layers decide.
Case wide_case() {
  Case c = tiny_case(StepKind::kDecode, 1, 1, 4, 8);
  c.model.hidden = 1024;
  c.model.ffn = 4096;
  return c;
}

DeviceInfo device(uint64_t memory, uint64_t free) {
  DeviceInfo d;
  d.memory_bytes = memory;
  d.memory_free_bytes = free;
  return d;
}

// The smallest free memory of which 3 % (over 64 MiB there) are kept back and `bytes` remain.
uint64_t free_for(uint64_t bytes) {
  uint64_t free = bytes + 64 * kMiB;
  while (usable_bytes(device(0, free)).value() < bytes) ++free;
  return free;
}

TEST(BytesText, PicksTheUnit) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(uint64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(bytes_text(uint64_t{5000} << 40), "5000.0 TiB");
}

TEST(UsableBytes, KeepsAMargin) {
  EXPECT_EQ(usable_bytes(device(0, 0)), std::nullopt);
  EXPECT_EQ(usable_bytes(device(1000 * kMiB, 0)), 936 * kMiB) << "at least 64 MiB";
  EXPECT_EQ(usable_bytes(device(1, 33000 * kMiB)), 32000 * kMiB) << "a 33rd of what is free";
  EXPECT_EQ(usable_bytes(device(0, 60 * kMiB)), 0u);
}

TEST(LayersByMemory, AllWhereTheyFitOrNothingIsKnown) {
  const Case c = wide_case();
  for (const DeviceInfo& d : {device(0, 0), device(0, free_for(needed(c, 8)))}) {
    const Result<LayerPlan> plan = layers_by_memory(c, d);
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(plan->run, 8);
    EXPECT_EQ(plan->total, 8);
    EXPECT_EQ(plan->reason, "");
  }
}

TEST(LayersByMemory, AsManyAsFitWithTheReason) {
  const Case c = wide_case();
  for (const int64_t k : {1, 3, 7}) {
    const Result<LayerPlan> plan = layers_by_memory(c, device(0, free_for(needed(c, k + 1)) - 1));
    ASSERT_TRUE(plan.ok()) << plan.error().message;
    EXPECT_EQ(plan->run, k);
    EXPECT_EQ(plan->total, 8);
    EXPECT_THAT(plan->reason, StartsWith("the whole model needs " + bytes_text(needed(c, 8)) + ", "));
    EXPECT_THAT(plan->reason, HasSubstr(" free"));
  }
}

TEST(LayersByMemory, RefusesWhatNotEvenOneLayerFits) {
  const Case c = wide_case();
  const Result<LayerPlan> plan = layers_by_memory(c, device(0, free_for(needed(c, 1)) - 1));
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().kind, ErrorKind::kOutOfMemory);
  EXPECT_THAT(plan.error().message, HasSubstr("needs " + bytes_text(needed(c, 8))));
  EXPECT_THAT(plan.error().message, HasSubstr("a single layer needs " + bytes_text(needed(c, 1))));
}

TEST(LayersByMemory, ACaseWithoutLayersIsWhole) {
  Case c;
  c.kind = StepKind::kRead;
  c.buffer_bytes = 1 << 20;
  EXPECT_EQ(layers_by_memory(c, device(0, 0))->total, 0);
  EXPECT_FALSE(layers_by_memory(c, device(0, kMiB)).ok());
}

// Costs by FLOPs alone: of this shape a layer costs the same each, the rest of the step is measured by none.
TEST(LayersByTime, NarrowsToTheLimitAndKeepsTwo) {
  const Case c = wide_case();
  const double one = graph_cost(*lower(c, LowerOptions{.layers = 1}), {4}).flops;
  const double two = graph_cost(*lower(c, LowerOptions{.layers = 2}), {4}).flops;
  const double layer = two - one;
  const MeasuredStep measured{c, 1, 1.0};  // one layer and the head take a second
  const auto seconds = [&](int64_t k) { return (one + layer * static_cast<double>(k - 1)) / one; };
  LayerPlan plan{8, 8, ""};
  ASSERT_TRUE(layers_by_time(c, measured, {}, seconds(8) + 1e-9, &plan).ok());
  EXPECT_EQ(plan.run, 8);
  EXPECT_EQ(plan.reason, "");
  ASSERT_TRUE(layers_by_time(c, measured, {}, seconds(5) + 1e-9, &plan).ok());
  EXPECT_EQ(plan.run, 5);
  EXPECT_THAT(plan.reason, StartsWith("a step of all planned layers would take about "));
  ASSERT_TRUE(layers_by_time(c, measured, {}, seconds(1) / 2, &plan).ok());
  EXPECT_EQ(plan.run, 2) << "a line needs two points";
  LayerPlan single{1, 8, "the whole model needs more"};
  ASSERT_TRUE(layers_by_time(c, measured, {}, 0, &single).ok());
  EXPECT_EQ(single.run, 1);
}

// The estimate scales a measured step by the cost of both: with rates, FLOPs and bytes add up in seconds.
TEST(EstimateStep, ScalesAMeasuredStep) {
  const Case c = wide_case();
  const GraphCost small = graph_cost(*lower(c, LowerOptions{.layers = 2}), {4});
  const GraphCost large = graph_cost(*lower(c, LowerOptions{.layers = 6}), {4});
  EXPECT_NEAR(*estimate_step_s(c, 6, {c, 2, 0.5}, {}), 0.5 * large.flops / small.flops, 1e-12);
  const Rates rates{1e9, 1e8};
  const double small_s = small.flops / 1e9 + (small.weight_bytes + small.kv_bytes) / 1e8;
  const double large_s = large.flops / 1e9 + (large.weight_bytes + large.kv_bytes) / 1e8;
  EXPECT_NEAR(*estimate_step_s(c, 6, {c, 2, 0.5}, rates), 0.5 * large_s / small_s, 1e-12);
  EXPECT_NEAR(*estimate_step_s(c, 6, rates), large_s, 1e-12);
  EXPECT_EQ(*estimate_step_s(c, 6, Rates{}), 0) << "unknown";
}

TEST(Projection, TheSecondPointHasHalfTheLayers) {
  EXPECT_EQ(fewer_layers(8), 4);
  EXPECT_EQ(fewer_layers(7), 3);
  EXPECT_EQ(fewer_layers(2), 1);
  EXPECT_EQ(fewer_layers(1), 0);
  EXPECT_EQ(fewer_layers(0), 0);
}

// 10 layers in 110 ns and 5 in 60: 10 ns a layer and 10 ns besides, so 32 layers take 330 ns.
TEST(Projection, IsTheLineThroughTwoPoints) {
  EXPECT_EQ(project_step_ns(110, 10, 60, 5, 32), 330);
  EXPECT_EQ(project_step_ns(110, 10, 60, 5, 11), 120);
}

TEST(Projection, IsNoneWithoutALineToTheWhole) {
  EXPECT_EQ(project_step_ns(60, 10, 60, 5, 32), std::nullopt) << "more layers took no longer";
  EXPECT_EQ(project_step_ns(50, 10, 60, 5, 32), std::nullopt);
  EXPECT_EQ(project_step_ns(110, 10, 60, 0, 32), std::nullopt);
  EXPECT_EQ(project_step_ns(110, 5, 60, 5, 32), std::nullopt);
  EXPECT_EQ(project_step_ns(110, 10, 60, 5, 10), std::nullopt) << "it ran whole";
}

class ExtrapolateRun : public testing::Test {
 protected:
  ExtrapolateRun() : pulse_(&page_) {
    adapter_.behaviour.computes = false;
    // 1 ms, and 1 ms per layer.
    adapter_.behaviour.time = [](const Graph& graph, const assay_run_args&, assay_run_result*) {
      int32_t layers = 0;
      for (const Op& op : graph.ops) layers = std::max(layers, op.layer + 1);
      wait_until_ns(now_ns() + 1'000'000 * (1 + static_cast<uint64_t>(layers)));
    };
  }
  Extrapolation run(int64_t layers, double run_ns) {
    return extrapolate({adapter_, 0, threads_, pulse_, 1}, tiny_case(StepKind::kDecode, 1, 1, 4, 8),
                       {layers, 8, "the whole model needs more"}, run_ns, 0.01);
  }
  FakeAdapter adapter_;
  SharedPage page_{};
  Pulse pulse_;
  HostThreads threads_{2};
};

TEST_F(ExtrapolateRun, MeasuresTheSecondPointItself) {
  const Extrapolation e = run(4, 5e6);  // 4 layers: 5 ms
  EXPECT_EQ(e.layers_run, 4);
  EXPECT_EQ(e.layers_total, 8);
  EXPECT_EQ(e.fewer_layers, 2);
  ASSERT_TRUE(e.step_ns_fewer_layers && e.projected_step_ns);
  EXPECT_GE(*e.step_ns_fewer_layers, 3e6);
  // t4 + (t4 - t2) / 2 x 4
  EXPECT_NEAR(*e.projected_step_ns, 5e6 + 2 * (5e6 - *e.step_ns_fewer_layers), 1);
  EXPECT_EQ(e.method, "line through the median steps of 2 and 4 layers, to 8 layers; basis projected");
  EXPECT_EQ(e.reason, "the whole model needs more");
}

TEST_F(ExtrapolateRun, OneLayerAloneIsNotProjected) {
  const Extrapolation e = run(1, 2e6);
  EXPECT_EQ(e.method, "none");
  EXPECT_FALSE(e.projected_step_ns);
  EXPECT_THAT(e.reason, HasSubstr("a line needs a second point"));
}

TEST_F(ExtrapolateRun, MoreLayersInNoMoreTimeAreNotProjected) {
  const Extrapolation e = run(4, 2e6);  // faster than the three ms of two layers
  EXPECT_EQ(e.method, "none");
  EXPECT_FALSE(e.projected_step_ns);
  EXPECT_THAT(e.reason, HasSubstr("more layers did not take longer"));
}

TEST_F(ExtrapolateRun, AFailureIsTheReason) {
  adapter_.behaviour.prepare = [](const Graph&) { return Status(Error{ErrorKind::kOutOfMemory, "no room"}); };
  const Extrapolation e = run(4, 5e6);
  EXPECT_EQ(e.method, "none");
  EXPECT_THAT(e.reason, HasSubstr("not projected: no room"));
}

}  // namespace
}  // namespace assay
