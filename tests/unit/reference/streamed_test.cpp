// Graphs computed with streamed weights, whole and their first rows, against the same graphs op by op.
#include <gtest/gtest.h>

#include <cmath>

#include "suites/lower/builder.h"
#include "tests/unit/reference/filled.h"

namespace assay {
namespace {

const Fill kNormal{Fill::Kind::kNormal, 0, 1, 0};

// Rows of bf16 would make a choice of experts a matter of rounding.
DtypePlan with_f32_rows(const std::string& name) {
  DtypePlan plan = *dtype_plan(name);
  plan.activation = plan.kv = ASSAY_F32;
  return plan;
}

// Batch, tokens and tokens cached of a step whose rows are `kHidden` wide.
constexpr int64_t kHidden = 12;
struct Step {
  int64_t batch, tokens, pos;
  std::string dtype = "f32";
  GraphBuilder g{with_f32_rows(dtype), false};
  uint32_t slot = g.scalar("pos");

  [[nodiscard]] int64_t rows() const { return batch * tokens; }
  [[nodiscard]] int64_t slots() const { return pos + tokens; }
  uint32_t embedded() {
    const uint32_t ids = g.tensor("ids", ASSAY_I32, ASSAY_ROLE_INPUT, {rows()}, {Fill::Kind::kUniformInt, 0, 1, 50});
    const uint32_t table = g.weight("table", 50, kHidden, 1), x = g.activation("embedded", {rows(), kHidden});
    g.op(ASSAY_OP_EMBEDDING, "embedding", {ids, table}, {x});
    return x;
  }
  uint32_t projected(const std::string& name, uint32_t x, int64_t n) {
    const int64_t k = g.at(x).dims[1];
    return g.project(x, g.weight(name + ".weight", n, k, 1 / std::sqrt(static_cast<double>(k))), name);
  }
  uint32_t cache(const std::string& name, int64_t heads, int64_t size) {
    return g.tensor(name, ASSAY_F32, ASSAY_ROLE_STATE, {batch, slots(), heads, size}, kNormal);
  }
  uint32_t result(uint32_t x, const std::string& name) {  // a last op that mixes nothing
    const uint32_t gamma = g.tensor("gamma", ASSAY_F32, ASSAY_ROLE_WEIGHT, {kHidden}, kNormal);
    const uint32_t y = g.activation(name, g.at(x).dims);
    g.op(ASSAY_OP_RMS_NORM, "last_norm", {x, gamma}, {y}, {1e-6, static_cast<double>(kHidden), 0, 0});
    g.mark_output(y);
    return y;
  }
};

// A whole step, and its first `rows` rows.
void expect_same(Step* s, uint32_t target, int64_t rows) {
  const Graph graph = s->g.take();
  const std::vector<Values> values = filled(graph);
  const auto whole = reference_graph(graph, values, {s->pos});
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  const Values& expected = (*whole)[target];
  const auto streamed = reference_tensor(graph, {s->pos}, target, source_of(values), 3);
  ASSERT_TRUE(streamed.ok()) << streamed.error().message;
  ASSERT_EQ(streamed->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR((*streamed)[i], expected[i], 1e-9) << i;
  const auto prefix = reference_hidden_prefix(graph, {s->pos}, s->batch, rows, source_of(values), 2);
  ASSERT_TRUE(prefix.ok()) << prefix.error().message;
  ASSERT_EQ(prefix->size(), static_cast<size_t>(rows * kHidden));
  for (size_t i = 0; i < prefix->size(); ++i) EXPECT_NEAR((*prefix)[i], expected[i], 1e-9) << i;
}

std::string refusal(Step* s, int64_t rows) {
  const Graph graph = s->g.take();
  const std::vector<Values> values = filled(graph);
  const auto prefix = reference_hidden_prefix(graph, {s->pos}, s->batch, rows, source_of(values), 2);
  EXPECT_FALSE(prefix.ok());
  if (prefix.ok()) return "";
  EXPECT_EQ(prefix.error().kind, ErrorKind::kUnsupported);
  return prefix.error().message;
}

// Five experts, two per token; `spread` of the router's logits.
uint32_t experts(Step* s, uint32_t x, const std::string& p, double spread) {
  const uint32_t router =
      s->g.tensor(p + "router", ASSAY_F32, ASSAY_ROLE_WEIGHT, {5, kHidden}, {Fill::Kind::kNormal, 0, spread, 0});
  const uint32_t logits = s->g.project(x, router, p + "logits");
  const uint32_t index = s->g.tensor(p + "index", ASSAY_I32, ASSAY_ROLE_SCRATCH, {s->rows(), 2});
  const uint32_t weight = s->g.tensor(p + "weight", ASSAY_F32, ASSAY_ROLE_SCRATCH, {s->rows(), 2});
  s->g.op(ASSAY_OP_ROUTER_TOPK, p + "router_topk", {logits}, {index, weight}, {2, ASSAY_ROUTER_SIGMOID, 1, 1, 0, 0});
  const uint32_t sorted = s->g.activation(p + "sorted", {s->rows() * 2, kHidden});
  const uint32_t offsets = s->g.tensor(p + "offsets", ASSAY_I32, ASSAY_ROLE_SCRATCH, {6});
  const uint32_t place = s->g.tensor(p + "place", ASSAY_I32, ASSAY_ROLE_SCRATCH, {s->rows(), 2});
  s->g.op(ASSAY_OP_MOE_DISPATCH, p + "dispatch", {x, index}, {sorted, offsets, place}, {5});
  const uint32_t up = s->g.weight(p + "up", {5, 14, kHidden}, 0.3),
                 down = s->g.weight(p + "down", {5, kHidden, 7}, 0.3);
  const uint32_t a = s->g.activation(p + "a", {s->rows() * 2, 14}), b = s->g.activation(p + "b", {s->rows() * 2, 7});
  const uint32_t c = s->g.activation(p + "c", {s->rows() * 2, kHidden}),
                 y = s->g.activation(p + "y", {s->rows(), kHidden});
  s->g.op(ASSAY_OP_GROUPED_MATMUL, p + "up", {sorted, up, offsets}, {a});
  s->g.op(ASSAY_OP_GATED_ACT, p + "act", {a}, {b}, {ASSAY_ACT_SILU});
  s->g.op(ASSAY_OP_GROUPED_MATMUL, p + "down", {b, down, offsets}, {c});
  s->g.op(ASSAY_OP_MOE_COMBINE, p + "combine", {c, place, weight}, {y});
  const uint32_t sum = s->g.activation(p + "sum", {s->rows(), kHidden});
  s->g.op(ASSAY_OP_ADD, p + "add", {x, y}, {sum});
  return sum;
}

TEST(Streamed, ExpertsOfTheFirstTokens) {
  for (const char* dtype : {"f32", "int8"}) {
    Step s{2, 5, 0, dtype};
    const uint32_t x = experts(&s, experts(&s, s.embedded(), "l0.", 2), "l1.", 2);
    expect_same(&s, s.result(x, "hidden"), 3);
  }
  Step one{1, 1, 0};
  expect_same(&one, one.result(experts(&one, one.embedded(), "l0.", 2), "hidden"), 1);
}

TEST(Streamed, AChoiceOfExpertsByLessThanRoundingIsRefused) {
  Step s{1, 4, 0};
  s.result(experts(&s, s.embedded(), "l0.", 1e-7), "hidden");
  EXPECT_EQ(refusal(&s, 2), "op 'l0.router_topk' (router_topk) chooses experts by less than rounding for row 0");
}

// Absorbed latent attention: two heads, latent 6 + rotary 2; with an index of `chosen` keys where that is not 0, and
// its cache in pages of `page` tokens.
uint32_t absorbed(Step* s, uint32_t x, int64_t chosen, int64_t page = 0) {
  const auto batch = static_cast<double>(s->batch);
  const int64_t each = page > 0 ? (s->slots() + page - 1) / page : 0;
  Fill order{Fill::Kind::kPages, 0, 1, s->batch * each};
  order.page_seed = 4;
  const uint32_t pages =
      page > 0 ? s->g.tensor("pages", ASSAY_I32, ASSAY_ROLE_INPUT, {s->batch, each}, order) : kNoTensor;
  const uint32_t latent =
      page > 0 ? s->g.tensor("latent", ASSAY_F32, ASSAY_ROLE_STATE, {s->batch * each, page, 1, 8}, kNormal)
               : s->cache("latent", 1, 8);
  const uint32_t kv = s->projected("kv", x, 8);
  std::vector<uint32_t> append{kv, latent, latent};
  if (page > 0) append.push_back(pages);
  s->g.op(ASSAY_OP_KV_APPEND, "append", append, {latent, latent}, {batch, 1, 8, 0, 0, 0}, s->slot);
  const uint32_t q = s->projected("q", x, 2 * 5), into = s->g.weight("into", {2, 6, 3}, 0.5);
  const uint32_t wide = s->g.activation("wide", {s->rows(), 16}), mixed = s->g.activation("mixed", {s->rows(), 12});
  s->g.op(ASSAY_OP_HEAD_MATMUL, "into", {q, into}, {wide}, {2, 0, 5, 2});
  std::vector<uint32_t> in{wide, latent, latent};
  if (chosen > 0) {
    const uint32_t keys = s->cache("keys", 1, 4), k = s->projected("index_k", x, 4);
    s->g.op(ASSAY_OP_KV_APPEND, "append_key", {k, keys, keys}, {keys, keys}, {batch, 1, 4, 0, 0, 0}, s->slot);
    const uint32_t iq = s->projected("index_q", x, 3 * 4), weight = s->projected("index_w", x, 3);
    const uint32_t index = s->g.tensor("index", ASSAY_I32, ASSAY_ROLE_SCRATCH, {s->rows(), chosen});
    s->g.op(ASSAY_OP_INDEX_TOPK, "index_topk", {iq, keys, weight}, {index}, {batch, 3, 4, 0, 0.5}, s->slot);
    in.insert(in.end(), {kNoTensor, index});
  }
  if (page > 0) {
    in.resize(ASSAY_ATTENTION_IN_PAGES, kNoTensor);
    in.push_back(pages);
  }
  s->g.op(ASSAY_OP_ATTENTION, "attention", in, {mixed}, {batch, 2, 1, 8, 6, 0.4, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, 0},
          s->slot);
  const uint32_t back = s->g.weight("back", {2, 6, 6}, 0.5), y = s->g.activation("back_out", {s->rows(), kHidden});
  s->g.op(ASSAY_OP_HEAD_MATMUL, "back", {mixed, back}, {y}, {2, 0, 6, 0});
  return y;
}

TEST(Streamed, LatentAttentionOfTheFirstSequences) {
  Step s{3, 1, 9};
  expect_same(&s, s.result(absorbed(&s, s.embedded(), 0), "hidden"), 2);
  Step sparse{3, 1, 9};
  expect_same(&sparse, sparse.result(absorbed(&sparse, sparse.embedded(), 4), "hidden"), 2);
  Step prefill{2, 4, 3};
  expect_same(&prefill, prefill.result(absorbed(&prefill, prefill.embedded(), 4), "hidden"), 3);
}

TEST(Streamed, PagedAttentionOfTheFirstSequences) {
  Step s{3, 1, 9};
  expect_same(&s, s.result(absorbed(&s, s.embedded(), 0, 4), "hidden"), 2);
  Step listed{2, 4, 3};
  expect_same(&listed, listed.result(absorbed(&listed, listed.embedded(), 4, 3), "hidden"), 3);
}

// Keys and values expanded from the latent cache; the rotary key is shared by the heads.
TEST(Streamed, ExpandedLatentAttentionOfTheFirstTokens) {
  for (const int64_t tokens : {1, 5}) {
    Step s{2, tokens, 4};
    const uint32_t x = s.embedded(), kv = s.projected("kv", x, 8);
    const uint32_t latent = s.cache("latent", 1, 6), rope = s.cache("rope", 1, 2);
    s.g.op(ASSAY_OP_KV_APPEND, "append", {kv, latent, rope}, {latent, rope}, {2, 1, 6, 2, 0, 6}, s.slot);
    const uint32_t w = s.g.weight("kv_b", {2 * 9, 6}, 0.4), wide = s.g.activation("wide", {2, s.slots(), 2, 9});
    s.g.op(ASSAY_OP_KV_EXPAND, "expand", {latent, w}, {wide}, {static_cast<double>(tokens), 2, 0}, s.slot);
    const uint32_t q = s.projected("q", x, 2 * 5), y = s.g.activation("y", {s.rows(), kHidden});
    s.g.op(ASSAY_OP_ATTENTION, "attention", {q, wide, wide, rope}, {y},
           {2, 2, 2, 5, 6, 0.4, ASSAY_MASK_CAUSAL, 0, 0, 2, 0, 3}, s.slot);
    expect_same(&s, s.result(y, "hidden"), 2);
  }
}

uint32_t plain_attention(Step* s, uint32_t x, int mask, double window) {
  const auto batch = static_cast<double>(s->batch);
  const uint32_t k = s->cache("k", 2, 6), v = s->cache("v", 2, 6), qkv = s->projected("qkv", x, 3 * kHidden);
  s->g.op(ASSAY_OP_KV_APPEND, "append", {qkv, k, v}, {k, v}, {batch, 2, 6, 6, 12, 24}, s->slot);
  const uint32_t y = s->g.activation("mixed", {s->rows(), kHidden});
  s->g.op(ASSAY_OP_ATTENTION, "attention", {qkv, k, v}, {y},
          {batch, 2, 2, 6, 6, 0.4, static_cast<double>(mask), window, 0}, s->slot);
  return y;
}

TEST(Streamed, WindowsShorterAndLongerThanTheContext) {
  for (const double window : {2.0, 100.0}) {
    Step s{2, 5, 3};
    expect_same(&s, s.result(plain_attention(&s, s.embedded(), ASSAY_MASK_WINDOW, window), "hidden"), 4);
  }
}

TEST(Streamed, AttentionToLaterTokensIsRefusedForTheFirstRows) {
  Step s{1, 5, 0};
  s.result(plain_attention(&s, s.embedded(), ASSAY_MASK_FULL, 0), "hidden");
  EXPECT_EQ(refusal(&s, 2), "op 'attention' (attention) sees later tokens, so that the first rows can't be told alone");
  Step all{1, 5, 0};
  expect_same(&all, all.result(plain_attention(&all, all.embedded(), ASSAY_MASK_FULL, 0), "hidden"), 5);
}

// Patches, modulation, attention to all tokens, back to a video, then a convolution and a group norm: whole only.
TEST(Streamed, VideoWhole) {
  Step s{1, 2 * 2 * 3, 0};
  const uint32_t video = s.g.tensor("video", ASSAY_F32, ASSAY_ROLE_INPUT, {1, 3, 2, 4, 6}, kNormal);
  const uint32_t patches = s.g.activation("patches", {12, 12}),
                 mod = s.g.tensor("mod", ASSAY_F32, ASSAY_ROLE_INPUT, {1, 36}, kNormal);
  s.g.op(ASSAY_OP_PATCHIFY3D, "patchify", {video}, {patches}, {1, 2, 2, 0});
  const uint32_t normed = s.g.activation("normed", {12, 12}), gated = s.g.activation("gated", {12, 12});
  s.g.op(ASSAY_OP_LAYER_NORM_MODULATE, "norm", {patches, mod}, {normed}, {1, 1e-6, 0, 12});
  const uint32_t mixed = plain_attention(&s, normed, ASSAY_MASK_FULL, 0);
  s.g.op(ASSAY_OP_ADD, "add", {patches, mixed, mod}, {gated}, {1, 24});
  const uint32_t back = s.g.activation("back", {1, 3, 2, 4, 6});
  s.g.op(ASSAY_OP_PATCHIFY3D, "unpatchify", {gated}, {back}, {1, 2, 2, 1});
  const uint32_t frames = s.g.tensor("frames", ASSAY_F32, ASSAY_ROLE_INPUT, {2, 3, 5, 4}, kNormal);
  const uint32_t w = s.g.weight("conv", {8, 27 * 4}, 0.1),
                 bias = s.g.tensor("bias", ASSAY_F32, ASSAY_ROLE_WEIGHT, {8}, kNormal);
  const uint32_t larger = s.g.activation("larger", {3, 6, 10, 8}), out = s.g.activation("pixels", {3, 6, 10, 8});
  s.g.op(ASSAY_OP_CONV3D, "conv", {frames, w, bias}, {larger}, {3, 3, 3, 2, 2, 2});
  const uint32_t gamma = s.g.tensor("g", ASSAY_F32, ASSAY_ROLE_WEIGHT, {8}, kNormal),
                 beta = s.g.tensor("b", ASSAY_F32, ASSAY_ROLE_WEIGHT, {8}, kNormal);
  s.g.op(ASSAY_OP_GROUP_NORM, "group_norm", {larger, gamma, beta}, {out}, {1e-6, 4});
  for (const uint32_t t : {back, out}) s.g.mark_output(t);
  const Graph graph = s.g.take();
  const std::vector<Values> values = filled(graph);
  const auto whole = reference_graph(graph, values, {0});
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  for (const uint32_t t : {back, out}) {
    const auto streamed = reference_tensor(graph, {0}, t, source_of(values), 3);
    ASSERT_TRUE(streamed.ok()) << streamed.error().message;
    ASSERT_EQ(streamed->size(), (*whole)[t].size());
    for (size_t i = 0; i < streamed->size(); ++i) EXPECT_NEAR((*streamed)[i], (*whole)[t][i], 1e-9) << i;
  }
}

}  // namespace
}  // namespace assay
