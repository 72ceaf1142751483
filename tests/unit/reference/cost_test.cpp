// FLOPs and bytes of the ops of ABI 1.1 against hand calculation.
#include <gtest/gtest.h>

#include <cmath>

#include "suites/base/routing.h"
#include "suites/graph.h"

namespace assay {
namespace {

struct CostOf {
  Graph graph;

  uint32_t add(uint32_t dtype, uint32_t role, std::vector<int64_t> dims) {
    graph.tensors.push_back({"t" + std::to_string(graph.tensors.size()), dtype, role, std::move(dims), -1, 0, {}});
    return static_cast<uint32_t>(graph.tensors.size() - 1);
  }
  uint32_t input(std::vector<int64_t> dims) { return add(ASSAY_BF16, ASSAY_ROLE_INPUT, std::move(dims)); }
  uint32_t weight(std::vector<int64_t> dims) { return add(ASSAY_BF16, ASSAY_ROLE_WEIGHT, std::move(dims)); }
  uint32_t state(std::vector<int64_t> dims) { return add(ASSAY_BF16, ASSAY_ROLE_STATE, std::move(dims)); }
  OpCost of(uint32_t kind, std::vector<uint32_t> in, std::vector<uint32_t> out, std::vector<double> attr,
            int64_t pos = 0, std::shared_ptr<const RoutingPlan> routing = nullptr, int64_t routed_tokens = 0) {
    graph.scalars = {"pos"};
    graph.ops = {{kind, "op", 0, std::move(in), std::move(out), std::move(attr), 0, std::move(routing), routed_tokens}};
    return op_cost(graph, graph.ops[0], {pos});
  }
};

TEST(Cost, SubByteTensorsTakeHalfAByteAnElement) {
  CostOf c;
  const uint32_t w = c.add(ASSAY_I4, ASSAY_ROLE_WEIGHT, {5, 64}), s = c.add(ASSAY_F32, ASSAY_ROLE_WEIGHT, {5, 2});
  c.graph.tensors[w].scale = static_cast<int32_t>(s);
  c.graph.tensors[w].scale_block = 32;
  EXPECT_EQ(c.graph.bytes(w), 5u * 32);
  EXPECT_EQ(packed_bytes(ASSAY_F4E2M1, 7), 4u);
  const uint32_t x = c.input({3, 64}), y = c.input({3, 5});
  EXPECT_EQ(c.of(ASSAY_OP_MATMUL, {x, w}, {y}, {}).weight_bytes, 5 * 32 + 5 * 2 * 4);
  // Three rows of a table of five: three fifths of codes and scales.
  const uint32_t ids = c.add(ASSAY_I32, ASSAY_ROLE_INPUT, {3}), rows = c.input({3, 64});
  EXPECT_DOUBLE_EQ(c.of(ASSAY_OP_EMBEDDING, {ids, w}, {rows}, {}).weight_bytes, 3 * (32 + 2 * 4));
}

// 16 rows, 8 experts of [6,10]: 2 x 16 x 6 x 10 FLOPs; 5 of the 8 experts' weights are read.
TEST(Cost, GroupedMatmulReadsTheExpertsThatGetARow) {
  CostOf c;
  const uint32_t x = c.input({16, 10}), w = c.weight({8, 6, 10}), o = c.add(ASSAY_I32, ASSAY_ROLE_INPUT, {9});
  const uint32_t y = c.input({16, 6});
  const OpCost cost = c.of(ASSAY_OP_GROUPED_MATMUL, {x, w, o}, {y}, {}, 0,
                           routing_plan(*parse_routing("k-hot:5"), {8, 2, 1, 1}, 0), 100);
  EXPECT_EQ(cost.flops, 2 * 16 * 6 * 10);
  EXPECT_DOUBLE_EQ(cost.weight_bytes, 5 * 6 * 10 * 2);
  EXPECT_EQ(cost.activation_bytes, 2 * (16 * 10 + 16 * 6) + 9 * 4);
  EXPECT_DOUBLE_EQ(c.of(ASSAY_OP_GROUPED_MATMUL, {x, w, o}, {y}, {}).weight_bytes, 8 * 6 * 10 * 2);
  const uint32_t few = c.input({3, 10}), z = c.input({3, 6});
  EXPECT_DOUBLE_EQ(c.of(ASSAY_OP_GROUPED_MATMUL, {few, w, o}, {z}, {}).weight_bytes, 3 * 6 * 10 * 2);
}

// DeepSeek-V3, one layer, absorbed decode at context 1023 + 1: 2 x 128 heads x 1024 keys x (2 x 512 + 64) FLOPs, which
// for 61 layers is 17.4 GFLOP per 1024 tokens (17.0 per 1000, facts C5); 576 elements a key, read once for all heads.
TEST(Cost, AbsorbedLatentAttention) {
  CostOf c;
  const uint32_t q = c.input({1, 128 * 576}), latent = c.state({1, 1024, 1, 576}), y = c.input({1, 128 * 512});
  const OpCost cost = c.of(ASSAY_OP_ATTENTION, {q, latent, latent}, {y},
                           {1, 128, 1, 576, 512, 0.1, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, 0}, 1023);
  EXPECT_EQ(cost.flops, 2.0 * 128 * 1024 * 1088);
  EXPECT_NEAR(61 * cost.flops / 1024 * 1000, 17.0e9, 0.02e9);
  EXPECT_EQ(cost.kv_bytes, 1024.0 * 576 * 2);
  // The same with latent and rotary key in two tensors.
  const uint32_t own = c.state({1, 1024, 1, 512}), rope = c.state({1, 1024, 1, 64});
  const OpCost split = c.of(ASSAY_OP_ATTENTION, {q, own, own, rope}, {y},
                            {1, 128, 1, 576, 512, 0.1, ASSAY_MASK_CAUSAL, 0, 0, 64, 0, 0}, 1023);
  EXPECT_EQ(split.flops, cost.flops);
  EXPECT_EQ(split.kv_bytes, cost.kv_bytes);
  // Intensity: 2 H (2r + p) / ((r + p) b) = 2 x 128 x 1088 / (576 x 2) = 241.8 FLOP/byte (facts C5: about 242).
  EXPECT_NEAR(cost.flops / cost.kv_bytes, 241.8, 0.05);
}

// DeepSeek-V3 prefill of 64 tokens, not absorbed: H (nope + rope + v) T^2 = 128 x 320 x 64^2, and the diagonal's half.
// Keys and values come from an expansion, not from the cache.
TEST(Cost, ExpandedLatentAttention) {
  CostOf c;
  const uint32_t q = c.input({64, 128 * 192}), kv = c.add(ASSAY_BF16, ASSAY_ROLE_SCRATCH, {1, 64, 128, 256});
  const uint32_t rope = c.state({1, 64, 1, 64}), y = c.input({64, 128 * 128});
  const OpCost cost = c.of(ASSAY_OP_ATTENTION, {q, kv, kv, rope}, {y},
                           {1, 128, 128, 192, 128, 0.1, ASSAY_MASK_CAUSAL, 0, 0, 64, 0, 128});
  EXPECT_EQ(cost.flops, 128.0 * 320 * (64 * 64 + 64));
  EXPECT_EQ(cost.kv_bytes, 0);
  EXPECT_EQ(cost.activation_bytes, 64 * (128 * 256 + 64) * 2.0 + 64 * 128 * 192 * 2.0 + 64 * 128 * 128 * 2.0);

  // Expansion at pos 100: 164 latents of 512 columns, times a weight of [128 x 256, 512].
  const uint32_t latent = c.state({1, 200, 1, 576}), w = c.weight({128 * 256, 512});
  const uint32_t wide = c.add(ASSAY_BF16, ASSAY_ROLE_SCRATCH, {1, 200, 128, 256});
  const OpCost expand = c.of(ASSAY_OP_KV_EXPAND, {latent, w}, {wide}, {64, 128, 0}, 100);
  EXPECT_EQ(expand.flops, 2.0 * 164 * 128 * 256 * 512);
  EXPECT_EQ(expand.weight_bytes, 128.0 * 256 * 512 * 2);
  EXPECT_EQ(expand.kv_bytes, 164.0 * 512 * 2);
  EXPECT_EQ(expand.activation_bytes, 164.0 * 128 * 256 * 2);
}

// The query's part of absorption: 128 heads x [512,128]; of 192 columns a head 128 are multiplied and 64 passed on.
TEST(Cost, HeadMatmul) {
  CostOf c;
  const uint32_t x = c.input({3, 128 * 192}), w = c.weight({128, 512, 128}), y = c.input({3, 128 * 576});
  const OpCost cost = c.of(ASSAY_OP_HEAD_MATMUL, {x, w}, {y}, {128, 0, 192, 64});
  EXPECT_EQ(cost.flops, 2.0 * 3 * 128 * 512 * 128);
  EXPECT_EQ(cost.weight_bytes, 128.0 * 512 * 128 * 2);
  EXPECT_EQ(cost.activation_bytes, 3.0 * 128 * (192 + 576) * 2);
  // From columns 128.. of a wider row nothing else is read.
  const uint32_t wide = c.input({3, 128 * 320});
  EXPECT_EQ(c.of(ASSAY_OP_HEAD_MATMUL, {wide, w}, {y}, {128, 128, 192, 64}).activation_bytes, cost.activation_bytes);
}

// The sparse attention of DeepSeek-V3.2 at context 4096, decode: the index reads every key of 128, 64 heads;
// attention then takes 2048 keys.
TEST(Cost, SparseAttentionReadsTheIndexWholeAndTheChosenKeys) {
  CostOf c;
  const uint32_t q = c.input({1, 64 * 128}), keys = c.state({1, 4096, 1, 128}), w = c.input({1, 64});
  const uint32_t index = c.add(ASSAY_I32, ASSAY_ROLE_OUTPUT, {1, 2048});
  const OpCost choose = c.of(ASSAY_OP_INDEX_TOPK, {q, keys, w}, {index}, {1, 64, 128, 0, 1}, 4095);
  EXPECT_EQ(choose.flops, 2.0 * 64 * 128 * 4096);
  EXPECT_EQ(choose.kv_bytes, 4096.0 * 128 * 2);
  EXPECT_EQ(choose.activation_bytes, (64 * 128 + 64) * 2.0 + 2048 * 4);

  const uint32_t wide = c.input({1, 128 * 576}), latent = c.state({1, 4096, 1, 576}), y = c.input({1, 128 * 512});
  const std::vector<double> attr{1, 128, 1, 576, 512, 0.1, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, 0};
  const OpCost sparse = c.of(ASSAY_OP_ATTENTION, {wide, latent, latent, kNoTensor, index}, {y}, attr, 4095);
  EXPECT_EQ(sparse.flops, 2.0 * 128 * 2048 * 1088);
  EXPECT_DOUBLE_EQ(sparse.kv_bytes, 2048.0 * 576 * 2);
  // Below 2048 keys the list changes nothing.
  const OpCost dense = c.of(ASSAY_OP_ATTENTION, {wide, latent, latent}, {y}, attr, 1000);
  EXPECT_EQ(c.of(ASSAY_OP_ATTENTION, {wide, latent, latent, kNoTensor, index}, {y}, attr, 1000).flops, dense.flops);
}

// Two queries with lists of 2 over 4 and 5 keys: 4 pairs; 5 (1 - (1 - 2/5)^2) = 3.2 different keys are expected.
TEST(Cost, ListsOfSeveralQueriesOverlap) {
  CostOf c;
  const uint32_t q = c.input({2, 8}), k = c.state({1, 5, 1, 8}), v = c.state({1, 5, 1, 8}), y = c.input({2, 8});
  const uint32_t index = c.add(ASSAY_I32, ASSAY_ROLE_INPUT, {2, 2});
  const OpCost cost = c.of(ASSAY_OP_ATTENTION, {q, k, v, kNoTensor, index}, {y},
                           {1, 1, 1, 8, 8, 1, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, 0}, 3);
  EXPECT_EQ(cost.flops, 2 * 4 * 16);
  EXPECT_NEAR(cost.kv_bytes, 3.2 * 16 * 2, 1e-9);
}

// 10 queries against 7 text keys, 2 heads of 4: 70 pairs a head; 7 keys are read.
TEST(Cost, CrossAttention) {
  CostOf c;
  const uint32_t q = c.input({10, 8}), k = c.state({1, 7, 2, 4}), v = c.state({1, 7, 2, 4}), y = c.input({10, 8});
  const OpCost cost = c.of(ASSAY_OP_ATTENTION, {q, k, v}, {y}, {1, 2, 2, 4, 4, 1, ASSAY_MASK_CROSS, 0, 0}, 99);
  EXPECT_EQ(cost.flops, 2 * 2 * 70 * 8);
  EXPECT_EQ(cost.kv_bytes, 7 * 2 * 8 * 2);
}

// One Wan2.1-1.3B block without cross attention, N = 24 tokens (facts C5): 8 N h^2 + 2 x 2 N h f + 4 N^2 h.
TEST(Cost, DiffusionTransformerBlock) {
  constexpr double kN = 24, kH = 1536, kF = 8960;
  CostOf c;
  const uint32_t x = c.input({24, 1536}), qkv = c.input({24, 3 * 1536}), wide = c.input({24, 8960});
  const uint32_t mod = c.input({1, 6 * 1536}), k = c.state({1, 24, 12, 128}), v = c.state({1, 24, 12, 128});
  double flops = 0;
  const auto matmul = [&](uint32_t a, int64_t n, int64_t m, uint32_t y) {
    const uint32_t w = c.weight({n, m});
    flops += c.of(ASSAY_OP_MATMUL, {a, w}, {y}, {}).flops;
  };
  matmul(x, 3 * 1536, 1536, qkv);
  flops += c.of(ASSAY_OP_ATTENTION, {qkv, k, v}, {x}, {1, 12, 12, 128, 128, 1, ASSAY_MASK_FULL, 0, 0}).flops;
  matmul(x, 1536, 1536, x);
  matmul(x, 8960, 1536, wide);
  matmul(wide, 1536, 8960, x);
  EXPECT_EQ(flops, 8 * kN * kH * kH + 4 * kN * kH * kF + 4 * kN * kN * kH);

  // Of the six vectors of h the norm reads two, the gated add one.
  const double row_bytes = 24 * 1536 * 2;
  const OpCost norm = c.of(ASSAY_OP_LAYER_NORM_MODULATE, {x, mod}, {x}, {1, 1e-6, 0, 1536});
  EXPECT_EQ(norm.flops, 0);
  EXPECT_DOUBLE_EQ(norm.activation_bytes, 2 * row_bytes + 2 * 1536 * 2);
  const OpCost add = c.of(ASSAY_OP_ADD, {x, x, mod}, {x}, {1, 1536});
  EXPECT_DOUBLE_EQ(add.activation_bytes, 3 * row_bytes + 1536 * 2);
}

// 3 x 3 x 3 over 16 channels to 32, enlarged twice in space: 5 x 8 x 12 places x 32 x 432 multiply-adds.
TEST(Cost, Convolution) {
  CostOf c;
  const uint32_t x = c.input({5, 4, 6, 16}), w = c.weight({32, 27 * 16}), bias = c.weight({32});
  const uint32_t y = c.input({5, 8, 12, 32});
  const OpCost cost = c.of(ASSAY_OP_CONV3D, {x, w, bias}, {y}, {3, 3, 3, 0, 2, 2});
  EXPECT_EQ(cost.flops, 2.0 * 5 * 8 * 12 * 32 * 432);
  EXPECT_EQ(cost.weight_bytes, 2.0 * (32 * 432 + 32));
  EXPECT_EQ(cost.activation_bytes, 2.0 * (5 * 4 * 6 * 16 + 5 * 8 * 12 * 32));
}

// 6 tokens of 10, 2 of 8 experts each: rows are copied, weighed and added up; none of it counts as model FLOPs.
TEST(Cost, RoutingMovesBytesOnly) {
  CostOf c;
  const uint32_t x = c.input({6, 10}), logits = c.input({6, 8}), y = c.input({12, 10});
  const uint32_t index = c.add(ASSAY_I32, ASSAY_ROLE_OUTPUT, {6, 2}),
                 place = c.add(ASSAY_I32, ASSAY_ROLE_OUTPUT, {6, 2});
  const uint32_t weight = c.add(ASSAY_F32, ASSAY_ROLE_OUTPUT, {6, 2}),
                 offsets = c.add(ASSAY_I32, ASSAY_ROLE_OUTPUT, {9});
  const OpCost route = c.of(ASSAY_OP_ROUTER_TOPK, {logits}, {index, weight}, {2, 0, 1, 1, 0, 0});
  const OpCost dispatch = c.of(ASSAY_OP_MOE_DISPATCH, {x, index}, {y, offsets, place}, {8});
  const OpCost combine = c.of(ASSAY_OP_MOE_COMBINE, {y, place, weight}, {x}, {});
  EXPECT_EQ(route.flops + dispatch.flops + combine.flops, 0);
  EXPECT_EQ(route.activation_bytes, 6 * 8 * 2 + 12 * 4 + 12 * 4);
  EXPECT_EQ(dispatch.activation_bytes, 60 * 2 + 12 * 4 + 120 * 2 + 9 * 4 + 12 * 4);
  EXPECT_EQ(combine.activation_bytes, 120 * 2 + 12 * 4 + 12 * 4 + 60 * 2);
}

}  // namespace
}  // namespace assay
