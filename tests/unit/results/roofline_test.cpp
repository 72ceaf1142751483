#include "results/metrics/roofline.h"

#include <gtest/gtest.h>

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
