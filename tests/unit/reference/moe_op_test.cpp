// The ops of a mixture of experts against values worked out by hand.
#include <cmath>

#include "tests/unit/reference/one_op.h"

namespace assay {
namespace {

const double kLog3 = std::log(3.0);  // sigmoid(log 3) = 3/4, sigmoid(-log 3) = 1/4

// Rows 0 and 1 belong to expert 0, none to expert 1, row 2 to expert 2; row 3 lies behind the last offset.
TEST(MoeOp, GroupedMatmulTakesEachRowsExpert) {
  OneOp t;
  const uint32_t x = t.add({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const uint32_t w = t.add({3, 1, 2}, {10, 1, 99, 99, 0, 2}), offsets = t.add({4}, {0, 2, 2, 3});
  const uint32_t y = t.result({4, 1});
  expect_near(t.run(ASSAY_OP_GROUPED_MATMUL, {x, w, offsets}, {y})[0], {12, 34, 12, 0});
}

TEST(MoeOp, GroupedMatmulWithAllRowsOnOneExpert) {
  OneOp t;
  const uint32_t x = t.add({2, 1}, {3, 4}), w = t.add({3, 2, 1}, {9, 9, 1, 2, 9, 9}), o = t.add({4}, {0, 0, 2, 2});
  const uint32_t y = t.result({2, 2});
  expect_near(t.run(ASSAY_OP_GROUPED_MATMUL, {x, w, o}, {y})[0], {3, 6, 4, 8});
}

std::vector<Values> route(const Values& logits, const Values& plan, int64_t k, std::vector<double> rest) {
  OneOp t;
  const auto experts = static_cast<int64_t>(logits.size());
  std::vector<uint32_t> in{t.add({1, experts}, logits)};
  if (!plan.empty()) in.push_back(t.add({1, experts}, plan));
  const uint32_t index = t.result({1, k}), weight = t.result({1, k});
  rest.insert(rest.begin(), static_cast<double>(k));
  return t.run(ASSAY_OP_ROUTER_TOPK, in, {index, weight}, rest);
}

// softmax(0, log 3) = (1/4, 3/4); the weight is the score itself, times the factor.
TEST(MoeOp, RouterBySoftmax) {
  const auto out = route({0, kLog3}, {}, 1, {ASSAY_ROUTER_SOFTMAX, 0, 2, 0, 0});
  expect_near(out[0], {1});
  expect_near(out[1], {1.5});
}

// Scores 3/4, 1/4, 1/2, 3/4: experts 0 and 3 tie and stand in order of their index; 3/4 of 3/2 each.
TEST(MoeOp, RouterBySigmoidNormalised) {
  const auto out = route({kLog3, -kLog3, 0, kLog3}, {}, 2, {ASSAY_ROUTER_SIGMOID, 1, 1, 0, 0});
  expect_near(out[0], {0, 3});
  expect_near(out[1], {0.5, 0.5});
}

// Groups (3/4, 1/4) and (1/2, 3/4) sum to 1 and 5/4: only the second stays; 2.5 x (3/4, 1/2) / (5/4).
TEST(MoeOp, RouterChoosesGroupsFirst) {
  const auto out = route({kLog3, -kLog3, 0, kLog3}, {}, 2, {ASSAY_ROUTER_SIGMOID, 1, 2.5, 2, 1});
  expect_near(out[0], {3, 2});
  expect_near(out[1], {1.5, 1.0});
}

// The plan decides the choice, not the weight.
TEST(MoeOp, RouterFollowsThePlan) {
  const auto out = route({kLog3, -kLog3, 0, kLog3}, {0, 100, 0, 0}, 2, {ASSAY_ROUTER_SIGMOID, 0, 1, 0, 0});
  expect_near(out[0], {1, 0});
  expect_near(out[1], {0.25, 0.75});
}

// Softmax over the chosen logits 3 and 2 alone: e / (e + 1) and 1 / (e + 1).
TEST(MoeOp, RouterSoftmaxOfTheChosen) {
  const auto out = route({1, 3, 2, 0}, {}, 2, {ASSAY_ROUTER_SOFTMAX_OF_TOPK, 0, 1, 0, 0});
  expect_near(out[0], {1, 2});
  expect_near(out[1], {std::exp(1.0) / (std::exp(1.0) + 1), 1 / (std::exp(1.0) + 1)});
}

// Groups of one expert: a group's value is that expert's.
TEST(MoeOp, RouterWithGroupsOfOne) {
  const auto out = route({1, 3, 2}, {}, 1, {ASSAY_ROUTER_SOFTMAX_OF_TOPK, 0, 1, 3, 2});
  expect_near(out[0], {1});
  expect_near(out[1], {1});
}

// Pairs in order: experts 2, 0, 0, 3, 2, 0. Expert 0 takes pairs 1, 2, 5 as rows 0 to 2; 1 none; 2 takes 0 and 4; 3
// takes 3.
TEST(MoeOp, DispatchSortsByExpertAndKeepsOrder) {
  OneOp t;
  const uint32_t x = t.add({3, 1}, {10, 20, 30}), index = t.add({3, 2}, {2, 0, 0, 3, 2, 0});
  const uint32_t y = t.result({6, 1}), offsets = t.result({5}), place = t.result({3, 2});
  const auto out = t.run(ASSAY_OP_MOE_DISPATCH, {x, index}, {y, offsets, place}, {4});
  expect_near(out[0], {10, 20, 30, 10, 30, 20});
  expect_near(out[1], {0, 3, 3, 5, 6});
  expect_near(out[2], {3, 0, 1, 5, 4, 2});
}

TEST(MoeOp, DispatchOfOneTokenToOneExpert) {
  OneOp t;
  const uint32_t x = t.add({1, 2}, {7, 8}), index = t.add({1, 1}, {1});
  const uint32_t y = t.result({1, 2}), offsets = t.result({3}), place = t.result({1, 1});
  const auto out = t.run(ASSAY_OP_MOE_DISPATCH, {x, index}, {y, offsets, place}, {2});
  expect_near(out[0], {7, 8});
  expect_near(out[1], {0, 0, 1});
  expect_near(out[2], {0});
}

// 0.5 x 4 + 0.5 x 1; 1 x 2 + 0 x 6; 0.25 x 5 + 0.75 x 3.
TEST(MoeOp, CombineWeighsTheExpertsRows) {
  OneOp t;
  const uint32_t x = t.add({6, 1}, {1, 2, 3, 4, 5, 6}), place = t.add({3, 2}, {3, 0, 1, 5, 4, 2});
  const uint32_t weight = t.add({3, 2}, {0.5, 0.5, 1, 0, 0.25, 0.75});
  const uint32_t y = t.result({3, 1});
  expect_near(t.run(ASSAY_OP_MOE_COMBINE, {x, place, weight}, {y})[0], {2.5, 2, 3.5});
}

}  // namespace
}  // namespace assay
