// Matrix products of every dtype and shape class against a plain double loop.
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {
namespace {

class Matmul : public EveryLevel {
 protected:
  // y = x w^T * scales + bias, in doubles.
  static Doubles expected(const Doubles& x, const Doubles& w, const Doubles& bias, size_t m, size_t n, size_t k) {
    Doubles y(m * n);
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < n; ++j) {
        double sum = bias.empty() ? 0 : bias[j];
        for (size_t l = 0; l < k; ++l) sum += x[i * k + l] * w[j * k + l];
        y[i * n + j] = sum;
      }
    }
    return y;
  }

  double float_error(uint32_t dtype, int64_t m, int64_t n, int64_t k, bool with_bias) {
    Program p;
    const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {m, k});
    const uint32_t w = p.tensor(dtype, ASSAY_ROLE_WEIGHT, {n, k});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {m, n});
    std::vector<uint32_t> in{x, w};
    if (with_bias) in.push_back(p.tensor(dtype, ASSAY_ROLE_WEIGHT, {n}));
    p.op(ASSAY_OP_MATMUL, in, {y});
    p.prepare(adapter_);
    const Doubles xv = p.write_normal(x, 1);
    const Doubles wv = p.write_normal(w, 2, 0.05);
    const Doubles bv = with_bias ? p.write_normal(in[2], 3) : Doubles{};
    EXPECT_EQ(p.step(), ASSAY_OK) << Adapter::error();
    const auto at = [](int64_t v) { return static_cast<size_t>(v); };
    return relative_error(p.read(y), expected(xv, wv, bv, at(m), at(n), at(k)));
  }

  double weight_only_error(int64_t m, int64_t n, int64_t k, int64_t block, uint32_t rows_dtype = ASSAY_F32) {
    Program p;
    const uint32_t x = p.tensor(rows_dtype, ASSAY_ROLE_INPUT, {m, k});
    const uint32_t s = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {n, k / block});
    const uint32_t w =
        p.tensor(ASSAY_I8, ASSAY_ROLE_WEIGHT, {n, k}, static_cast<int32_t>(s), static_cast<int32_t>(block));
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {m, n});
    p.op(ASSAY_OP_MATMUL, {x, w}, {y});
    p.prepare(adapter_);
    const Doubles xv = p.write_normal(x, 1);
    const Doubles sv = p.write_normal(s, 2, 0.01);
    Doubles wv = p.write_codes(w, 3, -128, 127);
    EXPECT_EQ(p.step(), ASSAY_OK) << Adapter::error();
    for (size_t i = 0; i < wv.size(); ++i) wv[i] *= sv[i / static_cast<size_t>(block)];
    const auto at = [](int64_t v) { return static_cast<size_t>(v); };
    return relative_error(p.read(y), expected(xv, wv, {}, at(m), at(n), at(k)));
  }

  double integer_error(int64_t m, int64_t n, int64_t k) {
    Program p;
    const uint32_t xs = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {m, 1});
    const uint32_t x = p.tensor(ASSAY_I8, ASSAY_ROLE_INPUT, {m, k}, static_cast<int32_t>(xs), static_cast<int32_t>(k));
    const uint32_t ws = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {n, 1});
    const uint32_t w = p.tensor(ASSAY_I8, ASSAY_ROLE_WEIGHT, {n, k}, static_cast<int32_t>(ws), static_cast<int32_t>(k));
    const uint32_t bias = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {n});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {m, n});
    p.op(ASSAY_OP_MATMUL, {x, w, bias}, {y});
    p.prepare(adapter_);
    const Doubles xsv = p.write_normal(xs, 1);
    const Doubles wsv = p.write_normal(ws, 2);
    Doubles xv = p.write_codes(x, 3, -128, 127);
    Doubles wv = p.write_codes(w, 4, -128, 127);
    const Doubles bv = p.write_normal(bias, 5);
    EXPECT_EQ(p.step(), ASSAY_OK) << Adapter::error();
    const auto at = [](int64_t v) { return static_cast<size_t>(v); };
    for (size_t i = 0; i < xv.size(); ++i) xv[i] *= xsv[i / at(k)];
    for (size_t i = 0; i < wv.size(); ++i) wv[i] *= wsv[i / at(k)];
    return relative_error(p.read(y), expected(xv, wv, bv, at(m), at(n), at(k)));
  }
};

constexpr int64_t kRowCounts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 33};

TEST_P(Matmul, FloatWeightsOfEveryDtypeAndRowCount) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_F16}) {
    for (const int64_t m : kRowCounts) {
      for (const auto& [n, k] : {std::pair<int64_t, int64_t>{37, 83}, {64, 128}, {1, 5}, {129, 31}}) {
        EXPECT_LT(float_error(dtype, m, n, k, m % 2 == 1), 1e-5)
            << "dtype " << dtype << " " << m << "x" << n << "x" << k;
      }
    }
  }
}

TEST_P(Matmul, ManyTasksAtOneRow) {
  EXPECT_LT(float_error(ASSAY_F32, 1, 1031, 515, true), 1e-5);
  EXPECT_LT(float_error(ASSAY_BF16, 3, 1031, 515, false), 1e-5);
  EXPECT_LT(float_error(ASSAY_BF16, 1, 13, 1043, false), 1e-5);
  EXPECT_LT(weight_only_error(1, 13, 1200, 40), 1e-5);
}

TEST_P(Matmul, WideProduct) { EXPECT_LT(float_error(ASSAY_F32, 70, 1111, 96, true), 1e-5); }

TEST_P(Matmul, WeightOnlyInt8WithScalePerRowAndPerBlock) {
  for (const int64_t m : kRowCounts) {
    EXPECT_LT(weight_only_error(m, 37, 83, 83), 1e-5) << m;
    EXPECT_LT(weight_only_error(m, 21, 128, 32), 1e-5) << m;
    EXPECT_LT(weight_only_error(m, 5, 60, 20), 1e-5) << m;
  }
}

// Rows of bf16 may stand in 16-bit fixed point, each with its largest as 127 x 256: an element is wrong by at most
// 1/65024 of that, so by norm a row is by sqrt(83)/65024 = 1.4e-4 at most, where bf16 itself may be by 2^-9 = 2e-3. Of
// random weights a product is wrong as its row is.
TEST_P(Matmul, WeightOnlyInt8ByRowsOfBf16) {
  for (const int64_t m : kRowCounts) {
    EXPECT_LT(weight_only_error(m, 37, 83, 83, ASSAY_BF16), 1.4e-4) << m;
    EXPECT_LT(weight_only_error(m, 38, 1, 1, ASSAY_BF16), 1 / 65024.0) << m;
  }
}

// A row's scale must not be lost to one large element, nor to none, and what is no number stays in its row.
TEST_P(Matmul, WeightOnlyInt8KeepsRowsApart) {
  constexpr int64_t kRows = 5, kDepth = 70;
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {kRows, kDepth});
  const uint32_t s = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {6, 1});
  const uint32_t w = p.tensor(ASSAY_I8, ASSAY_ROLE_WEIGHT, {6, kDepth}, static_cast<int32_t>(s), kDepth);
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {kRows, 6});
  p.op(ASSAY_OP_MATMUL, {x, w}, {y});
  p.prepare(adapter_);
  Doubles rows(kRows * kDepth, 1e-3);
  rows[7] = 1e6;
  for (size_t i = 0; i < kDepth; ++i) {
    rows[kDepth + i] = 0;
    rows[4 * kDepth + i] = -1e-20 * static_cast<double>(i);
  }
  rows[2 * kDepth + 69] = std::nan("");
  rows[3 * kDepth] = std::numeric_limits<double>::infinity();
  const Doubles xv = p.write(x, rows);
  p.write(s, Doubles(6, 1.0));
  const Doubles wv = p.write_codes(w, 3, -128, 127);
  ASSERT_EQ(p.step(), ASSAY_OK) << Adapter::error();
  const Doubles found = p.read(y);
  const Doubles right = expected(xv, wv, {}, kRows, 6, kDepth);
  for (size_t j = 0; j < 6; ++j) {
    EXPECT_NEAR(found[j], right[j], 1e-6 * 1e6 * 128);
    EXPECT_EQ(found[6 + j], 0);
    EXPECT_FALSE(std::isfinite(found[12 + j]));
    EXPECT_FALSE(std::isfinite(found[18 + j]));
    EXPECT_NEAR(found[24 + j], right[24 + j], 1e-5 * std::abs(right[24 + j]));
  }
}

TEST_P(Matmul, IntegerProductsAreExactBeforeScaling) {
  for (const int64_t m : kRowCounts) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{37, 83}, {64, 128}, {1, 5}, {129, 310}}) {
      EXPECT_LT(integer_error(m, n, k), 1e-6) << m << "x" << n << "x" << k;
    }
  }
}

// 4096 products of the extreme codes: 127 * -128 * 4096 = -66,584,576, which no 16-bit step may clip.
TEST_P(Matmul, IntegerSumsDoNotSaturate) {
  for (const int64_t m : {1, 16}) {
    Program p;
    const uint32_t xs = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {m, 1});
    const uint32_t x = p.tensor(ASSAY_I8, ASSAY_ROLE_INPUT, {m, 4096}, static_cast<int32_t>(xs), 4096);
    const uint32_t ws = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {3, 1});
    const uint32_t w = p.tensor(ASSAY_I8, ASSAY_ROLE_WEIGHT, {3, 4096}, static_cast<int32_t>(ws), 4096);
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {m, 3});
    p.op(ASSAY_OP_MATMUL, {x, w}, {y});
    p.prepare(adapter_);
    p.write(xs, Doubles(static_cast<size_t>(m), 1.0));
    p.write(ws, Doubles(3, 1.0));
    p.write_codes(x, 1, 127, 127);
    p.write_codes(w, 1, -128, -128);
    ASSERT_EQ(p.step(), ASSAY_OK);
    for (const double v : p.read(y)) EXPECT_EQ(v, -66584576.0);
  }
}

TEST_P(Matmul, NarrowOutputIsRoundedOnReading) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_BF16, ASSAY_ROLE_INPUT, {2, 3});
  const uint32_t w = p.tensor(ASSAY_BF16, ASSAY_ROLE_WEIGHT, {2, 3});
  const uint32_t y = p.tensor(ASSAY_BF16, ASSAY_ROLE_OUTPUT, {2, 2});
  p.op(ASSAY_OP_MATMUL, {x, w}, {y});
  p.prepare(adapter_);
  p.write(x, {1, 2, 3, -4, 5, 0.5});
  p.write(w, {256, 1, 1, 0, 2, 8});
  ASSERT_EQ(p.step(), ASSAY_OK);
  // 256+2+3 = 261 -> 260 or 262 in 8 bits: the tie goes to the even 130 * 2 = 260; -1024+5+0.5 = -1018.5 -> -1020
  EXPECT_EQ(p.read(y), (Doubles{260, 28, -1020, 14}));
}

INSTANTIATE_TEST_SUITE_P(Adapter, Matmul, testing::ValuesIn(levels()), level_name);

}  // namespace
}  // namespace assay::cpu_test
