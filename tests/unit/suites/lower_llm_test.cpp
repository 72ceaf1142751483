// Latent attention, sliding windows, attention by index, and mixtures of experts: structure, and costs against closed
// forms worked out by hand from the shapes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "suites/lower/llm.h"
#include "suites/lower/llm_parts.h"
#include "suites/suite.h"

namespace assay {
namespace {

const Catalogue& catalogue() {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  return kCatalogue;
}

Case decode(const std::string& model, int64_t batch, int64_t context, const std::string& dtype = "bf16") {
  Case c;
  c.suite = "t";
  c.kind = StepKind::kDecode;
  c.model = *catalogue().model(model);
  c.dtype = dtype;
  c.batch = batch;
  c.context = context;
  return c;
}

Case prefill(const std::string& model, int64_t tokens, int64_t context, const std::string& dtype = "bf16") {
  Case c = decode(model, 1, context, dtype);
  c.kind = StepKind::kPrefill;
  c.tokens = tokens;
  return c;
}

Graph lowered(const Case& c, const LowerOptions& options = {}) {
  Result<Graph> graph = lower(c, options);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return graph.ok() ? std::move(graph).value() : Graph{};
}

double flops(const Case& c, const LowerOptions& options = {}) {
  const Graph g = lowered(c, options);
  return graph_cost(g, step_scalars(c, g)).flops;
}

double flops_of(const Graph& g, uint32_t kind, int64_t pos) {
  double sum = 0;
  for (const Op& op : g.ops) {
    if (op.kind == kind) sum += op_cost(g, op, {pos}).flops;
  }
  return sum;
}

int64_t count(const Graph& g, uint32_t kind) {
  return std::count_if(g.ops.begin(), g.ops.end(), [&](const Op& op) { return op.kind == kind; });
}

const Op& first_of(const Graph& g, uint32_t kind) {
  return *std::find_if(g.ops.begin(), g.ops.end(), [&](const Op& op) { return op.kind == kind; });
}

std::vector<std::string> op_names(const Graph& g, int32_t layer) {
  std::vector<std::string> names;
  const std::string prefix = "layer" + std::to_string(layer) + ".";
  for (const Op& op : g.ops) {
    if (op.layer == layer) names.push_back(op.name.rfind(prefix, 0) == 0 ? op.name.substr(prefix.size()) : op.name);
  }
  return names;
}

// Published closed form: 17.0 GFLOP per 1000 tokens of context for DeepSeek-V3, 2 L H (2 kv_rank + rope) S.
TEST(LowerMla, AbsorbedDecodeCosts17GflopPerThousandTokensOfContext) {
  const double slope = flops(decode("deepseek-v3", 1, 5000)) - flops(decode("deepseek-v3", 1, 4000));
  EXPECT_EQ(slope, 2.0 * 61 * 128 * (2 * 512 + 64) * 1000);
  EXPECT_NEAR(slope / 1e9, 17.0, 0.05);
}

// Without attention a decode step costs 2 FLOPs per active parameter; norms and the balancing bias are parameters
// without a product: under 1e-5 of them.
TEST(LowerMoe, DecodeCostsTwiceTheActiveParameters) {
  for (const ModelShape& m : catalogue().models()) {
    const Case c = decode(m.name, 1, 100);
    const Graph g = lowered(c);
    const double linear = graph_cost(g, {100}).flops - flops_of(g, ASSAY_OP_ATTENTION, 100);
    // Below the indexer's top-k its queries and weights do no work; the parameters count all the same.
    const double idle =
        m.has_indexer() ? static_cast<double>(m.layers * m.indexer.heads * (m.mla.q_rank * m.indexer.dim + m.hidden))
                        : 0;
    const double wanted = 2 * (m.active_params() - idle);
    EXPECT_NEAR(linear, wanted, 1e-3 * wanted) << m.name;
    EXPECT_LE(linear, wanted) << m.name;
  }
}

// The cache is read as it lies: 576 elements a token and layer, once for keys and values.
TEST(LowerMla, AbsorbedDecodeReadsTheLatentOnce) {
  const Graph g = lowered(decode("deepseek-v3", 2, 1000));
  double read = 0;
  for (const Op& op : g.ops) {
    if (op.kind == ASSAY_OP_ATTENTION) read += op_cost(g, op, {1000}).kv_bytes;
  }
  EXPECT_EQ(read, 2.0 * 1001 * 70272);
}

TEST(LowerMla, PrefillExpandsTheLatent) {
  // Causal, T = 512: L H (nope + rope + v) T (T + 1); published as L H (nope + rope + v) T^2.
  const Graph g = lowered(prefill("kimi-k2", 512, 0));
  EXPECT_EQ(flops_of(g, ASSAY_OP_ATTENTION, 0), 61.0 * 64 * (128 + 64 + 128) * 512 * 513);
  EXPECT_EQ(count(g, ASSAY_OP_KV_EXPAND), 61);
  EXPECT_EQ(count(g, ASSAY_OP_HEAD_MATMUL), 0);
  // Keys and values of every cached token are made again: 2 (pos + T) kv_rank H (nope + v) a layer.
  const Graph chunk = lowered(prefill("kimi-k2", 512, 1024));
  EXPECT_EQ(flops_of(chunk, ASSAY_OP_KV_EXPAND, 1024), 61.0 * 2 * 1536 * 512 * 64 * 256);
  // 512 queries over 1024 cached keys each, and over their own half square.
  EXPECT_EQ(flops_of(chunk, ASSAY_OP_ATTENTION, 1024),
            61.0 * 64 * 2 * (128 + 64 + 128) * (512.0 * 1024 + 512.0 * 513 / 2));
}

TEST(LowerMla, OpsOfAnAbsorbedLayer) {
  const Graph g = lowered(decode("deepseek-v2-lite", 3, 17), {.layers = 1});
  EXPECT_EQ(op_names(g, 1), (std::vector<std::string>{"attention_norm",
                                                      "q_b_proj",
                                                      "q_rope",
                                                      "kv_a_proj",
                                                      "kv_a_norm",
                                                      "k_rope",
                                                      "kv_append",
                                                      "k_up",
                                                      "attention",
                                                      "v_up",
                                                      "o_proj",
                                                      "attention_add",
                                                      "mlp_norm",
                                                      "router_proj",
                                                      "router_topk",
                                                      "dispatch",
                                                      "expert_gate_up_proj",
                                                      "expert_gated_act",
                                                      "expert_down_proj",
                                                      "combine",
                                                      "shared_gate_up_proj",
                                                      "shared_gated_act",
                                                      "shared_down_proj",
                                                      "shared_add",
                                                      "hidden"}));
  const Op& attention = first_of(g, ASSAY_OP_ATTENTION);
  EXPECT_EQ(attention.in[1], attention.in[2]);  // one cache for keys and values
  EXPECT_EQ(g.tensors[attention.in[0]].dims, (std::vector<int64_t>{3, 16 * 576}));
  EXPECT_EQ(g.tensors[attention.in[1]].dims, (std::vector<int64_t>{3, 18, 1, 576}));
  EXPECT_EQ(g.tensors[attention.out[0]].dims, (std::vector<int64_t>{3, 16 * 512}));
  EXPECT_DOUBLE_EQ(attention.attr[ASSAY_ATTENTION_SCALE], 1 / std::sqrt(192.0));
}

TEST(LowerMla, OpsOfAnExpandedLayerShareTheRotaryKey) {
  const Graph g = lowered(prefill("deepseek-v2-lite", 7, 13), {.layers = 1});
  const Op& attention = first_of(g, ASSAY_OP_ATTENTION);
  ASSERT_EQ(attention.in.size(), 4u);
  EXPECT_EQ(g.tensors[attention.in[1]].dims, (std::vector<int64_t>{1, 20, 16, 256}));
  EXPECT_EQ(g.tensors[attention.in[3]].dims, (std::vector<int64_t>{1, 20, 1, 64}));
  EXPECT_EQ(attention.attr[ASSAY_ATTENTION_DIM_ROPE], 64);
  EXPECT_EQ(attention.attr[ASSAY_ATTENTION_KV_COL_V], 128);
}

// The index pass begins once there is more to choose from than the indexer keeps: 2048 tokens, this one among them.
TEST(LowerDsa, ChoosesOnlyBeyondTopK) {
  for (const char* model : {"deepseek-v3.2", "glm-5"}) {
    EXPECT_EQ(count(lowered(decode(model, 1, 2047), {.layers = 2}), ASSAY_OP_INDEX_TOPK), 0) << model;
    const Graph sparse = lowered(decode(model, 1, 2048), {.layers = 2});
    ASSERT_EQ(count(sparse, ASSAY_OP_INDEX_TOPK), 2) << model;
    const Op& attention = first_of(sparse, ASSAY_OP_ATTENTION);
    ASSERT_EQ(attention.in.size(), 5u);
    EXPECT_EQ(attention.in[3], kNoTensor);
    EXPECT_EQ(sparse.tensors[attention.in[4]].dims, (std::vector<int64_t>{1, 2048}));
    // The keys are cached at any length: a later step needs them.
    EXPECT_EQ(count(lowered(decode(model, 1, 16), {.layers = 2}), ASSAY_OP_KV_APPEND), 4) << model;
  }
  // A chunk of a long prompt is sparse and absorbed, a short prompt is expanded.
  EXPECT_EQ(count(lowered(prefill("glm-5", 512, 4096), {.layers = 1}), ASSAY_OP_KV_EXPAND), 0);
  EXPECT_EQ(count(lowered(prefill("glm-5", 512, 0), {.layers = 1}), ASSAY_OP_KV_EXPAND), 1);
}

TEST(LowerDsa, OnlyTheIndexPassGrowsWithContext) {
  // 2 L heads dim per token of context: DeepSeek-V3.2 2 x 61 x 64 x 128 = 1.0 MFLOP, against 17.0 without an index.
  const double slope = flops(decode("deepseek-v3.2", 1, 9000)) - flops(decode("deepseek-v3.2", 1, 8000));
  EXPECT_EQ(slope, 2.0 * 61 * 64 * 128 * 1000);
  const Graph g = lowered(decode("deepseek-v3.2", 1, 8000));
  EXPECT_EQ(flops_of(g, ASSAY_OP_ATTENTION, 8000), 2.0 * 61 * 128 * (2 * 512 + 64) * 2048);
}

TEST(LowerWindow, EvenLayersSeeTheWindowOddOnesAll) {
  const Graph g = lowered(decode("gpt-oss-120b", 1, 1000));
  std::vector<double> masks;
  for (const Op& op : g.ops) {
    if (op.kind == ASSAY_OP_ATTENTION) masks.push_back(op.attr[ASSAY_ATTENTION_MASK]);
  }
  ASSERT_EQ(masks.size(), 36u);
  for (size_t i = 0; i < masks.size(); ++i)
    EXPECT_EQ(masks[i], i % 2 == 0 ? ASSAY_MASK_WINDOW : ASSAY_MASK_CAUSAL) << i;
  // 18 layers with 128 keys, 18 with 1001: 4 H d each.
  const GraphCost cost = graph_cost(g, step_scalars(decode("gpt-oss-120b", 1, 1000), g));
  double flops = 0;
  for (const Op& op : g.ops) {
    if (op.kind == ASSAY_OP_ATTENTION) flops += op_cost(g, op, {1000, 127}).flops;
  }
  EXPECT_EQ(flops, 4.0 * 64 * 64 * 18 * (128 + 1001));
  // Read by attention 18 x (128 + 1001) keys and values of 8 heads of 64 in bf16, written 36 of one token.
  EXPECT_EQ(cost.kv_bytes, 2.0 * 8 * 64 * 2 * (18 * (128 + 1001) + 36));
  // And no more than that is kept.
  EXPECT_EQ(graph_memory(g).state_bytes, 2u * 8 * 64 * 2 * 18 * (128 + 1001));
}

// 18 of 36 layers grow behind the window: 18 x 2 x 8 x 64 elements of two bytes; the state of a step grows by as much.
TEST(LowerWindow, BehindTheWindowHalfOfTheCacheGrows) {
  const ModelShape m = decode("gpt-oss-120b", 1, 1000).model;
  EXPECT_EQ(m.kv_bytes_per_token(2), 36.0 * 2 * 8 * 64 * 2);
  EXPECT_EQ(kv_bytes_behind_window(m, 2), 18.0 * 2 * 8 * 64 * 2);
  const auto state = [](int64_t context) {
    return static_cast<double>(graph_memory(lowered(decode("gpt-oss-120b", 1, context))).state_bytes);
  };
  EXPECT_EQ(state(1001) - state(1000), kv_bytes_behind_window(m, 2));
  EXPECT_EQ(state(101) - state(100), m.kv_bytes_per_token(2));
}

TEST(LowerWindow, ShortContextsAndPrefillKeepWhatTheyHave) {
  Case c = decode("gpt-oss-120b", 1, 100);
  EXPECT_EQ(step_scalars(c, lowered(c)), (std::vector<int64_t>{100, 100}));
  EXPECT_EQ(graph_memory(lowered(c)).state_bytes, 2u * 8 * 64 * 2 * 36 * 101);
  c.kind = StepKind::kPrefill;
  c.tokens = 512;
  c.context = 4096;
  EXPECT_EQ(step_scalars(c, lowered(c)), (std::vector<int64_t>{4096, 127}));
  EXPECT_EQ(graph_memory(lowered(c)).state_bytes, 2u * 8 * 64 * 2 * 18 * (127 + 512 + 4096 + 512));
}

TEST(LowerMoe, ShapesOfTheGroupedPart) {
  const Graph g = lowered(decode("qwen3-30b-a3b", 5, 9), {.layers = 1});
  const Op& grouped = first_of(g, ASSAY_OP_GROUPED_MATMUL);
  EXPECT_EQ(g.tensors[grouped.in[0]].dims, (std::vector<int64_t>{40, 2048}));
  EXPECT_EQ(g.tensors[grouped.in[1]].dims, (std::vector<int64_t>{128, 1536, 2048}));
  EXPECT_EQ(g.tensors[grouped.in[2]].dims, (std::vector<int64_t>{129}));
  const Op& router = first_of(g, ASSAY_OP_ROUTER_TOPK);
  EXPECT_EQ(g.tensors[router.in[1]].dims, (std::vector<int64_t>{5, 128}));
  EXPECT_EQ(g.tensors[router.in[1]].fill.kind, Fill::Kind::kRouting);
  EXPECT_EQ(router.attr[ASSAY_ROUTER_TOPK_K], 8);
  // 2 FLOPs x 40 pairs x 3 matrices of 2048 x 768.
  EXPECT_EQ(flops_of(g, ASSAY_OP_GROUPED_MATMUL, 9), 2.0 * 40 * 3 * 2048 * 768);
}

// Of the experts' weights a step must move those of experts that have a row.
TEST(LowerMoe, TouchesTheWeightsOfActiveExperts) {
  Case c = decode("qwen3-30b-a3b", 64, 9);
  const double expert = 3.0 * 2048 * 768 * 2;  // bytes in bf16
  for (const auto& [routing, active] : {std::pair{"k-hot", 8.0}, {"k-hot:16", 16.0}}) {
    c.routing = *parse_routing(routing);
    const Graph g = lowered(c, {.layers = 1});
    double touched = 0;
    for (const Op& op : g.ops) {
      if (op.kind == ASSAY_OP_GROUPED_MATMUL) touched += op_cost(g, op, {9}).weight_bytes;
    }
    EXPECT_EQ(touched, active * expert) << routing;
  }
  c.routing = Routing{};
  const Graph g = lowered(c, {.layers = 1});
  const Op& grouped = first_of(g, ASSAY_OP_GROUPED_MATMUL);
  EXPECT_EQ(op_cost(g, grouped, {9}).weight_bytes,
            static_cast<double>(grouped.routing->active(64)) * 2 * 2048 * 768 * 2);
  EXPECT_NEAR(static_cast<double>(grouped.routing->active(64)), 126, 2);  // facts: uniform 128/8 at 64 rows
}

TEST(LowerMoe, Int8ExpertsHaveOneScalePerRowOfEach) {
  const Graph g = lowered(decode("qwen3-30b-a3b", 2, 9, "int8"), {.layers = 1});
  const Op& grouped = first_of(g, ASSAY_OP_GROUPED_MATMUL);
  const Tensor& w = g.tensors[grouped.in[1]];
  EXPECT_EQ(w.dtype, static_cast<uint32_t>(ASSAY_I8));
  ASSERT_GE(w.scale, 0);
  EXPECT_EQ(w.scale_block, 2048);
  EXPECT_EQ(g.tensors[static_cast<size_t>(w.scale)].dims, (std::vector<int64_t>{128, 1536, 1}));
  const Op& router = first_of(g, ASSAY_OP_ROUTER_TOPK);
  const auto logits = std::find_if(g.ops.begin(), g.ops.end(), [&](const Op& op) { return op.out[0] == router.in[0]; });
  EXPECT_EQ(g.tensors[logits->in[1]].dtype, static_cast<uint32_t>(ASSAY_BF16));  // a router is not quantised
}

TEST(LowerMoe, FewerLayersAreThoseWithExperts) {
  const auto layers_of = [](const LowerOptions& options) {
    std::vector<int32_t> layers;
    for (const Op& op : lowered(decode("deepseek-v3", 1, 9), options).ops) {
      if (op.layer >= 0 && (layers.empty() || layers.back() != op.layer)) layers.push_back(op.layer);
    }
    return layers;
  };
  EXPECT_EQ(layers_of({.layers = 2}), (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(layers_of({.layers = 58}).front(), 3);
  EXPECT_EQ(layers_of({.layers = 59}).front(), 2);  // one dense layer is wanted too
  EXPECT_EQ(layers_of({}).front(), 0);
}

TEST(LowerMoe, FewerExpertsKeepTheRowsChoice) {
  const Case c = decode("deepseek-v3", 4, 9);
  const Graph g = lowered(c, {.layers = 1, .experts = 32});
  EXPECT_EQ(g.tensors[first_of(g, ASSAY_OP_GROUPED_MATMUL).in[1]].dims[0], 32);
  EXPECT_EQ(g.tensors[first_of(g, ASSAY_OP_ROUTER_TOPK).out[0]].dims, (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(min_experts(c), 16);  // 8 groups of which 4 serve a row of 8
  Case hot = c;
  hot.routing = *parse_routing("k-hot:40");
  EXPECT_EQ(min_experts(hot), 40);
  EXPECT_FALSE(lower(c, {.layers = 1, .experts = 8}).ok());
  EXPECT_FALSE(lower(c, {.layers = 1, .experts = 36}).ok());
  EXPECT_FALSE(lower(c, {.layers = 1, .experts = 512}).ok());
}

TEST(LowerMoe, CasesWithoutExpertsIgnoreTheRouting) {
  Case c = decode("qwen3-32b", 1, 9);
  const std::string hash = c.hash();
  c.routing = *parse_routing("zipf:1.2");
  EXPECT_EQ(c.hash(), hash);
  Case moe = decode("qwen3-30b-a3b", 1, 9);
  EXPECT_EQ(moe.id(), "t/decode/qwen3-30b-a3b/bf16/b1/c9/uniform");
  const std::string uniform = moe.hash();
  moe.routing = *parse_routing("zipf:1.2");
  moe.routing.seed = 5;
  EXPECT_EQ(moe.id(), "t/decode/qwen3-30b-a3b/bf16/b1/c9/zipf-1.2-seed5");
  EXPECT_NE(moe.hash(), uniform);
  const Result<Case> back = case_from_json(moe.to_json(), "job");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->hash(), moe.hash());
}

}  // namespace
}  // namespace assay
