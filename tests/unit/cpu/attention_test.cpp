// Attention over a KV cache, and its filling, against plain double loops.
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {
namespace {

struct Shape {
  int64_t batch, tokens, pos, length, heads, kv_heads, dk, dv;
  int mask;
  int64_t window;
};

size_t at(int64_t value) { return static_cast<size_t>(value); }

Doubles expected(const Shape& s, const Doubles& q, int64_t q_col, int64_t ldq, const Doubles& k, const Doubles& v) {
  const double scale = 0.3;
  Doubles y(at(s.batch * s.tokens * s.heads * s.dv));
  for (int64_t row = 0; row < s.batch * s.tokens; ++row) {
    const int64_t b = row / s.tokens;
    const int64_t t = row % s.tokens;
    for (int64_t h = 0; h < s.heads; ++h) {
      const int64_t g = h / (s.heads / s.kv_heads);
      double total = 0;
      for (int64_t j = 0; j < s.pos + s.tokens; ++j) {
        if (s.mask != ASSAY_MASK_FULL && j > s.pos + t) continue;
        if (s.mask == ASSAY_MASK_WINDOW && j <= s.pos + t - s.window) continue;
        double dot = 0;
        for (int64_t d = 0; d < s.dk; ++d) {
          dot += q[at(row * ldq + q_col + h * s.dk + d)] * k[at(((b * s.length + j) * s.kv_heads + g) * s.dk + d)];
        }
        const double weight = std::exp(scale * dot);
        total += weight;
        for (int64_t d = 0; d < s.dv; ++d) {
          y[at((row * s.heads + h) * s.dv + d)] += weight * v[at(((b * s.length + j) * s.kv_heads + g) * s.dv + d)];
        }
      }
      for (int64_t d = 0; d < s.dv; ++d) y[at((row * s.heads + h) * s.dv + d)] /= total;
    }
  }
  return y;
}

class Attention : public EveryLevel {
 protected:
  double error(const Shape& s, uint32_t dtype, uint32_t q_dtype = ASSAY_F32) {
    Program p;
    const int64_t q_col = 5;
    const int64_t ldq = q_col + s.heads * s.dk + 3;
    const uint32_t q = p.tensor(q_dtype, ASSAY_ROLE_INPUT, {s.batch * s.tokens, ldq});
    const uint32_t k = p.tensor(dtype, ASSAY_ROLE_STATE, {s.batch, s.length, s.kv_heads, s.dk});
    const uint32_t v = p.tensor(dtype, ASSAY_ROLE_STATE, {s.batch, s.length, s.kv_heads, s.dv});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {s.batch * s.tokens, s.heads * s.dv});
    const auto number = [](int64_t value) { return static_cast<double>(value); };
    p.op(ASSAY_OP_ATTENTION, {q, k, v}, {y},
         {number(s.batch), number(s.heads), number(s.kv_heads), number(s.dk), number(s.dv), 0.3, number(s.mask),
          number(s.window), number(q_col)},
         true);
    p.prepare(adapter_);
    const Doubles qv = p.write_normal(q, 1);
    const Doubles kv = p.write_normal(k, 2);
    const Doubles vv = p.write_normal(v, 3);
    EXPECT_EQ(p.step(s.pos), ASSAY_OK) << Adapter::error();
    return relative_error(p.read(y), expected(s, qv, q_col, ldq, kv, vv));
  }
};

TEST_P(Attention, DecodeOfEveryGroupSizeAndCacheDtype) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_F16}) {
    for (const int64_t group : {1, 2, 3, 4, 7, 8, 9, 16}) {
      const Shape s{2, 1, 40, 50, group * 2, 2, 64, 64, ASSAY_MASK_CAUSAL, 0};
      EXPECT_LT(error(s, dtype), 1e-5) << "group " << group << " dtype " << dtype;
    }
  }
}

TEST_P(Attention, DecodeOverManyStretches) {
  EXPECT_LT(error({1, 1, 2999, 3000, 4, 1, 24, 40, ASSAY_MASK_CAUSAL, 0}, ASSAY_F32), 1e-5);
  EXPECT_LT(error({1, 1, 1500, 3000, 7, 1, 128, 128, ASSAY_MASK_CAUSAL, 0}, ASSAY_BF16), 1e-5);
}

TEST_P(Attention, FirstToken) { EXPECT_LT(error({1, 1, 0, 1, 2, 2, 16, 17, ASSAY_MASK_CAUSAL, 0}, ASSAY_F32), 1e-5); }

TEST_P(Attention, PrefillOfOddSizes) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_F16}) {
    EXPECT_LT(error({2, 70, 0, 70, 4, 2, 64, 64, ASSAY_MASK_CAUSAL, 0}, dtype), 1e-5);
    EXPECT_LT(error({1, 33, 300, 340, 3, 1, 20, 36, ASSAY_MASK_CAUSAL, 0}, dtype), 1e-5);
    EXPECT_LT(error({1, 2, 7, 9, 3, 3, 80, 80, ASSAY_MASK_CAUSAL, 0}, dtype), 1e-5);
  }
}

// Queries and cache in bf16: where the weights of the softmax are rounded to it as well, each is off by up to 1/256,
// and so is, by norm, the sum of values that are independent of each other.
TEST_P(Attention, PrefillInBf16) {
  const auto check = [&](const Shape& s) {
    EXPECT_LT(error(s, ASSAY_BF16, ASSAY_BF16), 1.0 / 256)
        << s.tokens << " tokens at " << s.pos << ", " << s.heads << " heads of " << s.dk << ", mask " << s.mask;
  };
  check({2, 70, 0, 70, 4, 2, 64, 64, ASSAY_MASK_CAUSAL, 0});
  check({1, 33, 300, 340, 3, 1, 20, 36, ASSAY_MASK_CAUSAL, 0});
  check({1, 2, 7, 9, 3, 3, 80, 80, ASSAY_MASK_CAUSAL, 0});
  check({1, 3, 0, 3, 2, 1, 6, 5, ASSAY_MASK_CAUSAL, 0});
  check({1, 40, 90, 130, 2, 2, 17, 24, ASSAY_MASK_CAUSAL, 0});  // odd depth: no pairs
  check({1, 150, 400, 550, 5, 1, 32, 40, ASSAY_MASK_CAUSAL, 0});
  check({1, 1, 1700, 1800, 20, 1, 64, 33, ASSAY_MASK_CAUSAL, 0});
  for (const int64_t tokens : {5, 67}) {
    check({2, tokens, 290, 400, 4, 2, 32, 32, ASSAY_MASK_WINDOW, 9});
    check({2, tokens, 290, 400, 4, 2, 32, 32, ASSAY_MASK_WINDOW, 270});
    check({2, tokens, 290, 400, 4, 2, 32, 32, ASSAY_MASK_FULL, 0});
  }
}

TEST_P(Attention, WindowAndFullMasks) {
  for (const int64_t tokens : {1, 5, 67}) {
    EXPECT_LT(error({2, tokens, 290, 400, 4, 2, 32, 32, ASSAY_MASK_WINDOW, 9}, ASSAY_F32), 1e-5) << tokens;
    EXPECT_LT(error({2, tokens, 290, 400, 4, 2, 32, 32, ASSAY_MASK_WINDOW, 270}, ASSAY_F32), 1e-5) << tokens;
    EXPECT_LT(error({2, tokens, 290, 400, 4, 2, 32, 32, ASSAY_MASK_FULL, 0}, ASSAY_F32), 1e-5) << tokens;
  }
}

TEST_P(Attention, AppendFillsOnlyItsPositions) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_F16}) {
    Program p;
    const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {6, 20});
    const uint32_t k = p.tensor(dtype, ASSAY_ROLE_STATE, {2, 8, 2, 3});
    const uint32_t v = p.tensor(dtype, ASSAY_ROLE_STATE, {2, 8, 2, 4});
    p.op(ASSAY_OP_KV_APPEND, {x, k, v}, {k, v}, {2, 2, 3, 4, 1, 9}, true);
    p.prepare(adapter_);
    const Doubles xv = p.write_normal(x, 1);
    Doubles kv = p.write_normal(k, 2);
    Doubles vv = p.write_normal(v, 3);
    ASSERT_EQ(p.step(4), ASSAY_OK);
    const auto rounded = [dtype](double value) -> double {
      if (dtype == ASSAY_BF16) return bf16_value(bf16_code(static_cast<float>(value)));
      return dtype == ASSAY_F16 ? f16_value(f16_code(value)) : value;
    };
    for (size_t row = 0; row < 6; ++row) {
      const size_t to = row / 3 * 8 + 4 + row % 3;
      for (size_t i = 0; i < 6; ++i) kv[to * 6 + i] = rounded(xv[row * 20 + 1 + i]);
      for (size_t i = 0; i < 8; ++i) vv[to * 8 + i] = rounded(xv[row * 20 + 9 + i]);
    }
    EXPECT_EQ(p.read(k), kv);
    EXPECT_EQ(p.read(v), vv);
  }
}

INSTANTIATE_TEST_SUITE_P(Adapter, Attention, testing::ValuesIn(levels()), level_name);

}  // namespace
}  // namespace assay::cpu_test
