// The full-depth check of the first rows against the whole graph, op by op.
#include <gtest/gtest.h>

#include <cmath>

#include "suites/suite.h"
#include "tests/unit/reference/filled.h"

namespace assay {
namespace {

Case tiny(const std::string& dtype, StepKind kind, int64_t batch, int64_t tokens, int64_t context) {
  Case c;
  c.suite = step_kind_name(kind);
  c.kind = kind;
  c.dtype = dtype;
  c.batch = batch;
  c.tokens = tokens;
  c.context = context;
  c.model.name = "tiny";
  c.model.layers = 2;
  c.model.hidden = 24;
  c.model.ffn = 40;
  c.model.heads = 4;
  c.model.kv_heads = 2;
  c.model.head_dim = 8;
  c.model.vocab = 50;
  c.model.max_context = 64;
  c.model.qkv_bias = true;
  c.model.qk_norm = true;
  return c;
}

void expect_prefix_equals_graph(const Case& c, int64_t rows) {
  const Result<Graph> g = lower(c, {});
  ASSERT_TRUE(g.ok()) << g.error().message;
  const std::vector<Values> values = filled(*g);
  uint32_t hidden = 0;
  for (uint32_t t = 0; t < values.size(); ++t) {
    if (g->tensors[t].name == "hidden") hidden = t;
  }
  const std::vector<int64_t> scalars = step_scalars(c, *g);
  const auto whole = reference_graph(*g, values, scalars);
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  const auto prefix = reference_hidden_prefix(*g, scalars, c.batch, rows, source_of(values), 2);
  ASSERT_TRUE(prefix.ok()) << prefix.error().message;
  ASSERT_EQ(prefix->size(), static_cast<size_t>(rows * c.model.hidden));
  double size = 0;
  for (size_t i = 0; i < prefix->size(); ++i) {
    EXPECT_NEAR((*prefix)[i], (*whole)[hidden][i], 1e-9) << i;
    size += std::abs((*prefix)[i]);
  }
  EXPECT_GT(size, 1);  // not all zeros
}

TEST(HiddenPrefix, PrefillTakesTheFirstTokens) {
  expect_prefix_equals_graph(tiny("f32", StepKind::kPrefill, 2, 6, 0), 3);
  expect_prefix_equals_graph(tiny("int8_w8a8", StepKind::kPrefill, 1, 6, 5), 2);
}

TEST(HiddenPrefix, DecodeTakesTheFirstSequences) {
  expect_prefix_equals_graph(tiny("int8", StepKind::kDecode, 3, 1, 9), 2);
  expect_prefix_equals_graph(tiny("f32", StepKind::kDecode, 1, 1, 9), 1);
}

// DeepSeek's layer in small: latent attention, a dense layer, then experts in two groups with a shared one.
Case tiny_deepseek(StepKind kind, int64_t batch, int64_t tokens, int64_t context) {
  Case c = tiny("f32", kind, batch, tokens, context);
  c.model.qkv_bias = c.model.qk_norm = false;
  c.model.kv_heads = c.model.head_dim = 0;
  c.model.mla = {10, 6, 4, 2, 3};
  c.model.moe.experts = 6;
  c.model.moe.top_k = 2;
  c.model.moe.shared_experts = 1;
  c.model.moe.ffn = 14;
  c.model.moe.dense_layers = 1;
  c.model.moe.router = "sigmoid";
  c.model.moe.groups = 2;
  c.model.moe.top_groups = 1;
  c.routing = *parse_routing("zipf:1.2");
  return c;
}

TEST(HiddenPrefix, ExpertsAndLatentAttention) {
  expect_prefix_equals_graph(tiny_deepseek(StepKind::kPrefill, 2, 5, 3), 3);  // expanded
  expect_prefix_equals_graph(tiny_deepseek(StepKind::kDecode, 3, 1, 9), 2);   // absorbed
}

// Eight heads: with few, several keys score nothing with any of them, and a choice among equals is refused.
TEST(HiddenPrefix, KeysChosenByIndex) {
  for (const StepKind kind : {StepKind::kDecode, StepKind::kPrefill}) {
    Case c = tiny_deepseek(kind, 2, kind == StepKind::kDecode ? 1 : 4, 11);
    c.model.indexer = {8, 4, 5, false};
    expect_prefix_equals_graph(c, 2);
  }
}

TEST(HiddenPrefix, SlidingWindowInEveryOtherLayer) {
  Case c = tiny("f32", StepKind::kPrefill, 2, 6, 4);
  c.model.window = 3;
  c.model.window_period = 2;
  expect_prefix_equals_graph(c, 4);
}

TEST(HiddenPrefix, RowsBeyondTheFirstSequenceAreRefused) {
  const Case c = tiny("f32", StepKind::kPrefill, 2, 6, 0);
  const Result<Graph> g = lower(c, {});
  const Source none = [](uint32_t, uint64_t, uint64_t, double*) {};
  EXPECT_FALSE(reference_hidden_prefix(*g, {0}, 2, 7, none, 1).ok());
  EXPECT_FALSE(reference_hidden_prefix(*g, {0}, 2, 0, none, 1).ok());
}

}  // namespace
}  // namespace assay
