// The sampled check of the ops of ABI 1.1: any choice that rounding can't tell from the best is right, others are
// named.
#include <cmath>

#include "suites/base/rng.h"
#include "tests/unit/reference/one_op.h"

namespace assay {
namespace {

struct Checked : OneOp {
  OpCheck check(uint32_t kind, std::vector<uint32_t> in, std::vector<uint32_t> out, std::vector<double> attr,
                int64_t pos = 0, double budget = 1e7) {
    graph.ops = {{kind, "op", 0, std::move(in), std::move(out), std::move(attr), 0}};
    const Source source = [this](uint32_t t, uint64_t first, uint64_t count, double* to) {
      std::copy_n(inputs[t].begin() + static_cast<std::ptrdiff_t>(first), count, to);
    };
    return check_op(graph, graph.ops[0], {pos}, source, 3, budget);
  }
  uint32_t normal(std::vector<int64_t> dims) {
    const uint32_t t = add(std::move(dims), {});
    const auto count = static_cast<uint64_t>(graph.elements(t));
    for (uint64_t i = 0; i < count; ++i) inputs[t].push_back(normal_at(5, t, i));
    return t;
  }
};

OpCheck check_router(const Values& logits, const Values& index, const Values& weight, std::vector<double> rest) {
  Checked t;
  const auto experts = static_cast<int64_t>(logits.size()), k = static_cast<int64_t>(index.size());
  const uint32_t in = t.add({1, experts}, logits);
  const uint32_t chosen = t.result({1, k}), weights = t.result({1, k});
  t.inputs[chosen] = index;
  t.inputs[weights] = weight;
  rest.insert(rest.begin(), static_cast<double>(k));
  return t.check(ASSAY_OP_ROUTER_TOPK, {in}, {chosen, weights}, rest);
}

// Logits as scores of the choice, softmax over the chosen: (2, 1) weighs e / (e + 1) and 1 / (e + 1).
TEST(CheckRouter, NamesAWrongExpert) {
  const double p = std::exp(1.0) / (std::exp(1.0) + 1);
  const std::vector<double> rest{ASSAY_ROUTER_SOFTMAX_OF_TOPK, 0, 1, 0, 0};
  const Values logits{0, 2, 1, -1};
  EXPECT_TRUE(check_router(logits, {1, 2}, {p, 1 - p}, rest).pass);
  const OpCheck wrong = check_router(logits, {1, 0}, {0.88, 0.12}, rest);
  EXPECT_FALSE(wrong.pass);
  EXPECT_EQ(wrong.detail, "index[0]: expected expert 2 (1) among the chosen, found expert 0 (0)");
  EXPECT_EQ(check_router(logits, {2, 1}, {1 - p, p}, rest).detail,
            "index[0,0]: expected experts by descending value, found expert 2 (1)");
  EXPECT_EQ(check_router(logits, {1, 1}, {0.5, 0.5}, rest).detail,
            "index[0,1]: expected an expert below 4 not listed before, found 1");
  EXPECT_FALSE(check_router(logits, {1, 4}, {0.5, 0.5}, rest).pass);
  EXPECT_FALSE(check_router(logits, {1, -1}, {0.5, 0.5}, rest).pass);
  EXPECT_FALSE(check_router(logits, {1, NAN}, {0.5, 0.5}, rest).pass);
  EXPECT_FALSE(check_router(logits, {1, 2}, {p, p}, rest).pass);
  EXPECT_FALSE(check_router(logits, {1, 2}, {NAN, 1 - p}, rest).pass);
}

TEST(CheckRouter, TakesEitherOfWhatRoundingCantTell) {
  const std::vector<double> rest{ASSAY_ROUTER_SOFTMAX_OF_TOPK, 0, 1, 0, 0};
  EXPECT_TRUE(check_router({0, 1 + 1e-6, 1}, {1}, {1}, rest).pass);
  EXPECT_TRUE(check_router({0, 1 + 1e-6, 1}, {2}, {1}, rest).pass);
  EXPECT_FALSE(check_router({0, 1 + 1e-4, 1}, {2}, {1}, rest).pass);
}

// Groups (0,3), (2,2), (5,-9) are worth 3, 4 and -4; two stay, so that the best expert of all is out.
TEST(CheckRouter, KeepsToTheBestGroups) {
  const std::vector<double> rest{ASSAY_ROUTER_SOFTMAX_OF_TOPK, 0, 1, 3, 2};
  const Values logits{0, 3, 2, 2, 5, -9};
  EXPECT_TRUE(check_router(logits, {1}, {1}, rest).pass);
  const OpCheck shut = check_router(logits, {4}, {1}, rest);
  EXPECT_EQ(shut.detail, "index[0]: expected a group of at least 3, found group 2 (-4)");
  // Expert 2 is in a good group, but expert 1 of another good group is better.
  EXPECT_EQ(check_router(logits, {2}, {1}, rest).detail,
            "index[0]: expected expert 1 (3) among the chosen, found expert 2 (2)");
  EXPECT_FALSE(check_router(logits, {4, 1, 2}, {0.9, 0.07, 0.03}, rest).pass);
}

// 400 keys of one dimension and one head; score = key.
struct IndexCase : Checked {
  uint32_t q = add({1, 1}, {1}), k = state({1, 400, 1, 1}, Values(400)), weight = add({1, 1}, {1});
  uint32_t index = 0;
  explicit IndexCase(Values found) {
    for (size_t j = 0; j < 400; ++j) inputs[k][j] = static_cast<double>(j + 1);
    index = result({1, static_cast<int64_t>(found.size())});
    inputs[index] = std::move(found);
  }
  OpCheck run(int64_t pos, double budget = 1e7) {
    return check(ASSAY_OP_INDEX_TOPK, {q, k, weight}, {index}, {1, 1, 1, 0, 1}, pos, budget);
  }
};

TEST(CheckIndex, NamesAWrongKey) {
  EXPECT_TRUE(IndexCase({399, 398}).run(399).pass);
  EXPECT_EQ(IndexCase({399, 397}).run(399).detail,
            "index[0]: expected key 398 (399) among the chosen, found key 397 (398)");
  EXPECT_EQ(IndexCase({398, 399}).run(399).detail,
            "index[0,1]: expected keys by descending score, found key 398 (399)");
  EXPECT_FALSE(IndexCase({399, 399}).run(399).pass);
  EXPECT_FALSE(IndexCase({399, -1}).run(399).pass);
  // Position 0: one key is seen; the next one must not be listed.
  EXPECT_TRUE(IndexCase({0, -1}).run(0).pass);
  EXPECT_EQ(IndexCase({0, 1}).run(0).detail, "index[0,1]: expected -1, found 1");
  EXPECT_FALSE(IndexCase({1, -1}).run(0).pass);
}

// With scores of 32 keys affordable, of two hundred listed keys and of all: the lower half is still found out.
TEST(CheckIndex, SampleOfManyKeysFindsAWrongHalf) {
  Values best, worst;
  for (int i = 0; i < 200; ++i) {
    best.push_back(399 - i);
    worst.push_back(199 - i);
  }
  EXPECT_TRUE(IndexCase(best).run(399, 1).pass);
  EXPECT_FALSE(IndexCase(worst).run(399, 1).pass);
}

TEST(CheckDispatch, NamesAPlaceOutOfOrder) {
  const auto check = [](const Values& y, const Values& offsets, const Values& place) {
    Checked t;
    const uint32_t x = t.add({2, 1}, {10, 20}), index = t.add({2, 2}, {1, 0, 0, 1});
    const uint32_t out = t.result({4, 1}), o = t.result({3}), p = t.result({2, 2});
    t.inputs[out] = y;
    t.inputs[o] = offsets;
    t.inputs[p] = place;
    return t.check(ASSAY_OP_MOE_DISPATCH, {x, index}, {out, o, p}, {2});
  };
  EXPECT_TRUE(check({10, 20, 10, 20}, {0, 2, 4}, {2, 0, 1, 3}).pass);
  EXPECT_EQ(check({20, 10, 10, 20}, {0, 2, 4}, {2, 1, 0, 3}).detail, "place[0,1]: expected 0, found 1");
  EXPECT_EQ(check({10, 20, 10, 20}, {0, 1, 4}, {2, 0, 1, 3}).detail, "offsets[1]: expected 2, found 1");
  EXPECT_FALSE(check({10, 10, 10, 20}, {0, 2, 4}, {2, 0, 1, 3}).pass);
}

// Expert 5 has the single row 500 of 1000: computed with its neighbour's weights it is found though rows are sampled.
TEST(CheckGroupedMatmul, LooksWhereExpertsMeet) {
  Checked t;
  const uint32_t x = t.normal({1000, 8}), w = t.normal({12, 6, 8});
  Values ends;
  for (int e = 0; e <= 12; ++e) ends.push_back(e <= 5 ? 100 * e : e == 6 ? 501 : 501 + (e - 6) * 83);
  ends.back() = 999;  // the last row belongs to nobody
  const uint32_t offsets = t.add({13}, ends), y = t.result({1000, 6});
  t.inputs[y] = t.run(ASSAY_OP_GROUPED_MATMUL, {x, w, offsets}, {y})[0];
  t.inputs[y][999 * 6] = NAN;
  EXPECT_TRUE(t.check(ASSAY_OP_GROUPED_MATMUL, {x, w, offsets}, {y}, {}, 0, 2000).pass);
  for (size_t n = 0; n < 6; ++n) {
    double sum = 0;
    for (size_t i = 0; i < 8; ++i) sum += t.inputs[x][500 * 8 + i] * t.inputs[w][(4 * 6 + n) * 8 + i];
    t.inputs[y][500 * 6 + n] = sum;
  }
  const OpCheck check = t.check(ASSAY_OP_GROUPED_MATMUL, {x, w, offsets}, {y}, {}, 0, 2000);
  EXPECT_FALSE(check.pass);
  EXPECT_EQ(check.detail.rfind("output[500,", 0), 0u) << check.detail;
}

// What comes behind the last token may be anything.
TEST(CheckKvExpand, LeavesUnwrittenSlotsAlone) {
  Checked t;
  const uint32_t latent = t.normal({2, 5, 1, 6}), w = t.normal({8, 4}), y = t.result({2, 5, 2, 4});
  t.inputs[y] = t.run(ASSAY_OP_KV_EXPAND, {latent, w}, {y}, {1, 2, 2}, 2)[0];
  for (const size_t slot : {3u, 4u, 8u, 9u}) t.inputs[y][slot * 8] = NAN;
  EXPECT_TRUE(t.check(ASSAY_OP_KV_EXPAND, {latent, w}, {y}, {1, 2, 2}, 2).pass);
  t.inputs[y][2 * 8 + 1] += 0.01;
  EXPECT_FALSE(t.check(ASSAY_OP_KV_EXPAND, {latent, w}, {y}, {1, 2, 2}, 2).pass);
}

TEST(CheckGroupNorm, FindsAWrongVarianceOfOneGroup) {
  Checked t;
  const uint32_t x = t.normal({2, 5, 7, 12}), gamma = t.normal({12}), beta = t.normal({12}),
                 y = t.result({2, 5, 7, 12});
  t.inputs[y] = t.run(ASSAY_OP_GROUP_NORM, {x, gamma, beta}, {y}, {1e-6, 4})[0];
  EXPECT_TRUE(t.check(ASSAY_OP_GROUP_NORM, {x, gamma, beta}, {y}, {1e-6, 4}).pass);
  // A divisor of n - 1 changes the root by 1 / (2 n) = 1 / 420.
  for (size_t i = 0; i < t.inputs[y].size(); ++i) {
    if (i % 12 / 3 == 3)
      t.inputs[y][i] = t.inputs[beta][i % 12] + (t.inputs[y][i] - t.inputs[beta][i % 12]) * 419 / 420;
  }
  EXPECT_FALSE(t.check(ASSAY_OP_GROUP_NORM, {x, gamma, beta}, {y}, {1e-6, 4}).pass);
  EXPECT_FALSE(t.check(ASSAY_OP_GROUP_NORM, {x, gamma, beta}, {y}, {1e-6, 4}, 0, 1).pass);  // reads two groups
}

// A kernel centred in time instead of causal: right where the input does not change with time, so it must change.
TEST(CheckConv3d, FindsAKernelCentredInTime) {
  Checked t;
  const uint32_t x = t.normal({4, 3, 5, 2}), w = t.normal({7, 27 * 2}), y = t.result({4, 3, 5, 7});
  const std::vector<double> attr{3, 3, 3, 0, 0, 0};
  const Values right = t.run(ASSAY_OP_CONV3D, {x, w}, {y}, attr)[0];
  t.inputs[y] = right;
  EXPECT_TRUE(t.check(ASSAY_OP_CONV3D, {x, w}, {y}, attr).pass);
  const size_t frame = 3 * 5 * 7;
  std::copy(right.begin() + static_cast<std::ptrdiff_t>(frame), right.end(), t.inputs[y].begin());
  EXPECT_FALSE(t.check(ASSAY_OP_CONV3D, {x, w}, {y}, attr).pass);
}

}  // namespace
}  // namespace assay
