// Row-wise and element-wise ops, and whole programs, against plain double loops.
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {
namespace {

class Ops : public EveryLevel {
 protected:
  double rope_error(int64_t rotary, bool interleaved, bool scaled, int64_t pos) {
    const int64_t batch = 2, tokens = 5, dim = 24, heads = 3, col = 2, ld = col + heads * dim + 4;
    Program p;
    const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {batch * tokens, ld});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {batch * tokens, ld});
    const double factor = scaled ? 8.0 : 0.0;
    p.op(ASSAY_OP_ROPE, {x}, {y},
         {2, 24, static_cast<double>(rotary), 10000, interleaved ? 1.0 : 0.0, 2, 72, factor, 1, 4, 64}, true);
    p.prepare(adapter_);
    Doubles v = p.write_normal(x, 1);
    EXPECT_EQ(p.step(pos), ASSAY_OK) << Adapter::error();
    for (int64_t row = 0; row < batch * tokens; ++row) {
      for (int64_t h = 0; h < heads; ++h) {
        double* head = v.data() + row * ld + col + h * dim;
        for (int64_t i = 0; i < rotary / 2; ++i) {
          double f = std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(rotary));
          const double wavelength = 2 * M_PI / f;
          if (scaled && wavelength > 64.0 / 1) {
            f /= 8;
          } else if (scaled && wavelength >= 64.0 / 4) {
            const double g = (64.0 / wavelength - 1) / (4 - 1);
            f = (1 - g) * f / 8 + g * f;
          }
          const double angle = static_cast<double>(pos + row % tokens) * f;
          double& a = interleaved ? head[2 * i] : head[i];
          double& b = interleaved ? head[2 * i + 1] : head[i + rotary / 2];
          const double turned = a * std::cos(angle) - b * std::sin(angle);
          b = b * std::cos(angle) + a * std::sin(angle);
          a = turned;
        }
      }
    }
    return relative_error(p.read(y), v);
  }

  double act_error(int function, int64_t f) {
    Program p;
    const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {3, 2 * f});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {3, f});
    p.op(ASSAY_OP_GATED_ACT, {x}, {y}, {static_cast<double>(function)});
    p.prepare(adapter_);
    const Doubles v = p.write_normal(x, 1, 5);
    EXPECT_EQ(p.step(), ASSAY_OK) << Adapter::error();
    const auto n = static_cast<size_t>(f);
    Doubles e(3 * n);
    for (size_t i = 0; i < e.size(); ++i) {
      const double g = v[i / n * 2 * n + i % n];
      const double u = v[i / n * 2 * n + n + i % n];
      const double cubic = std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g);
      const double act = function == ASSAY_ACT_SILU        ? g / (1 + std::exp(-g))
                         : function == ASSAY_ACT_GELU_TANH ? 0.5 * g * (1 + std::tanh(cubic))
                                                           : 0.5 * g * (1 + std::erf(g / std::sqrt(2.0)));
      e[i] = act * u;
    }
    return relative_error(p.read(y), e);
  }
};

TEST_P(Ops, RmsNormOfGroupsInASlice) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {7, 50});
  const uint32_t gamma = p.tensor(ASSAY_BF16, ASSAY_ROLE_WEIGHT, {21});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {7, 50});
  p.op(ASSAY_OP_RMS_NORM, {x, gamma}, {y}, {1e-6, 21, 3, 42});
  p.prepare(adapter_);
  Doubles v = p.write_normal(x, 1);
  const Doubles g = p.write_normal(gamma, 2);
  ASSERT_EQ(p.step(), ASSAY_OK) << Adapter::error();
  for (size_t row = 0; row < 7; ++row) {
    for (size_t start : {row * 50 + 3, row * 50 + 24}) {
      double squares = 0;
      for (size_t i = 0; i < 21; ++i) squares += v[start + i] * v[start + i];
      for (size_t i = 0; i < 21; ++i) v[start + i] *= g[i] / std::sqrt(squares / 21 + 1e-6);
    }
  }
  EXPECT_LT(relative_error(p.read(y), v), 1e-6);
}

// A pair that an adapter may run as one, with a sum that is needed again.
TEST_P(Ops, SumThenItsRmsNorm) {
  for (const int64_t rows : {1, 3}) {
    constexpr int64_t kCols = 43;
    Program p;
    const uint32_t a = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {rows, kCols});
    const uint32_t b = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {rows, kCols});
    const uint32_t gamma = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {kCols});
    const uint32_t sum = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {rows, kCols});
    const uint32_t normed = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {rows, kCols});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {rows, kCols});
    p.op(ASSAY_OP_ADD, {a, b}, {sum});
    p.op(ASSAY_OP_RMS_NORM, {sum, gamma}, {normed}, {1e-5, kCols, 0, 0});
    p.op(ASSAY_OP_ADD, {normed, sum}, {y});
    p.prepare(adapter_);
    Doubles e = p.write_normal(a, 1);
    const Doubles bv = p.write_normal(b, 2), g = p.write_normal(gamma, 3);
    ASSERT_EQ(p.step(), ASSAY_OK) << Adapter::error();
    for (size_t start = 0; start < e.size(); start += kCols) {
      double squares = 0;
      for (size_t i = start; i < start + kCols; ++i) {
        e[i] += bv[i];
        squares += e[i] * e[i];
      }
      for (size_t i = 0; i < kCols; ++i) e[start + i] *= 1 + g[i] / std::sqrt(squares / kCols + 1e-5);
    }
    EXPECT_LT(relative_error(p.read(y), e), 1e-6) << rows;
  }
}

TEST_P(Ops, RmsNormOfWholeWideRows) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {2, 8193});
  const uint32_t gamma = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {8193});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {2, 8193});
  p.op(ASSAY_OP_RMS_NORM, {x, gamma}, {y}, {1e-5, 8193, 0, 0});
  p.prepare(adapter_);
  Doubles v = p.write_normal(x, 1);
  const Doubles g = p.write_normal(gamma, 2);
  ASSERT_EQ(p.step(), ASSAY_OK) << Adapter::error();
  for (size_t start : {size_t{0}, size_t{8193}}) {
    double squares = 0;
    for (size_t i = 0; i < 8193; ++i) squares += v[start + i] * v[start + i];
    for (size_t i = 0; i < 8193; ++i) v[start + i] *= g[i] / std::sqrt(squares / 8193 + 1e-5);
  }
  EXPECT_LT(relative_error(p.read(y), v), 1e-6);
}

TEST_P(Ops, RopeOfBothPairingsPartialAndScaled) {
  for (const bool interleaved : {false, true}) {
    for (const bool scaled : {false, true}) {
      for (const int64_t rotary : {24, 10, 2}) {
        EXPECT_LT(rope_error(rotary, interleaved, scaled, 0), 1e-6);
        EXPECT_LT(rope_error(rotary, interleaved, scaled, 12345), 1e-6);
      }
    }
  }
}

TEST_P(Ops, GatedActsOfEveryFunction) {
  for (const int function : {ASSAY_ACT_SILU, ASSAY_ACT_GELU_TANH, ASSAY_ACT_GELU_ERF}) {
    for (const int64_t f : {1, 7, 64, 4867}) EXPECT_LT(act_error(function, f), 1e-6) << function << " " << f;
  }
}

// Where erf is near -1, by gelu(x) = x/2 erfc(-x/sqrt 2): erfc(4/sqrt 2) = 6.334248366623996e-5 (twice the normal tail
// beyond 4), so gelu(-4) = -1.2668496733247993e-4. 1 + erf in single precision is off by a thousandth of it.
TEST_P(Ops, GeluByErfKeepsItsDigitsInTheTail) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, 2});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, 1});
  p.op(ASSAY_OP_GATED_ACT, {x}, {y}, {ASSAY_ACT_GELU_ERF});
  p.prepare(adapter_);
  p.write(x, {-4, 1});
  ASSERT_EQ(p.step(), ASSAY_OK);
  EXPECT_NEAR(p.read(y)[0] / -1.2668496733247993e-4, 1, 3e-6);
}

// At the ends of exp's range: silu(-200) * 1 = -0, silu(200) * 1 = 200, silu(-87.5) = -87.5 e^-87.5 < 1e-35.
TEST_P(Ops, SiluOfExtremes) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, 8});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, 4});
  p.op(ASSAY_OP_GATED_ACT, {x}, {y}, {ASSAY_ACT_SILU});
  p.prepare(adapter_);
  p.write(x, {-200, 200, -87.5, 0, 1, 1, 1, 1});
  ASSERT_EQ(p.step(), ASSAY_OK);
  const Doubles v = p.read(y);
  EXPECT_NEAR(v[0], 0, 1e-30);
  EXPECT_EQ(v[1], 200);
  EXPECT_NEAR(v[2], 0, 1e-30);
  EXPECT_EQ(v[3], 0);
}

TEST_P(Ops, AddOfEveryDtype) {
  Program p;
  const uint32_t a = p.tensor(ASSAY_F16, ASSAY_ROLE_INPUT, {5, 13});
  const uint32_t b = p.tensor(ASSAY_BF16, ASSAY_ROLE_INPUT, {5, 13});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {5, 13});
  p.op(ASSAY_OP_ADD, {a, b}, {y});
  p.prepare(adapter_);
  const Doubles av = p.write_normal(a, 1);
  const Doubles bv = p.write_normal(b, 2);
  ASSERT_EQ(p.step(), ASSAY_OK);
  Doubles e(av.size());
  for (size_t i = 0; i < e.size(); ++i) e[i] = av[i] + bv[i];
  EXPECT_LT(relative_error(p.read(y), e), 1e-7);
}

TEST_P(Ops, EmbeddingOfEveryDtypeIsExact) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_F16, ASSAY_I8}) {
    Program p;
    const uint32_t index = p.tensor(ASSAY_I32, ASSAY_ROLE_INPUT, {5});
    const uint32_t scale = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {11, 3});
    const bool quantised = dtype == ASSAY_I8;
    const uint32_t table =
        p.tensor(dtype, ASSAY_ROLE_WEIGHT, {11, 21}, quantised ? static_cast<int32_t>(scale) : -1, 7);
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {5, 21});
    p.op(ASSAY_OP_EMBEDDING, {index, table}, {y});
    p.prepare(adapter_);
    const Doubles i = p.write(index, {10, 0, 3, 3, 7});
    const Doubles s = p.write_normal(scale, 4);
    const Doubles t = quantised ? p.write_codes(table, 1, -128, 127) : p.write_normal(table, 1);
    ASSERT_EQ(p.step(), ASSAY_OK);
    Doubles e(5 * 21);
    for (size_t k = 0; k < e.size(); ++k) {
      const size_t from = static_cast<size_t>(i[k / 21]) * 21 + k % 21;
      e[k] = quantised ? static_cast<float>(t[from] * s[from / 7]) : t[from];
    }
    EXPECT_EQ(p.read(y), e) << dtype;
  }
}

TEST_P(Ops, ArgmaxTakesTheLowestIndexOfTheLargest) {
  Program p;
  const int64_t n = 600001;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {4, n});
  const uint32_t y = p.tensor(ASSAY_I32, ASSAY_ROLE_OUTPUT, {4});
  p.op(ASSAY_OP_ARGMAX, {x}, {y});
  p.prepare(adapter_);
  const auto width = static_cast<size_t>(n);
  Doubles v(4 * width, -3.0);
  v[300000] = v[300007] = v[600000] = 2.5;
  v[width + 600000] = -1;
  v[3 * width + 5] = v[3 * width + 4] = 0;
  p.write(x, v);
  ASSERT_EQ(p.step(), ASSAY_OK);
  EXPECT_EQ(p.read(y), (Doubles{300000, 600000, 0, 4}));
}

TEST_P(Ops, QuantizeRoundsHalfToEven) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {3, 19});
  const uint32_t scale = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {3, 1});
  const uint32_t q = p.tensor(ASSAY_I8, ASSAY_ROLE_OUTPUT, {3, 19}, static_cast<int32_t>(scale), 19);
  p.op(ASSAY_OP_QUANTIZE, {x}, {q, scale});
  p.prepare(adapter_);
  Doubles v(3 * 19);
  Doubles e(3 * 19);
  v[0] = -127, v[1] = 0.5, v[2] = 1.5, v[3] = 2.5, v[4] = -0.5, v[18] = 126.75;  // scale 1
  e[0] = -127, e[1] = 0, e[2] = 2, e[3] = 2, e[4] = 0, e[18] = 127;
  v[38] = 254, v[40] = 2, v[41] = -3;  // scale 2
  e[38] = 127, e[40] = 1, e[41] = -2;  // -1.5 rounds to -2
  p.write(x, v);
  ASSERT_EQ(p.step(), ASSAY_OK);
  EXPECT_EQ(p.read(q), e);
  EXPECT_EQ(p.read(scale), (Doubles{1, 1, 2}));
}

// Scratch is shared by liveness and rotated in place: a chain must come out as its doubles, step after step.
TEST_P(Ops, ChainOverScratchRepeats) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {9, 40});
  const uint32_t gamma = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {40});
  const uint32_t w = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {40, 40});
  const uint32_t normed = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {9, 40});
  const uint32_t first = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {9, 40});
  const uint32_t sum = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {9, 40});
  const uint32_t second = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {9, 40});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {9, 40});
  p.op(ASSAY_OP_RMS_NORM, {x, gamma}, {normed}, {0, 40, 0, 0});
  p.op(ASSAY_OP_MATMUL, {normed, w}, {first});
  p.op(ASSAY_OP_ADD, {first, x}, {sum});
  p.op(ASSAY_OP_MATMUL, {sum, w}, {second});
  p.op(ASSAY_OP_ADD, {second, sum}, {y});
  p.prepare(adapter_);
  const Doubles xv = p.write_normal(x, 1);
  const Doubles gv = p.write_normal(gamma, 2);
  const Doubles wv = p.write_normal(w, 3, 0.2);
  const auto product = [&wv](const Doubles& a) {
    Doubles out(a.size());
    for (size_t i = 0; i < out.size(); ++i) {
      for (size_t k = 0; k < 40; ++k) out[i] += a[i / 40 * 40 + k] * wv[i % 40 * 40 + k];
    }
    return out;
  };
  Doubles e = xv;
  for (size_t row = 0; row < 9; ++row) {
    double squares = 0;
    for (size_t i = 0; i < 40; ++i) squares += e[row * 40 + i] * e[row * 40 + i];
    for (size_t i = 0; i < 40; ++i) e[row * 40 + i] *= gv[i] / std::sqrt(squares / 40);
  }
  e = product(e);
  for (size_t i = 0; i < e.size(); ++i) e[i] += xv[i];
  const Doubles summed = e;
  e = product(e);
  for (size_t i = 0; i < e.size(); ++i) e[i] += summed[i];
  for (const uint32_t repeat : {1u, 50u}) {
    ASSERT_EQ(p.step(0, repeat), ASSAY_OK);
    EXPECT_LT(relative_error(p.read(y), e), 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Adapter, Ops, testing::ValuesIn(levels()), level_name);

}  // namespace
}  // namespace assay::cpu_test
