#include "results/metrics/roofline.h"

#include <gtest/gtest.h>

#include "results/metrics/metrics.h"
#include "suites/suite.h"

namespace assay {
namespace {

// H100: 989 TFLOPS and 3.35 TB/s meet at 295 FLOP a byte, H20: 148 and 4.0 at 37 (facts C5).
TEST(Roofline, RidgesArePublishedOnes) {
  const Roofline h100{989e12, 3.35e12, "datasheet"}, h20{148e12, 4.0e12, "datasheet"};
  EXPECT_NEAR(h100.ridge(), 295, 0.5);
  EXPECT_NEAR(h20.ridge(), 37, 0.5);
  EXPECT_DOUBLE_EQ(h100.attainable(100), 335e12);
  EXPECT_DOUBLE_EQ(h100.attainable(1000), 989e12);
  // MLA decode at 242 FLOP a byte: bound by memory on the one, by compute on the other.
  EXPECT_TRUE(roofline_point(h100, "mla", 242e9, 1e9, std::nullopt).memory_bound);
  EXPECT_FALSE(roofline_point(h20, "mla", 242e9, 1e9, std::nullopt).memory_bound);
}

// 2 GFLOP and 1 GB on 100 GFLOP/s and 10 GB/s: 20 ms of compute, 100 ms of memory; in 200 ms at half the roof.
TEST(Roofline, PointByHand) {
  const RooflinePoint p = roofline_point({1e11, 1e10, "t"}, "op", 2e9, 1e9, 0.2);
  EXPECT_DOUBLE_EQ(*p.intensity, 2);
  EXPECT_DOUBLE_EQ(p.least_s, 0.1);
  EXPECT_DOUBLE_EQ(*p.roof_share, 0.5);
  EXPECT_TRUE(p.memory_bound);
  EXPECT_FALSE(roofline_point({1e11, 1e10, "t"}, "op", 2e9, 0, 0.2).intensity);
}

TEST(Roofline, StepOfARecord) {
  Record r;
  r.status = "ok";
  r.step_flops = 2e9;
  r.step_weight_bytes = 6e8;
  r.step_kv_bytes = 4e8;
  r.samples.host_ns = {100'000'000, 300'000'000};
  EXPECT_FALSE(step_roofline(r)) << "no ceiling";
  r.ceiling.flops_per_s = 1e11;
  r.ceiling.read_bytes_per_s = 1e10;
  EXPECT_DOUBLE_EQ(*step_roofline(r)->roof_share, 0.5);
  r.status = "failed";
  EXPECT_FALSE(step_roofline(r));
}

// Memory gives 50 GB/s beside the first launch, 25 beside the second; steps of 0.4 GB take 10 ms (80 % of it) and 20 ms
// (80 %). All 8 GB in 0.3 s are 26.67 GB/s of 0.1 x 50 + 0.2 x 25 GB in the same 0.3 s, 33.33 GB/s: 80 %. Against the
// second's ceiling alone it would be 107 %.
TEST(Roofline, EachLaunchIsHeldAgainstTheCeilingBesideIt) {
  Record r;
  r.status = "ok";
  r.step_kind = "decode";
  r.tokens_per_step = 1;
  r.step_flops = 1e9;
  r.step_weight_bytes = 4e8;
  RunLaunches launches;
  launches.planned = 2;
  for (const uint64_t ns : {10'000'000, 20'000'000}) {
    for (int i = 0; i < 10; ++i) {
      r.samples.start_ns.push_back(r.samples.start_ns.size() * 20'000'000);
      r.samples.host_ns.push_back(ns);
    }
    launches.each.push_back({10, 0, static_cast<double>(ns), 0.0, 9});
  }
  r.run_launches = launches;
  r.ceiling.flops_per_s = 1e12;
  r.ceiling.read_bytes_per_s = 25e9;
  EXPECT_NEAR(*metrics(r).mbu_attainable, 16 / 15.0, 1e-9) << "one ceiling for both";
  EXPECT_FALSE(attainable(r).of_each_launch);
  r.ceiling.of_launches = {{1e12, 50e9, "2026-11-26T18:00:00Z"}, {1e12, 25e9, "2026-11-26T18:01:00Z"}};
  r.ceiling.gemm_size = 2048;
  r.ceiling.read_bytes = 1 << 28;
  r.ceiling.read_dtype = "f32";
  r.ceiling.measured = "2026-11-26T18:00:00Z";
  EXPECT_NEAR(*metrics(r).mbu_attainable, 0.8, 1e-9);
  EXPECT_NEAR(*metrics(r).mfu_attainable, 20e9 / 0.3 / 1e12, 1e-9);
  EXPECT_TRUE(attainable(r).of_each_launch);
  r.ceiling.of_launches[1].read_bytes_per_s.reset();
  EXPECT_EQ(*attainable(r).bytes_per_s, 25e9) << "not each has one";
  EXPECT_FALSE(attainable(r).of_each_launch);
  r.ceiling.read_bytes_per_s.reset();
  r.ceiling.of_launches[0].read_bytes_per_s.reset();
  EXPECT_TRUE(attainable(r).of_each_launch) << "no read anywhere: the GEMMs are all there is";
}

// The ops' FLOPs are the step's, and a decode of batch 1 is bound by memory in each of its products.
TEST(Roofline, OpsOfADecodeStep) {
  const Catalogue catalogue = *Catalogue::load(ASSAY_SOURCE_DIR "/suites");
  Case c;
  c.suite = "decode";
  c.kind = StepKind::kDecode;
  c.model = *catalogue.model("smollm2-135m");
  c.context = 128;
  const Graph graph = *lower(c, {});
  const std::vector<int64_t> scalars(graph.scalars.size(), c.context);
  const std::vector<RooflinePoint> points = op_rooflines(graph, scalars, {1e11, 1e10, "t"});
  ASSERT_EQ(points.size(), graph.ops.size());
  double flops = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    flops += points[i].flops;
    EXPECT_TRUE(graph.ops[i].kind != ASSAY_OP_MATMUL || points[i].memory_bound) << points[i].name;
  }
  EXPECT_NEAR(flops / graph_cost(graph, scalars).flops, 1, 1e-12);
}

}  // namespace
}  // namespace assay
