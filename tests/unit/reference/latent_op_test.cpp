// Latent, sparse and cross attention against values worked out by hand.
#include <cmath>

#include "tests/unit/reference/one_op.h"

namespace assay {
namespace {

// Heads at columns 1 and 4: (1,2).(10,1) = 12, then 3 as it is; (4,5).(100,1) = 405, then 6.
TEST(LatentOp, HeadMatmulPassesTheRestOn) {
  OneOp t;
  const uint32_t x = t.add({1, 7}, {9, 1, 2, 3, 4, 5, 6}), w = t.add({2, 1, 2}, {10, 1, 100, 1});
  const uint32_t y = t.result({1, 4});
  expect_near(t.run(ASSAY_OP_HEAD_MATMUL, {x, w}, {y}, {2, 1, 3, 1})[0], {12, 3, 405, 6});
}

// Columns 1 and 2 of the latents (7,1,2) and (7,3,4); slot 2 is not reached.
TEST(LatentOp, KvExpandStopsBehindTheLastToken) {
  OneOp t;
  const uint32_t latent = t.state({1, 3, 1, 3}, {7, 1, 2, 7, 3, 4, 5, 5, 5}), w = t.add({2, 2}, {1, 1, 10, 1});
  const uint32_t y = t.result({1, 3, 2, 1});
  expect_near(t.run(ASSAY_OP_KV_EXPAND, {latent, w}, {y}, {1, 2, 1}, 1)[0], {3, 12, 7, 34, 0, 0});
}

// score = 2 (max(0, k) + 0.5 max(0, -k)): 2, 2 and 6 for the keys 1, -2 and 3; equals in order of the key.
TEST(LatentOp, IndexTopkListsTheLargestAndFillsUp) {
  OneOp t;
  const uint32_t q = t.add({1, 3}, {9, 1, -1}), k = t.state({1, 4, 1, 1}, {1, -2, 3, 50});
  const uint32_t weight = t.add({1, 2}, {1, 0.5});
  const uint32_t two = t.result({1, 2}), four = t.result({1, 4});
  expect_near(t.run(ASSAY_OP_INDEX_TOPK, {q, k, weight}, {two}, {1, 2, 1, 1, 2}, 2)[0], {2, 0});
  expect_near(t.run(ASSAY_OP_INDEX_TOPK, {q, k, weight}, {four}, {1, 2, 1, 1, 2}, 2)[0], {2, 0, 1, -1});
}

// Two tokens of each of two sequences: token t sees keys up to pos + t of its own sequence.
TEST(LatentOp, IndexTopkIsCausalPerSequence) {
  OneOp t;
  const uint32_t q = t.add({4, 1}, {1, 1, 1, 1}), k = t.state({2, 2, 1, 1}, {1, 2, 5, 4});
  const uint32_t weight = t.add({4, 1}, {1, 1, 1, 1});
  const uint32_t index = t.result({4, 2});
  expect_near(t.run(ASSAY_OP_INDEX_TOPK, {q, k, weight}, {index}, {2, 1, 1, 0, 1})[0], {0, -1, 1, 0, 0, -1, 0, 1});
}

// q = (1,0 | 1); keys (1,2 | 2) and (3,4 | 0): both scores are 3, so y is the mean of (1,2) and (3,4).
TEST(LatentOp, AbsorbedAttentionReadsOneCache) {
  OneOp t;
  const uint32_t q = t.add({1, 3}, {1, 0, 1}), latent = t.state({1, 2, 1, 3}, {1, 2, 9, 3, 4, 9});
  const uint32_t rope = t.state({1, 2, 1, 1}, {2, 0});
  const uint32_t y = t.result({1, 2});
  const std::vector<uint32_t> in{q, latent, latent, rope};
  const auto run = [&](double col_k, double col_v) {
    return t.run(ASSAY_OP_ATTENTION, in, {y}, {1, 1, 1, 3, 2, 1, ASSAY_MASK_CAUSAL, 0, 0, 1, col_k, col_v}, 1)[0];
  };
  expect_near(run(0, 0), {2, 3});
  // From column 1: keys (2,9 | 2) and (4,9 | 0) score 4 each; values (2,9) and (4,9).
  expect_near(run(1, 1), {3, 9});
}

// Equal keys, values 3, 6, 12; the mask hides key 2 from row 1; an index list of nothing gives zero.
TEST(LatentOp, AttentionSeesListedKeysOnly) {
  OneOp t;
  const uint32_t q = t.add({3, 1}, {1, 1, 1}), k = t.state({1, 3, 1, 1}, {1, 1, 1}),
                 v = t.state({1, 3, 1, 1}, {3, 6, 12});
  const uint32_t index = t.add({3, 2}, {0, -1, 0, 2, 2, 1}), nothing = t.add({3, 1}, {-1, -1, -1});
  const uint32_t y = t.result({3, 1});
  const std::vector<double> causal{1, 1, 1, 1, 1, 1, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, 0};
  expect_near(t.run(ASSAY_OP_ATTENTION, {q, k, v, kNoTensor, index}, {y}, causal)[0], {3, 3, 9});
  expect_near(t.run(ASSAY_OP_ATTENTION, {q, k, v, kNoTensor, nothing}, {y}, causal)[0], {0, 0, 0});
}

// Two queries, three keys of another sequence: both see all, whatever pos is.
TEST(LatentOp, CrossAttentionSeesAllKeys) {
  OneOp t;
  const uint32_t q = t.add({2, 1}, {1, 0}), k = t.add({1, 3, 1, 1}, {0, 0, std::log(2.0)});
  const uint32_t v = t.add({1, 3, 1, 1}, {4, 8, 12});
  const uint32_t y = t.result({2, 1});
  // Row 0: weights 1, 1, 2 of 4: (4 + 8 + 24) / 4; row 1: the mean.
  expect_near(t.run(ASSAY_OP_ATTENTION, {q, k, v}, {y}, {1, 1, 1, 1, 1, 1, ASSAY_MASK_CROSS, 0, 0}, 7)[0], {9, 8});
}

TEST(LatentOp, WindowLongerThanTheContextSeesAll) {
  OneOp t;
  const uint32_t q = t.add({2, 1}, {1, 1}), k = t.state({1, 3, 1, 1}, {1, 1, 1}), v = t.state({1, 3, 1, 1}, {3, 6, 12});
  const uint32_t y = t.result({2, 1});
  expect_near(t.run(ASSAY_OP_ATTENTION, {q, k, v}, {y}, {1, 1, 1, 1, 1, 1, ASSAY_MASK_WINDOW, 100, 0}, 1)[0], {4.5, 7});
}

TEST(LatentOp, KvAppendToKeysAlone) {
  OneOp t;
  const uint32_t x = t.add({1, 4}, {0, 5, 6, 0}), k = t.state({1, 2, 1, 2}, {1, 2, 3, 4});
  const auto out = t.run(ASSAY_OP_KV_APPEND, {x, k, k}, {k, k}, {1, 1, 2, 0, 1, 0}, 1);
  expect_near(out[0], {1, 2, 5, 6});
  expect_near(out[1], {1, 2, 5, 6});
}

// head_dim 4, two elements from 2 on, f = 1: the others stay.
TEST(LatentOp, RopeOfTheEndOfAHead) {
  OneOp t;
  const uint32_t x = t.add({1, 4}, {1, 2, 3, 4});
  const uint32_t y = t.result({1, 4});
  const double c = std::cos(5.0), s = std::sin(5.0);
  expect_near(t.run(ASSAY_OP_ROPE, {x}, {y}, {1, 4, 2, 100, 0, 0, 4, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0}, 5)[0],
              {1, 2, 3 * c - 4 * s, 4 * c + 3 * s});
}

}  // namespace
}  // namespace assay
