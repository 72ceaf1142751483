#include "suites/profile.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

const Catalogue& profiled_catalogue() {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  return kCatalogue;
}

Case decode_case(int64_t context) {
  Case c;
  c.suite = "decode";
  c.kind = StepKind::kDecode;
  c.model = *profiled_catalogue().model("smollm2-135m");
  c.context = context;
  return c;
}

TEST(Profile, GroupsHoldEveryOpAndItsCost) {
  const Case c = decode_case(512);
  const Graph graph = lower(c, {}).value();
  const std::vector<int64_t> scalars = step_scalars(c, graph);
  double flops = 0, bytes = 0;
  int64_t ops = 0;
  for (const OpGroup& g : op_groups(graph, scalars, false)) {
    ops += g.count;
    flops += static_cast<double>(g.count) * g.each.flops;
    bytes += static_cast<double>(g.count) * g.bytes();
  }
  const GraphCost cost = graph_cost(graph, scalars);
  EXPECT_EQ(ops, static_cast<int64_t>(graph.ops.size()));
  EXPECT_DOUBLE_EQ(flops, cost.flops);
  EXPECT_DOUBLE_EQ(bytes, cost.weight_bytes + cost.kv_bytes + cost.activation_bytes);
  EXPECT_EQ(op_groups(graph, scalars, true).size(), graph.ops.size());
}

// Layers whose tokens choose other experts read other bytes for the same FLOPs.
TEST(Profile, GroupsHoldTheBytesOfEveryLayersExperts) {
  Case c = decode_case(512);
  c.model = *profiled_catalogue().model("qwen3-30b-a3b");
  c.batch = 16;
  c.routing.kind = Routing::Kind::kZipf;
  c.routing.parameter = 1.2;
  const Graph graph = lower(c, {.layers = 4}).value();
  const std::vector<int64_t> scalars = step_scalars(c, graph);
  std::vector<double> experts;
  for (const Op& op : graph.ops) {
    if (op.kind == ASSAY_OP_GROUPED_MATMUL) experts.push_back(op_cost(graph, op, scalars).weight_bytes);
  }
  double weights = 0;
  for (const OpGroup& g : op_groups(graph, scalars, false))
    weights += static_cast<double>(g.count) * g.each.weight_bytes;
  ASSERT_EQ(experts.size(), 8u);
  EXPECT_TRUE(experts[0] != experts[2] || experts[2] != experts[4] || experts[4] != experts[6]);
  EXPECT_DOUBLE_EQ(weights, graph_cost(graph, scalars).weight_bytes);
}

TEST(Profile, LayersOfOneKindAreOneGroup) {
  const Case c = decode_case(512);
  const Graph graph = lower(c, {}).value();
  for (const OpGroup& g : op_groups(graph, step_scalars(c, graph), false)) {
    if (g.name != "gate_up_proj") continue;
    EXPECT_EQ(g.count, 30);
    EXPECT_EQ(g.layer, "layer0-29");
    EXPECT_EQ(g.shape, "[1,576] [3072,576] f32 -> [1,3072] f32");
    EXPECT_EQ(g.each.flops, 2.0 * 576 * 3072);
    return;
  }
  ADD_FAILURE() << "no gate_up_proj";
}

TEST(Profile, DtypesStandBehindTheirTensors) {
  Case c = decode_case(512);
  c.dtype = "int8";
  const Graph graph = lower(c, {}).value();
  const std::vector<OpGroup> groups = op_groups(graph, step_scalars(c, graph), false);
  EXPECT_EQ(groups.front().shape, "[1] i32 [49152,576] i8 -> [1,576] bf16");
}

TEST(Profile, RooflineByHand) {
  OpGroup g;
  g.each.flops = 8e9;
  g.each.weight_bytes = 1e9;
  g.each.activation_bytes = 1e9;
  EXPECT_EQ(g.intensity(), 4);
  // At 1 TFLOP/s 8 ms, at 100 GB/s 20 ms: memory. At 1 TB/s 2 ms: compute.
  const Bound slow = roofline(g, {1e12, 1e11, ""}), fast = roofline(g, {1e12, 1e12, ""});
  EXPECT_FALSE(slow.compute);
  EXPECT_DOUBLE_EQ(slow.seconds, 0.020);
  EXPECT_TRUE(fast.compute);
  EXPECT_DOUBLE_EQ(fast.seconds, 0.008);
}

}  // namespace
}  // namespace assay
