// The sampled check accepts right outputs and names what is wrong with others.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "suites/base/rng.h"
#include "suites/reference/reference.h"

namespace assay {
namespace {

constexpr int64_t kM = 40, kK = 96, kN = 700;

struct Matmul {
  Graph graph;
  std::vector<Values> values{3};

  Matmul() {
    graph.tensors = {{"x", ASSAY_F32, ASSAY_ROLE_INPUT, {kM, kK}, -1, 0, {}},
                     {"w", ASSAY_F32, ASSAY_ROLE_WEIGHT, {kN, kK}, -1, 0, {}},
                     {"y", ASSAY_F32, ASSAY_ROLE_OUTPUT, {kM, kN}, -1, 0, {}}};
    graph.ops = {{ASSAY_OP_MATMUL, "layer0.qkv_proj", 0, {0, 1}, {2}, {}, ASSAY_NO_SCALAR}};
    for (uint32_t t = 0; t < 2; ++t) {
      const int64_t count = graph.elements(t);
      for (int64_t i = 0; i < count; ++i) values[t].push_back(normal_at(7, t, static_cast<uint64_t>(i)));
    }
    // An independent product in float, in another order: right to about 1e-7.
    values[2].resize(static_cast<size_t>(kM * kN));
    for (int64_t m = 0; m < kM; ++m) {
      for (int64_t n = 0; n < kN; ++n) {
        float sum = 0;
        for (int64_t k = kK - 1; k >= 0; --k) sum += static_cast<float>(x(m, k)) * static_cast<float>(w(n, k));
        y(m, n) = sum;
      }
    }
  }
  double x(int64_t m, int64_t k) const { return values[0][static_cast<size_t>(m * kK + k)]; }
  double w(int64_t n, int64_t k) const { return values[1][static_cast<size_t>(n * kK + k)]; }
  double& y(int64_t m, int64_t n) { return values[2][static_cast<size_t>(m * kN + n)]; }
  OpCheck check(double budget = 1e8) const {
    const Source source = [this](uint32_t t, uint64_t first, uint64_t count, double* out) {
      std::copy_n(values[t].begin() + static_cast<std::ptrdiff_t>(first), count, out);
    };
    return check_op(graph, graph.ops[0], {}, source, 3, budget);
  }
};

TEST(CheckOp, AcceptsFloatRounding) {
  const OpCheck check = Matmul().check();
  EXPECT_TRUE(check.pass) << check.detail;
  EXPECT_EQ(check.op, "layer0.qkv_proj");
  EXPECT_EQ(check.limit, 1e-5);
  EXPECT_LT(check.error, 1e-6);
  EXPECT_GT(check.elements, 10000u);
}

TEST(CheckOp, FindsNan) {
  Matmul m;
  m.y(0, 0) = std::numeric_limits<double>::quiet_NaN();
  const OpCheck check = m.check();
  EXPECT_FALSE(check.pass);
  EXPECT_EQ(check.detail.rfind("output[0,0]: expected ", 0), 0u) << check.detail;
}

// 11 bits of f16 lose 2^-12 relative at most, 2e-4 by norm: far over 1e-5.
TEST(CheckOp, FindsHalfPrecisionPassedForSingle) {
  Matmul m;
  for (double& v : m.values[2]) v = from_f16(to_f16(static_cast<float>(v)));
  const OpCheck check = m.check();
  EXPECT_FALSE(check.pass);
  EXPECT_GT(check.error, 1e-5);
  EXPECT_LT(check.error, 1e-3);
}

// f16 has steps of 2^-24 below 2^-14. 2^-20 x 1.03 = 16.48 steps is 16 there, 3 % off and as near as f16 comes; 15
// steps are 1.48 off, of which half a step is forgiven: 0.98 / 16.48.
TEST(CheckOp, WhatF16RoundsToItsSmallestStepIsNoError) {
  const double step = std::ldexp(1.0, -24);
  Graph graph;
  graph.tensors = {{"a", ASSAY_F16, ASSAY_ROLE_INPUT, {1, 1}, -1, 0, {}},
                   {"b", ASSAY_F16, ASSAY_ROLE_INPUT, {1, 1}, -1, 0, {}},
                   {"y", ASSAY_F16, ASSAY_ROLE_OUTPUT, {1, 1}, -1, 0, {}}};
  graph.ops = {{ASSAY_OP_ADD, "add", -1, {0, 1}, {2}, {}, ASSAY_NO_SCALAR}};
  const auto check = [&](double found, uint32_t dtype) {
    graph.tensors[2].dtype = dtype;
    const Source source = [&](uint32_t t, uint64_t, uint64_t, double* out) {
      *out = t == 0 ? 16 * step : t == 1 ? 0.48 * step : found;
    };
    return check_op(graph, graph.ops[0], {}, source, 3, 1e8);
  };
  EXPECT_TRUE(check(16 * step, ASSAY_F16).pass);
  const OpCheck wrong = check(15 * step, ASSAY_F16);
  EXPECT_FALSE(wrong.pass);
  EXPECT_NEAR(wrong.error, 0.98 / 16.48, 1e-9);
  EXPECT_EQ(wrong.detail, "output[0,0]: expected 9.82284546e-07, found 8.94069672e-07");
  EXPECT_FALSE(check(16 * step, ASSAY_BF16).pass);  // which has all its digits there
}

// 3 x 1 - 3 x (1 - 2^-20) = 2.9e-6. A float's last bit in the products is 2.4e-7, 8 % of that, and 4e-8 of the sum of
// their sizes, 6: held against a twentieth of it, 0.3, it is 7.9e-7. Of 16 sums not all cancel, and each is held to its
// row.
TEST(CheckOp, SumsThatCancelAreHeldAgainstTheirSizes) {
  const auto check = [](int64_t n, double off) {
    Graph graph;
    graph.tensors = {{"x", ASSAY_F32, ASSAY_ROLE_INPUT, {1, 2}, -1, 0, {}},
                     {"w", ASSAY_F32, ASSAY_ROLE_WEIGHT, {n, 2}, -1, 0, {}},
                     {"y", ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, n}, -1, 0, {}}};
    graph.ops = {{ASSAY_OP_MATMUL, "p", 0, {0, 1}, {2}, {}, ASSAY_NO_SCALAR}};
    const double small = std::ldexp(1.0, -20);
    const Source source = [&](uint32_t t, uint64_t first, uint64_t count, double* out) {
      for (uint64_t i = first; i < first + count; ++i) {
        *out++ = t == 0 ? 3 : t == 2 ? 3 * small + off : i % 2 == 0 ? 1 : small - 1;
      }
    };
    return check_op(graph, graph.ops[0], {}, source, 3, 1e8);
  };
  const double bit = std::ldexp(1.0, -22);
  EXPECT_TRUE(check(1, bit).pass);
  EXPECT_NEAR(check(1, bit).error, 7.947e-7, 1e-10);
  EXPECT_FALSE(check(1, 16 * bit).pass);  // 1.3e-5
  EXPECT_FALSE(check(16, bit).pass);
}

TEST(CheckOp, OneWrongRowDoesNotDrown) {
  Matmul m;
  for (int64_t n = 0; n < kN; ++n) m.y(kM - 1, n) *= 1.001;  // 1e-3 in the last row alone, which is always looked at
  const OpCheck check = m.check();
  EXPECT_FALSE(check.pass);
  EXPECT_NEAR(check.error, 1e-3, 1e-5);
}

TEST(CheckOp, SmallBudgetStillChecks) {
  const OpCheck check = Matmul().check(1e3);
  EXPECT_TRUE(check.pass) << check.detail;
  EXPECT_GT(check.elements, 0u);
  EXPECT_LT(check.elements, 1000u);
}

// y = a + b of 100 blocks of 65536 in one row, values from their index: what is read stays bounded, and a wrong element
// of the last block is found. Each block counts on its own: 1 of 65536 elements wrong by 1 where the norm is
// sqrt(65536) x 3 is 1/768, over 1e-5.
TEST(CheckOp, OfALongSumBlocksAreRead) {
  constexpr int64_t kLong = 100 * 65536 - 1;
  Graph graph;
  graph.tensors = {{"a", ASSAY_F32, ASSAY_ROLE_WEIGHT, {1, kLong}, -1, 0, {}},
                   {"b", ASSAY_F32, ASSAY_ROLE_WEIGHT, {1, kLong}, -1, 0, {}},
                   {"y", ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, kLong}, -1, 0, {}}};
  graph.ops = {{ASSAY_OP_ADD, "copy", -1, {0, 1}, {2}, {}, ASSAY_NO_SCALAR}};
  uint64_t read = 0, wrong = kLong;
  const Source source = [&](uint32_t t, uint64_t first, uint64_t count, double* out) {
    for (uint64_t i = 0; i < count; ++i) out[i] = t < 2 ? 1.0 + t : 3.0 + (first + i == wrong ? 1 : 0);
    read += count;
  };
  const OpCheck right = check_op(graph, graph.ops[0], {}, source, 3, 1e8);
  EXPECT_TRUE(right.pass) << right.detail;
  EXPECT_GT(right.elements, 30u * 65536);
  EXPECT_LE(read, 3u * 64 * 65536);
  wrong = kLong - 1;
  const OpCheck found = check_op(graph, graph.ops[0], {}, source, 3, 1e8);
  EXPECT_FALSE(found.pass);
  EXPECT_NEAR(found.error, 1.0 / 768, 1e-6);
}

TEST(CheckOp, QuantizeMayDifferByOneAtTiesOnly) {
  Graph g;
  g.tensors = {{"x", ASSAY_F32, ASSAY_ROLE_INPUT, {1, 3}, -1, 0, {}},
               {"q", ASSAY_I8, ASSAY_ROLE_OUTPUT, {1, 3}, 2, 3, {}},
               {"s", ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, 1}, -1, 0, {}}};
  g.ops = {{ASSAY_OP_QUANTIZE, "quantize", 0, {0}, {1, 2}, {}, ASSAY_NO_SCALAR}};
  const auto check = [&](const Values& codes) {
    const std::vector<Values> values{{127, 2.5, 3.2}, codes, {1}};  // scale 1: values are codes
    return check_op(
        g, g.ops[0], {},
        [&](uint32_t t, uint64_t first, uint64_t count, double* out) {
          std::copy_n(values[t].begin() + static_cast<std::ptrdiff_t>(first), count, out);
        },
        1, 1e6);
  };
  EXPECT_TRUE(check({127, 2, 3}).pass);
  EXPECT_TRUE(check({127, 3, 3}).pass);   // the tie went up
  EXPECT_FALSE(check({127, 2, 4}).pass);  // 3.2 is no tie
}

TEST(CheckOp, ArgmaxTakesAnyOfEqualsAndNothingElse) {
  Graph g;
  g.tensors = {{"x", ASSAY_F32, ASSAY_ROLE_INPUT, {1, 4}, -1, 0, {}},
               {"y", ASSAY_I32, ASSAY_ROLE_OUTPUT, {1}, -1, 0, {}}};
  g.ops = {{ASSAY_OP_ARGMAX, "next_token", -1, {0}, {1}, {}, ASSAY_NO_SCALAR}};
  const auto check = [&](double index) {
    const std::vector<Values> values{{1, 9, 9, 2}, {index}};
    return check_op(
               g, g.ops[0], {},
               [&](uint32_t t, uint64_t first, uint64_t count, double* out) {
                 std::copy_n(values[t].begin() + static_cast<std::ptrdiff_t>(first), count, out);
               },
               1, 1e6)
        .pass;
  };
  EXPECT_TRUE(check(1));
  EXPECT_TRUE(check(2));
  EXPECT_FALSE(check(3));
  EXPECT_FALSE(check(-1));
  EXPECT_FALSE(check(4));
}

}  // namespace
}  // namespace assay
