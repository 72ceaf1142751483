// Shapes that do not fit run fewer layers, then fewer experts, and the projection follows the cost.
#include <gtest/gtest.h>

#include "harness/run/layers.h"
#include "harness/run/routing_report.h"

namespace assay {
namespace {

const Catalogue& catalogue() {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  return kCatalogue;
}

Case decode(const std::string& model, const std::string& dtype) {
  Case c;
  c.suite = "t";
  c.kind = StepKind::kDecode;
  c.model = *catalogue().model(model);
  c.dtype = dtype;
  c.batch = 4;
  c.context = 64;
  return c;
}

DeviceInfo device(double gib) {
  DeviceInfo d;
  d.memory_bytes = d.memory_free_bytes = static_cast<uint64_t>(gib * 1073741824);
  return d;
}

TEST(Experts, HalvedUntilTwoLayersFit) {
  // DeepSeek-V3 in int8: one layer's experts are 256 x 3 x 7168 x 2048 = 11.3 GB, two of the whole do not fit 20 GiB
  // beside 1.9 GB of tables; of 128 experts two layers (11.3 GB) do.
  const Result<LayerPlan> plan = layers_by_memory(decode("deepseek-v3", "int8"), device(20));
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_EQ(plan->experts_total, 256);
  EXPECT_EQ(plan->experts_run, 128);
  EXPECT_GE(plan->run, 2);
  EXPECT_FALSE(plan->whole());
  EXPECT_NE(plan->reason.find("each layer has 128 of its 256 experts"), std::string::npos) << plan->reason;
}

TEST(Experts, KeptWhereTwoLayersFit) {
  const Result<LayerPlan> plan = layers_by_memory(decode("qwen3-30b-a3b", "int8"), device(20));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->experts_run, 128);
  EXPECT_GT(plan->run, 2);
  EXPECT_LT(plan->run, 48);
}

TEST(Experts, NothingFitsIsRefusedWithTheBytes) {
  const Result<LayerPlan> plan = layers_by_memory(decode("deepseek-v3", "int8"), device(1));
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().kind, ErrorKind::kOutOfMemory);
  EXPECT_NE(plan.error().message.find("a single layer needs"), std::string::npos);
}

TEST(Experts, TheSuitesMostLayersIsAReason) {
  const Result<LayerPlan> plan = layers_by_memory(decode("qwen3-30b-a3b", "int8"), device(64), 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->run, 2);
  EXPECT_EQ(plan->reason, "the suite runs at most 2 layers");
}

TEST(Experts, LayersAloneTellOnlyWhereAllAreAlike) {
  EXPECT_TRUE(layers_tell_all(decode("qwen3-30b-a3b", "int8"), {2, 48, "", 128, 128}));
  EXPECT_FALSE(layers_tell_all(decode("qwen3-30b-a3b", "int8"), {2, 48, "", 64, 128}));
  EXPECT_FALSE(layers_tell_all(decode("deepseek-v3", "int8"), {2, 61, "", 256, 256}));
  EXPECT_FALSE(layers_tell_all(decode("gpt-oss-120b", "bf16"), {2, 36, "", 128, 128}));
  EXPECT_TRUE(layers_tell_all(decode("llama-3.1-8b", "bf16"), {2, 32, "", 0, 0}));
}

// By FLOPs, which no routing changes. DeepSeek-V2-Lite, one of its 27 layers dense. A layer has, in parameters of a
// token: attention 2048 x 16 x 192 + 2048 x 576 + 512 x 16 x 256 + 16 x 128 x 2048 = 13,762,560; experts
// (6 + 2) x 3 x 2048 x 1408 + 2048 x 64 = 69,337,088; the dense MLP 3 x 2048 x 10944 = 67,239,936. Attention itself
// costs as much in every layer: 2 x 16 x (2 x 512 + 64) x 65 per row is 2,263,040 FLOPs, 1,131,520 in parameters.
// From 2 to 27 layers are 24 more with experts and the dense one: 24 + (13.76 + 67.24 + 1.13) / (13.76 + 69.34 + 1.13).
TEST(Experts, SpanOfMixedLayersByHand) {
  const double attention = 13'762'560 + 1'131'520, experts = 69'337'088, dense = 67'239'936;
  const Result<double> span = projection_span(decode("deepseek-v2-lite", "bf16"), {2, 27, "", 64, 64}, 1, Rates{});
  ASSERT_TRUE(span.ok()) << span.error().message;
  EXPECT_NEAR(*span, 24 + (attention + dense) / (attention + experts), 1e-9);
  EXPECT_DOUBLE_EQ(*project_span_ns(30, 20, 4), 70);
  EXPECT_FALSE(project_span_ns(20, 20, 4).has_value());
}

TEST(Experts, TheReportCountsRows) {
  Case c = decode("qwen3-30b-a3b", "int8");
  c.routing = *parse_routing("k-hot");
  const Result<Graph> graph = lower(c, {.layers = 2});
  ASSERT_TRUE(graph.ok());
  const std::optional<RoutingReport> report = routing_report(*graph, c);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->distribution, "k-hot");
  ASSERT_EQ(report->expert_rows.size(), 256u);
  uint64_t pairs = 0, active = 0;
  for (const uint64_t rows : report->expert_rows) {
    pairs += rows;
    active += rows > 0 ? 1 : 0;
  }
  EXPECT_EQ(pairs, 2u * 4 * 8);
  EXPECT_EQ(active, 2u * 8);
  EXPECT_EQ(*report->expected_active, 8);
  // Int8: 3 x 2048 x 768 codes, and a scale of 4 bytes for each of 1536 + 2048 rows.
  EXPECT_EQ(report->expert_bytes, 3.0 * 2048 * 768 + 4 * (1536 + 2048));
  EXPECT_FALSE(routing_report(*lower(decode("llama-3.1-8b", "bf16"), {.layers = 1}), c).has_value());
}

}  // namespace
}  // namespace assay
