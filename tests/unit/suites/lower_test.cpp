#include <gtest/gtest.h>

#include <set>

#include "suites/lower/llm_parts.h"
#include "suites/suite.h"

namespace assay {
namespace {

const Catalogue& catalogue() {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  return kCatalogue;
}

Case make_case(const std::string& model, const std::string& dtype, StepKind kind, int64_t batch, int64_t tokens,
               int64_t context) {
  Case c;
  c.suite = step_kind_name(kind);
  c.kind = kind;
  c.model = *catalogue().model(model);
  c.dtype = dtype;
  c.batch = batch;
  c.tokens = tokens;
  c.context = context;
  return c;
}

Graph lowered(const Case& c, LowerOptions options = {}) {
  Result<Graph> graph = lower(c, options);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return graph.ok() ? std::move(graph).value() : Graph{};
}

// Every input of an op exists before it: a host tensor, or the output of an earlier op.
void expect_well_formed(const Graph& g) {
  std::set<std::string> names;
  for (const Tensor& t : g.tensors) EXPECT_TRUE(names.insert(t.name).second) << t.name;
  std::vector<bool> written(g.tensors.size(), false);
  for (size_t i = 0; i < g.tensors.size(); ++i) {
    const uint32_t role = g.tensors[i].role;
    written[i] = role == ASSAY_ROLE_INPUT || role == ASSAY_ROLE_WEIGHT || role == ASSAY_ROLE_STATE;
    EXPECT_EQ(g.tensors[i].fill.kind != Fill::Kind::kNone, written[i]) << g.tensors[i].name;
  }
  for (const Op& op : g.ops) {
    for (const uint32_t t : op.in) {
      if (t == kNoTensor) continue;
      EXPECT_TRUE(written[t]) << op.name << " reads " << g.tensors[t].name;
    }
    for (const uint32_t t : op.out) {
      EXPECT_TRUE(!written[t] || g.tensors[t].role == ASSAY_ROLE_STATE) << op.name;
      written[t] = true;
    }
  }
}

TEST(Lower, EveryShippedCaseIsWellFormed) {
  for (const Suite& suite : catalogue().suites()) {
    for (const Case& c : suite.full_cases) expect_well_formed(lowered(c, {.layers = c.layers() > 2 ? 2 : 0}));
  }
}

// The graph's weights are the model: their elements count up to its parameters (catalogue_test: the published total).
TEST(Lower, WeightElementsAreTheModelsParameters) {
  for (const ModelShape& m : catalogue().models()) {
    const Graph g = lowered(make_case(m.name, "bf16", StepKind::kDecode, 1, 1, 16));
    double elements = 0;
    for (uint32_t t = 0; t < g.tensors.size(); ++t) {
      if (g.tensors[t].role == ASSAY_ROLE_WEIGHT) elements += static_cast<double>(g.elements(t));
    }
    // The balancing bias has no place of its own: the routing plan stands there.
    const int64_t biases = m.moe.balancing_bias ? (m.layers - m.moe.dense_layers) * m.moe.experts : 0;
    EXPECT_EQ(elements, m.params() - static_cast<double>(biases)) << m.name;
  }
}

TEST(Lower, CostsOfPrefillByHand) {
  // Qwen2.5-0.5B: per token and layer 2 (896 (896 + 2 x 128) + 896 x 896 + 3 x 896 x 4864) = 29,818,880 FLOPs;
  // 24 layers x 512 tokens = 366.41 GFLOP. Causal attention: 512 x 513 / 2 pairs x 14 heads x 4 x 64 x 24 layers
  // = 11.29 GFLOP. Head, last token only: 2 x 896 x 151936 = 0.272 GFLOP.
  const Graph g = lowered(make_case("qwen2.5-0.5b", "f32", StepKind::kPrefill, 1, 512, 0));
  const double layers = 24.0 * 512 * 29'818'880, attention = 512.0 * 513 / 2 * 14 * 4 * 64 * 24;
  EXPECT_EQ(graph_cost(g, {0}).flops, layers + attention + 2.0 * 896 * 151936);
}

TEST(Lower, BytesOfDecodeByHand) {
  // SmolLM2-135M in f32 at context 512: every weight once (the tied table by the head) and one embedding row of
  // 576; K and V of 513 tokens read, those of 1 token written: 2 x 30 layers x 3 heads x 64 x 4 bytes a token.
  const Graph g = lowered(make_case("smollm2-135m", "f32", StepKind::kDecode, 1, 1, 512));
  const GraphCost cost = graph_cost(g, {512});
  EXPECT_EQ(cost.weight_bytes, 4.0 * (134'515'008 + 576));
  EXPECT_EQ(cost.kv_bytes, (513 + 1) * 2.0 * 30 * 3 * 64 * 4);
}

TEST(Lower, Int8HasOneScalePerRowAndQuantisedRows) {
  const Graph weight_only = lowered(make_case("smollm2-135m", "int8", StepKind::kDecode, 1, 1, 16), {.layers = 1});
  const Graph both = lowered(make_case("smollm2-135m", "int8_w8a8", StepKind::kDecode, 1, 1, 16), {.layers = 1});
  const auto count = [](const Graph& g, uint32_t kind) {
    return std::count_if(g.ops.begin(), g.ops.end(), [&](const Op& op) { return op.kind == kind; });
  };
  EXPECT_EQ(count(weight_only, ASSAY_OP_QUANTIZE), 0);
  EXPECT_EQ(count(both, ASSAY_OP_QUANTIZE), count(both, ASSAY_OP_MATMUL));
  for (const Graph* g : {&weight_only, &both}) {
    for (const Op& op : g->ops) {
      if (op.kind != ASSAY_OP_MATMUL) continue;
      const Tensor& w = g->tensors[op.in[1]];
      ASSERT_EQ(w.dtype, static_cast<uint32_t>(ASSAY_I8));
      ASSERT_GE(w.scale, 0);
      EXPECT_EQ(g->tensors[static_cast<size_t>(w.scale)].dims, (std::vector<int64_t>{w.dims[0], 1}));
    }
  }
}

TEST(Lower, FewerLayersAndExposedOutputsKeepTensorOrder) {
  const Case c = make_case("qwen3-32b", "f32", StepKind::kPrefill, 2, 4, 8);
  const Graph plain = lowered(c, {.layers = 2});
  const Graph exposed = lowered(c, {.layers = 2, .expose_intermediates = true});
  ASSERT_EQ(plain.tensors.size(), exposed.tensors.size());
  for (size_t i = 0; i < plain.tensors.size(); ++i) {
    EXPECT_EQ(plain.tensors[i].name, exposed.tensors[i].name);
    EXPECT_NE(exposed.tensors[i].role, static_cast<uint32_t>(ASSAY_ROLE_SCRATCH));
  }
  EXPECT_FALSE(lower(c, {.layers = 65}).ok());
}

TEST(Lower, AbsurdSizesSaturateInsteadOfWrapping) {
  Case c = make_case("qwen2.5-72b", "f32", StepKind::kDecode, int64_t{1} << 20, 1, 32767);
  EXPECT_GT(graph_memory(lowered(c)).total(), uint64_t{1} << 50);
}

}  // namespace
}  // namespace assay
