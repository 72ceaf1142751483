// Every op against values worked out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "suites/base/rng.h"
#include "tests/unit/reference/one_op.h"

namespace assay {
namespace {

TEST(ReferenceOp, MatmulWithBias) {
  OneOp t;
  const uint32_t x = t.add({1, 2}, {1, 2}), w = t.add({2, 2}, {3, 4, 5, 6}), b = t.add({2}, {0.5, -1});
  const uint32_t y = t.result({1, 2});
  expect_near(t.run(ASSAY_OP_MATMUL, {x, w, b}, {y})[0], {1 * 3 + 2 * 4 + 0.5, 1 * 5 + 2 * 6 - 1});
}

// One head, two keys: scores 0.5 x (2, 0) = (1, 0); softmax (e, 1) / (e + 1).
TEST(ReferenceOp, AttentionOverTwoKeys) {
  OneOp t;
  const uint32_t q = t.add({1, 2}, {2, 0}), k = t.add({1, 2, 1, 2}, {1, 0, 0, 1}, ASSAY_ROLE_STATE);
  const uint32_t v = t.add({1, 2, 1, 2}, {10, 20, 30, 40}, ASSAY_ROLE_STATE);
  const uint32_t y = t.result({1, 2});
  const double e = std::exp(1.0), p = e / (e + 1);
  expect_near(t.run(ASSAY_OP_ATTENTION, {q, k, v}, {y}, {1, 1, 1, 2, 2, 0.5, ASSAY_MASK_CAUSAL, 0, 0}, 1)[0],
              {10 * p + 30 * (1 - p), 20 * p + 40 * (1 - p)});
}

// Two query heads over one KV head; token 0 sees key 0 only, so its result is v[0]. Equal keys: token 1 takes the mean.
TEST(ReferenceOp, AttentionIsCausalAndGrouped) {
  OneOp t;
  const uint32_t q = t.add({2, 2}, {1, 1, 1, 1}), k = t.add({1, 2, 1, 1}, {1, 1}, ASSAY_ROLE_STATE);
  const uint32_t v = t.add({1, 2, 1, 1}, {4, 8}, ASSAY_ROLE_STATE);
  const uint32_t y = t.result({2, 2});
  expect_near(t.run(ASSAY_OP_ATTENTION, {q, k, v}, {y}, {1, 2, 1, 1, 1, 1, ASSAY_MASK_CAUSAL, 0, 0})[0], {4, 4, 6, 6});
  expect_near(t.run(ASSAY_OP_ATTENTION, {q, k, v}, {y}, {1, 2, 1, 1, 1, 1, ASSAY_MASK_FULL, 0, 0})[0], {6, 6, 6, 6});
  expect_near(t.run(ASSAY_OP_ATTENTION, {q, k, v}, {y}, {1, 2, 1, 1, 1, 1, ASSAY_MASK_WINDOW, 1, 0})[0], {4, 4, 8, 8});
}

TEST(ReferenceOp, KvAppendWritesAtPos) {
  OneOp t;
  // x = [q | k | v], batch 2 of one token each, one head of 1; slot 1 of 2.
  const uint32_t x = t.add({2, 3}, {0, 5, 6, 0, 7, 8});
  const uint32_t k = t.add({2, 2, 1, 1}, {1, 2, 3, 4}, ASSAY_ROLE_STATE);
  const uint32_t v = t.add({2, 2, 1, 1}, {1, 2, 3, 4}, ASSAY_ROLE_STATE);
  const auto out = t.run(ASSAY_OP_KV_APPEND, {x, k, v}, {k, v}, {2, 1, 1, 1, 1, 2}, 1);
  expect_near(out[0], {1, 5, 3, 7});
  expect_near(out[1], {1, 6, 3, 8});
}

// mean of squares of (3, 4) = 12.5; eps 0: 3 / sqrt(12.5), twice that for gamma 2.
TEST(ReferenceOp, RmsNormOfASliceCopiesTheRest) {
  OneOp t;
  const uint32_t x = t.add({1, 4}, {9, 3, 4, 9}), g = t.add({2}, {1, 2});
  const uint32_t y = t.result({1, 4});
  expect_near(t.run(ASSAY_OP_RMS_NORM, {x, g}, {y}, {0, 2, 1, 2})[0],
              {9, 3 / std::sqrt(12.5), 2 * 4 / std::sqrt(12.5), 9});
}

// Pages of 2 tokens, the sequence's first in page 1: keys 0, ln 2 and ln 4 weigh 1, 2 and 4 of 7, their values are 7,
// 14 and 70. The third token is appended to the first place of page 0.
TEST(ReferenceOp, PagesAreFoundByTheTable) {
  OneOp t;
  const uint32_t q = t.add({1, 1}, {1}), pages = t.add({1, 2}, {1, 0});
  const uint32_t k = t.state({2, 2, 1, 1}, {std::log(4.0), 50, 0, std::log(2.0)});
  const uint32_t v = t.state({2, 2, 1, 1}, {70, 999, 7, 14});
  const uint32_t y = t.result({1, 1});
  expect_near(t.run(ASSAY_OP_ATTENTION, {q, k, v, kNoTensor, kNoTensor, pages}, {y},
                    {1, 1, 1, 1, 1, 1, ASSAY_MASK_CAUSAL, 0, 0}, 2)[0],
              {45});
  OneOp a;
  const uint32_t x = a.add({1, 2}, {8, 9}), table = a.add({1, 2}, {1, 0});
  const uint32_t ak = a.state({2, 2, 1, 1}, {0, 1, 2, 3}), av = a.state({2, 2, 1, 1}, {4, 5, 6, 7});
  const auto out = a.run(ASSAY_OP_KV_APPEND, {x, ak, av, table}, {ak, av}, {1, 1, 1, 1, 0, 1}, 2);
  expect_near(out[0], {8, 1, 2, 3});
  expect_near(out[1], {9, 5, 6, 7});
}

TEST(ReferenceOp, PagesThatDoNotFitAreNamed) {
  OneOp t;
  const uint32_t q = t.add({2, 1}, {1, 1}), pages = t.add({2, 2}, {0, 1, 2, 3});
  const uint32_t k = t.state({3, 2, 1, 1}, Values(6)), y = t.result({2, 1});
  t.graph.ops = {{ASSAY_OP_ATTENTION,
                  "a",
                  0,
                  {q, k, k, kNoTensor, kNoTensor, pages},
                  {y},
                  {2, 1, 1, 1, 1, 1, ASSAY_MASK_CAUSAL, 0, 0},
                  0}};
  const auto out = reference_op(t.graph, t.graph.ops[0], {{1, 1}, Values(6), Values(6), {}, {}, {0, 1, 2, 3}}, {1});
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().message,
            "op 'a' (attention): expected k [N,page,1,1] and pages [2,P] with P * page >= 2 and N >= B * P, found "
            "[3,2,1,1] and [2,2]");
}

// head_dim 4, theta 100: f = 1, 0.1. Position 2 (pos 1, second token): angles 2 and 0.2.
TEST(ReferenceOp, RopeRotatesHalvesOrNeighbours) {
  OneOp t;
  const uint32_t x = t.add({2, 4}, {0, 0, 0, 0, 1, 2, 3, 4});
  const uint32_t y = t.result({2, 4});
  const double c0 = std::cos(2.0), s0 = std::sin(2.0), c1 = std::cos(0.2), s1 = std::sin(0.2);
  expect_near(t.run(ASSAY_OP_ROPE, {x}, {y}, {1, 4, 4, 100, 0, 0, 4, 0, 0, 0, 0}, 1)[0],
              {0, 0, 0, 0, c0 - 3 * s0, 2 * c1 - 4 * s1, 3 * c0 + s0, 4 * c1 + 2 * s1});
  expect_near(t.run(ASSAY_OP_ROPE, {x}, {y}, {1, 4, 4, 100, 1, 0, 4, 0, 0, 0, 0}, 1)[0],
              {0, 0, 0, 0, c0 - 2 * s0, 2 * c0 + s0, 3 * c1 - 4 * s1, 4 * c1 + 3 * s1});
  expect_near(t.run(ASSAY_OP_ROPE, {x}, {y}, {1, 4, 2, 100, 0, 0, 4, 0, 0, 0, 0}, 1)[0],
              {0, 0, 0, 0, c0 - 2 * s0, 2 * c0 + s0, 3, 4});
}

// Llama 3.1 (factor 8, low 1, high 4, original 8192), theta 1e8, head_dim 4: f = 1 and 1e-4. Wavelength 2 pi is short
// (kept); 62832 is over 8192 (f / 8). With original 102400: 25600 < 62832 < 102400, so g = (102400/62832 - 1) / 3.
TEST(ReferenceOp, RopeScalesLongWavelengthsOnly) {
  OneOp t;
  const uint32_t x = t.add({1, 4}, {1, 1, 0, 0});
  const uint32_t y = t.result({1, 4});
  const double p = 1000;
  expect_near(t.run(ASSAY_OP_ROPE, {x}, {y}, {1, 4, 4, 1e8, 0, 0, 4, 8, 1, 4, 8192}, 1000)[0],
              {std::cos(p), std::cos(p * 1e-4 / 8), std::sin(p), std::sin(p * 1e-4 / 8)});
  const double g = (102400 / (2 * M_PI / 1e-4) - 1) / 3, f = (1 - g) * 1e-4 / 8 + g * 1e-4;
  expect_near(t.run(ASSAY_OP_ROPE, {x}, {y}, {1, 4, 4, 1e8, 0, 0, 4, 8, 1, 4, 102400}, 1000)[0],
              {std::cos(p), std::cos(p * f), std::sin(p), std::sin(p * f)});
}

// silu(1) = 1 / (1 + 1/e) = 0.7310585786; gelu(1) = Phi(1) = 0.8413447461 (normal table), by tanh 0.8411919906.
TEST(ReferenceOp, GatedActivations) {
  OneOp t;
  const uint32_t x = t.add({1, 4}, {1, 0, 3, 5});
  const uint32_t y = t.result({1, 2});
  expect_near(t.run(ASSAY_OP_GATED_ACT, {x}, {y}, {ASSAY_ACT_SILU})[0], {3 * 0.7310585786300049, 0});
  expect_near(t.run(ASSAY_OP_GATED_ACT, {x}, {y}, {ASSAY_ACT_GELU_ERF})[0], {3 * 0.8413447460685429, 0});
  expect_near(t.run(ASSAY_OP_GATED_ACT, {x}, {y}, {ASSAY_ACT_GELU_TANH})[0], {3 * 0.8411919906, 0}, 1e-9);
}

TEST(ReferenceOp, EmbeddingArgmaxAndAdd) {
  OneOp t;
  const uint32_t index = t.add({2}, {1, 0}), table = t.add({2, 2}, {1, 2, 3, 4});
  const uint32_t y = t.result({2, 2});
  expect_near(t.run(ASSAY_OP_EMBEDDING, {index, table}, {y})[0], {3, 4, 1, 2});
  OneOp a;
  const uint32_t x = a.add({2, 3}, {1, 7, 7, -3, -2, -9});
  const uint32_t top = a.result({2});
  expect_near(a.run(ASSAY_OP_ARGMAX, {x}, {top})[0], {1, 1});  // the lowest index of equals
  OneOp s;
  const uint32_t b = s.add({1, 2}, {1, 2}), c = s.add({1, 2}, {3, 5});
  const uint32_t sum = s.result({1, 2});
  expect_near(s.run(ASSAY_OP_ADD, {b, c}, {sum})[0], {4, 7});
}

// max 127: scale 1; 0.5 and 2.5 are ties and go to the even neighbour. A zero row has scale 1.
TEST(ReferenceOp, QuantizeRoundsTiesToEven) {
  OneOp t;
  const uint32_t x = t.add({2, 4}, {127, 0.5, 2.5, -1.5, 0, 0, 0, 0});
  const uint32_t q = t.result({2, 4}), s = t.result({2, 1});
  const auto out = t.run(ASSAY_OP_QUANTIZE, {x}, {q, s});
  expect_near(out[0], {127, 0, 2, -2, 0, 0, 0, 0});
  expect_near(out[1], {1, 1});
}

// max 448: scale 1. From 16 on codes lie 2 apart, from 256 on 32, below 2^-6 they are multiples of 2^-9; 17, 19, -27,
// 2^-10 and 1.5 * 2^-9 are ties and go to the even fraction: 16, 20, -28, 0, 2^-8. 300 / 32 = 9.4.
TEST(ReferenceOp, QuantizeToE4m3) {
  OneOp t;
  const uint32_t x = t.add({1, 8}, {448, 17, 19, -27, 0x1p-10, 1.5 * 0x1p-9, 300, 0});
  const uint32_t q = t.result({1, 8}), s = t.result({1, 1});
  t.graph.tensors[q].dtype = ASSAY_F8E4M3;
  const auto out = t.run(ASSAY_OP_QUANTIZE, {x}, {q, s});
  expect_near(out[0], {448, 16, 20, -28, 0, 0x1p-8, 288, 0});
  expect_near(out[1], {1});
}

TEST(ReferenceOp, WrongShapesNameOpAndExpectation) {
  OneOp t;
  const uint32_t x = t.add({1, 2}, {1, 2}), w = t.add({2, 3}, {1, 2, 3, 4, 5, 6});
  const uint32_t y = t.result({1, 2});
  t.graph.ops = {{ASSAY_OP_MATMUL, "layer0.qkv_proj", 0, {x, w}, {y}, {}, ASSAY_NO_SCALAR}};
  const auto out = reference_op(t.graph, t.graph.ops[0], t.inputs, {});
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().message, "op 'layer0.qkv_proj' (matmul): expected w [2,2], found [2,3]");
}

TEST(Dequantise, OneScalePerBlock) {
  Tensor t{"w", ASSAY_I8, ASSAY_ROLE_WEIGHT, {1, 4}, 0, 2, {}};
  const int8_t codes[] = {1, -2, 3, 127};
  const float scales[] = {0.5f, 2.0f};
  EXPECT_EQ(dequantise(t, codes, scales), (Values{0.5, -1, 6, 254}));
  t.dtype = ASSAY_BF16;
  const uint16_t halves[] = {to_bf16(1.5f), to_bf16(-2.0f), 0, 0};
  EXPECT_EQ(dequantise(t, halves, nullptr), (Values{1.5, -2, 0, 0}));
}

}  // namespace
}  // namespace assay
