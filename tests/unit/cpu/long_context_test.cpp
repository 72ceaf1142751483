// Latent, sparse and cross attention, and the choice of keys, against the reference.
#include "tests/unit/cpu/one_op.h"

namespace assay::cpu_test {
namespace {

struct Shape {
  int64_t batch, tokens, pos, length, heads, kv_heads, dk, dv;
  double mask;
  int64_t window = 0, rope = 0, col_k = 0, col_v = 0;
};

class LongContext : public EveryLevel {
 protected:
  static std::vector<double> attr(const Shape& s) {
    return {number(s.batch), number(s.heads),  number(s.kv_heads),
            number(s.dk),    number(s.dv),     0.2,
            s.mask,          number(s.window), 3,
            number(s.rope),  number(s.col_k),  number(s.col_v)};
  }
  // `same`: k and v are one tensor.
  double attention(const Shape& s, uint32_t dtype, bool same, const Doubles& list = {}, uint32_t q_dtype = ASSAY_F32) {
    OneOp op(adapter_);
    const int64_t rows = s.batch * s.tokens;
    const uint32_t q = op.input_of(q_dtype, {rows, 3 + s.heads * s.dk + 2});
    const int64_t wide_k = std::max(s.col_k + s.dk - s.rope, same ? s.col_v + s.dv : 0) + 1;
    const uint32_t k = op.state(dtype, {s.batch, s.length, s.kv_heads, wide_k});
    const uint32_t v = same ? k : op.state(dtype, {s.batch, s.length, s.kv_heads, s.col_v + s.dv});
    std::vector<uint32_t> in{q, k, v};
    if (s.rope > 0) in.push_back(op.state(dtype, {s.batch, s.length, 1, s.rope}));
    if (!list.empty()) {
      if (s.rope == 0) in.push_back(kNoTensor);
      in.push_back(op.integers({rows, static_cast<int64_t>(list.size()) / rows}, list));
    }
    return op.error(ASSAY_OP_ATTENTION, in, {op.output({rows, s.heads * s.dv})}, attr(s), s.pos);
  }
  double index(int64_t batch, int64_t tokens, int64_t pos, int64_t length, int64_t n, uint32_t dtype) {
    OneOp op(adapter_);
    const int64_t heads = 5, dim = 24, rows = batch * tokens;
    const uint32_t q = op.input({rows, 2 + heads * dim});
    const uint32_t k = op.state(dtype, {batch, length, 1, dim});
    const uint32_t weight = op.input({rows, heads});
    return op.error(ASSAY_OP_INDEX_TOPK, {q, k, weight}, {op.output({rows, n}, ASSAY_I32)},
                    {number(batch), number(heads), number(dim), 2, 0.3}, pos);
  }
  // A list of n different keys per row out of [0, length), some of them -1, in no order.
  static Doubles list_of(int64_t rows, int64_t n, int64_t length) {
    std::mt19937 engine(7);
    Doubles list;
    for (int64_t row = 0; row < rows; ++row) {
      Doubles keys;
      for (int64_t j = 0; j < length; ++j) keys.push_back(j % 5 == 4 ? -1 : number(j));
      std::shuffle(keys.begin(), keys.end(), engine);
      list.insert(list.end(), keys.begin(), keys.begin() + n);
    }
    return list;
  }
};

TEST_P(LongContext, CrossAttentionSeesEveryKey) {
  for (const int64_t tokens : {1, 5, 300}) {
    EXPECT_LT(attention({2, tokens, 7, 77, 4, 2, 16, 24, ASSAY_MASK_CROSS}, ASSAY_F32, false), 1e-5) << tokens;
    EXPECT_LT(attention({1, tokens, 0, 1, 3, 3, 16, 24, ASSAY_MASK_CROSS}, ASSAY_BF16, false), 1e-5) << tokens;
  }
}

TEST_P(LongContext, AbsorbedLatentAttention) {
  for (const int64_t tokens : {1, 3}) {
    EXPECT_LT(attention({1, tokens, 90, 100, 20, 1, 576, 512, ASSAY_MASK_CAUSAL}, ASSAY_F32, true), 1e-5) << tokens;
    EXPECT_LT(attention({2, tokens, 0, 100, 33, 1, 40, 32, ASSAY_MASK_CAUSAL}, ASSAY_BF16, true), 1e-5) << tokens;
  }
  EXPECT_LT(attention({1, 1, 700, 710, 200, 1, 40, 32, ASSAY_MASK_CAUSAL}, ASSAY_F32, true), 1e-5);
}

TEST_P(LongContext, ColumnsOfAWiderCacheAndRotaryKeysBeside) {
  for (const int64_t tokens : {1, 70}) {
    EXPECT_LT(attention({2, tokens, 5, 80, 4, 2, 24, 17, ASSAY_MASK_CAUSAL, 0, 0, 7, 9}, ASSAY_F16, true), 1e-5);
    EXPECT_LT(attention({2, tokens, 5, 80, 4, 4, 24, 16, ASSAY_MASK_CAUSAL, 0, 8, 16, 0}, ASSAY_F32, true), 1e-5);
    EXPECT_LT(attention({1, tokens, 5, 80, 4, 2, 24, 16, ASSAY_MASK_WINDOW, 6, 8}, ASSAY_BF16, false), 1e-5);
    EXPECT_LT(attention({1, tokens, 5, 80, 2, 1, 8, 16, ASSAY_MASK_FULL, 0, 8}, ASSAY_F32, false), 1e-5);
  }
}

// Widths that are even, so that products in bf16 are possible; the limit as in Attention.PrefillInBf16.
TEST_P(LongContext, LatentRotaryAndCrossAttentionInBf16) {
  const auto check = [&](const Shape& s) {
    EXPECT_LT(attention(s, ASSAY_BF16, true, {}, ASSAY_BF16), 1.0 / 256) << s.tokens << " tokens, mask " << s.mask;
  };
  check({2, 70, 5, 80, 4, 2, 24, 33, ASSAY_MASK_CAUSAL, 0, 8, 16, 0});
  check({2, 3, 140, 200, 33, 1, 40, 41, ASSAY_MASK_CAUSAL});
  check({1, 1, 700, 710, 16, 1, 72, 65, ASSAY_MASK_CAUSAL, 0, 8});
  check({2, 30, 7, 77, 4, 2, 16, 25, ASSAY_MASK_CROSS});
}

TEST_P(LongContext, ManyQueriesOverManyTiles) {
  EXPECT_LT(attention({1, 450, 77, 600, 3, 1, 64, 64, ASSAY_MASK_CAUSAL}, ASSAY_F32, false), 1e-5);
  EXPECT_LT(attention({1, 450, 77, 600, 2, 2, 128, 128, ASSAY_MASK_FULL}, ASSAY_F32, false), 1e-5);
  EXPECT_LT(attention({2, 300, 0, 300, 2, 2, 32, 32, ASSAY_MASK_WINDOW, 3}, ASSAY_F32, false), 1e-5);
}

TEST_P(LongContext, ListsOfKeys) {
  for (const int64_t tokens : {1, 9}) {
    const Shape latent{2, tokens, 60, 100, 18, 1, 40, 32, ASSAY_MASK_CAUSAL};
    EXPECT_LT(attention(latent, ASSAY_F32, true, list_of(2 * tokens, 50, 100)), 1e-5);
    const Shape grouped{1, tokens, 400, 900, 4, 2, 24, 16, ASSAY_MASK_CAUSAL, 0, 8};
    EXPECT_LT(attention(grouped, ASSAY_BF16, false, list_of(tokens, 800, 900)), 1e-5);
  }
  const Shape none{1, 2, 0, 4, 3, 1, 8, 8, ASSAY_MASK_CAUSAL};
  EXPECT_LT(attention(none, ASSAY_F32, false, {-1, -1, 0, 3}), 1e-5);
}

TEST_P(LongContext, KeysAppendedAlone) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16}) {
    OneOp op(adapter_);
    const uint32_t x = op.input({6, 20});
    const uint32_t k = op.state(dtype, {2, 8, 1, 7});
    EXPECT_LT(op.error(ASSAY_OP_KV_APPEND, {x, k, k}, {k, k}, {2, 1, 7, 0, 4, 0}, 3), dtype == ASSAY_F32 ? 1e-7 : 4e-3);
  }
}

TEST_P(LongContext, IndexOfTheBestKeys) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16}) {
    EXPECT_EQ(index(1, 1, 0, 1, 1, dtype), 0);
    EXPECT_EQ(index(2, 1, 40, 50, 7, dtype), 0);
    EXPECT_EQ(index(1, 1, 2900, 3000, 64, dtype), 0);
    EXPECT_EQ(index(2, 70, 3, 80, 20, dtype), 0);
    EXPECT_EQ(index(1, 300, 0, 300, 400, dtype), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Adapter, LongContext, testing::ValuesIn(levels()), level_name);

}  // namespace
}  // namespace assay::cpu_test
