#include "suites/graph.h"

#include <gtest/gtest.h>

#include <cmath>

#include "suites/base/rng.h"

namespace assay {
namespace {

// x [3,8] f32 times w [5,8] i8 with one scale per row.
Graph small_matmul() {
  Graph g;
  g.tensors = {{"x", ASSAY_F32, ASSAY_ROLE_INPUT, {3, 8}, -1, 0, {}},
               {"w", ASSAY_I8, ASSAY_ROLE_WEIGHT, {5, 8}, 2, 8, {}},
               {"s", ASSAY_F32, ASSAY_ROLE_WEIGHT, {5, 1}, -1, 0, {}},
               {"y", ASSAY_F32, ASSAY_ROLE_OUTPUT, {3, 5}, -1, 0, {}}};
  g.ops = {{ASSAY_OP_MATMUL, "mm", -1, {0, 1}, {3}, {}, ASSAY_NO_SCALAR}};
  return g;
}

TEST(GraphCost, MatmulByHand) {
  const Graph g = small_matmul();
  const OpCost cost = op_cost(g, g.ops[0], {});
  EXPECT_EQ(cost.flops, 2 * 3 * 5 * 8);             // 2 M N K
  EXPECT_EQ(cost.weight_bytes, 5 * 8 * 1 + 5 * 4);  // codes and one f32 scale per row
  EXPECT_EQ(cost.activation_bytes, 3 * 8 * 4 + 3 * 5 * 4);
}

Graph small_attention(int mask, int window) {
  Graph g;
  // B = 2, T = 3, 4 heads over 2 KV heads, dims 8 and 8, S = 10.
  g.tensors = {{"q", ASSAY_F32, ASSAY_ROLE_INPUT, {6, 32}, -1, 0, {}},
               {"k", ASSAY_BF16, ASSAY_ROLE_STATE, {2, 10, 2, 8}, -1, 0, {}},
               {"v", ASSAY_BF16, ASSAY_ROLE_STATE, {2, 10, 2, 8}, -1, 0, {}},
               {"y", ASSAY_F32, ASSAY_ROLE_OUTPUT, {6, 32}, -1, 0, {}}};
  const auto m = static_cast<double>(mask), w = static_cast<double>(window);
  g.ops = {{ASSAY_OP_ATTENTION, "att", 0, {0, 1, 2}, {3}, {2, 4, 2, 8, 8, 0.35, m, w, 0}, 0}};
  g.scalars = {"pos"};
  return g;
}

TEST(GraphCost, AttentionCountsTheKeysSeen) {
  // pos = 5: queries see 6, 7, 8 keys = 21 pairs; 2 sequences x 4 heads x 21 x 2 (8 + 8) FLOPs.
  const Graph causal = small_attention(ASSAY_MASK_CAUSAL, 0);
  EXPECT_EQ(op_cost(causal, causal.ops[0], {5}).flops, 2 * 4 * 21 * 2 * 16);
  // 8 different keys, each read once per KV head: 2 x 8 x 2 x (8 + 8) x 2 bytes.
  EXPECT_EQ(op_cost(causal, causal.ops[0], {5}).kv_bytes, 2 * 8 * 2 * 16 * 2);
  const Graph full = small_attention(ASSAY_MASK_FULL, 0);
  EXPECT_EQ(op_cost(full, full.ops[0], {5}).flops, 2 * 4 * 24 * 2 * 16);  // 3 queries x 8 keys
  const Graph window = small_attention(ASSAY_MASK_WINDOW, 2);
  EXPECT_EQ(op_cost(window, window.ops[0], {5}).flops, 2 * 4 * 6 * 2 * 16);  // 2 keys each
  EXPECT_EQ(op_cost(window, window.ops[0], {0}).flops, 2 * 4 * 5 * 2 * 16);  // 1, 2, 2
}

TEST(GraphMemory, ScratchLivesFromFirstWriteToLastRead) {
  Graph g;
  g.tensors = {{"x", ASSAY_F32, ASSAY_ROLE_INPUT, {4}, -1, 0, {}},
               {"a", ASSAY_F32, ASSAY_ROLE_SCRATCH, {4}, -1, 0, {}},
               {"b", ASSAY_F32, ASSAY_ROLE_SCRATCH, {4}, -1, 0, {}},
               {"c", ASSAY_F32, ASSAY_ROLE_SCRATCH, {4}, -1, 0, {}},
               {"y", ASSAY_F32, ASSAY_ROLE_OUTPUT, {4}, -1, 0, {}}};
  // a = x + x; b = a + a; c = b + b; y = c + c: never more than two of a, b, c at once.
  for (uint32_t i = 0; i < 4; ++i) g.ops.push_back({ASSAY_OP_ADD, "add", -1, {i, i}, {i + 1}, {}, ASSAY_NO_SCALAR});
  EXPECT_EQ(graph_memory(g).scratch_peak_bytes, 2u * 16);
  EXPECT_EQ(graph_memory(g).io_bytes, 2u * 16);
}

TEST(Graph, AbsurdSizesSaturate) {
  Graph g;
  g.tensors = {{"x", ASSAY_F32, ASSAY_ROLE_WEIGHT, {int64_t{1} << 40, int64_t{1} << 40}, -1, 0, {}}};
  EXPECT_EQ(graph_memory(g).weight_bytes, ~uint64_t{0});
}

TEST(Rng, AnySliceAgain) {
  Tensor t;
  t.fill.kind = Fill::Kind::kNormal;
  std::vector<float> whole(1000), part(100);
  fill_elements(t, 7, 3, 0, 1000, whole.data());
  fill_elements(t, 7, 3, 450, 100, part.data());
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(part[i], whole[450 + i]);
  EXPECT_FLOAT_EQ(normal_at(3, 7, 12), whole[12]);
  EXPECT_NE(normal_at(4, 7, 12), whole[12]);
  EXPECT_NE(normal_at(3, 8, 12), whole[12]);
}

TEST(Rng, MomentsOfTheSumOfFourUniforms) {
  constexpr int kN = 1 << 20;
  Tensor t;
  t.fill.kind = Fill::Kind::kNormal;
  std::vector<float> x(kN);
  fill_elements(t, 1, 1, 0, kN, x.data());
  double mean = 0, square = 0, fourth = 0;
  for (const double v : x) {
    mean += v / kN;
    square += v * v / kN;
    fourth += v * v * v * v / kN;
  }
  EXPECT_NEAR(mean, 0, 5 / std::sqrt(kN));          // five standard errors
  EXPECT_NEAR(square, 1, 5 * std::sqrt(1.7 / kN));  // var(x^2) = kurtosis + 2 = 1.7
  EXPECT_NEAR(fourth / square / square - 3, -6.0 / 5 / 4,
              0.02);  // excess kurtosis of a uniform is -6/5; of four, a quarter
}

TEST(Rng, HalfPrecisionRoundTripsAndRoundsToEven) {
  for (uint32_t code = 0; code < 65536; ++code) {
    const float value = from_f16(static_cast<uint16_t>(code));
    if (!std::isnan(value)) {
      EXPECT_EQ(to_f16(value), code);
    }
    const float wide = from_bf16(static_cast<uint16_t>(code));
    if (!std::isnan(wide)) {
      EXPECT_EQ(to_bf16(wide), code);
    }
  }
  EXPECT_EQ(to_f16(1.0f + 1.0f / 2048), 0x3c00);  // tie: down to even
  EXPECT_EQ(to_f16(1.0f + 3.0f / 2048), 0x3c02);  // tie: up to even
  EXPECT_EQ(to_f16(65520.0f), 0x7c00);            // halfway past 65504: infinity
  EXPECT_EQ(to_bf16(1.0f + 1.0f / 256), 0x3f80);  // tie: down to even
}

}  // namespace
}  // namespace assay
