// The ops of a mixture of experts, and products with a matrix per head, against the reference.
#include "tests/unit/cpu/one_op.h"

namespace assay::cpu_test {
namespace {

class Moe : public EveryLevel {
 protected:
  double grouped(const Doubles& offsets, int64_t rows, int64_t n, int64_t k, uint32_t dtype, int32_t block = 0,
                 uint32_t rows_dtype = ASSAY_F32) {
    OneOp op(adapter_);
    const auto experts = static_cast<int64_t>(offsets.size()) - 1;
    const uint32_t x = op.input_of(rows_dtype, {rows, k});
    const uint32_t w = op.weight(dtype, {experts, n, k}, block);
    const uint32_t o = op.integers({experts + 1}, offsets);
    return op.error(ASSAY_OP_GROUPED_MATMUL, {x, w, o}, {op.output({rows, n})});
  }
  double router(int64_t rows, int64_t experts, const std::vector<double>& attr, bool planned = false) {
    OneOp op(adapter_);
    std::vector<uint32_t> in{op.input({rows, experts}, 2)};
    if (planned) in.push_back(op.input({rows, experts}, 1e6));
    const auto k = static_cast<int64_t>(attr[0]);
    return op.error(ASSAY_OP_ROUTER_TOPK, in, {op.output({rows, k}, ASSAY_I32), op.output({rows, k})}, attr);
  }
  double dispatch(const Doubles& index, int64_t k, int64_t experts) {
    OneOp op(adapter_);
    const auto pairs = static_cast<int64_t>(index.size());
    const uint32_t x = op.input({pairs / k, 19});
    const uint32_t i = op.integers({pairs / k, k}, index);
    return op.error(ASSAY_OP_MOE_DISPATCH, {x, i},
                    {op.output({pairs, 19}), op.output({experts + 1}, ASSAY_I32), op.output({pairs / k, k}, ASSAY_I32)},
                    {number(experts)});
  }
};

TEST_P(Moe, GroupsOfEverySizeAndDtype) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_F16}) {
    EXPECT_LT(grouped({0, 1}, 1, 1, 1, dtype), 1e-5);
    EXPECT_LT(grouped({0, 0, 3, 3, 20, 20}, 20, 19, 37, dtype), 1e-5);
    EXPECT_LT(grouped({0, 1, 9, 40, 40, 171}, 171, 131, 70, dtype), 1e-5);
  }
  EXPECT_LT(grouped({0, 2, 2, 15}, 15, 21, 48, ASSAY_I8, 16), 1e-5);
  EXPECT_LT(grouped({0, 2, 2, 15}, 15, 21, 48, ASSAY_I8, 48), 1e-5);
  EXPECT_LT(grouped({0, 8, 8, 148}, 148, 100, 96, ASSAY_I8, 32), 1e-5);
}

// Products of two bf16 are exact in f32, so that only the order of the sums is the kernel's own.
TEST_P(Moe, GroupsOfBf16Rows) {
  EXPECT_LT(grouped({0, 1}, 1, 1, 1, ASSAY_BF16, 0, ASSAY_BF16), 1e-5);
  EXPECT_LT(grouped({0, 0, 3, 3, 20, 20}, 20, 19, 37, ASSAY_BF16, 0, ASSAY_BF16), 1e-5);
  EXPECT_LT(grouped({0, 1, 9, 40, 40, 171}, 171, 131, 70, ASSAY_BF16, 0, ASSAY_BF16), 1e-5);
  EXPECT_LT(grouped({0, 0, 0, 100, 100}, 100, 6, 64, ASSAY_BF16, 0, ASSAY_BF16), 1e-5);
}

// Every way that a group's rows fill vectors: none, half of one, one, a few rows more, several, a block and more.
TEST_P(Moe, GroupsThatFillVectorsInEveryWay) {
  const Doubles offsets{0, 5, 13, 22, 38, 55, 75, 96, 120, 168, 217, 317};
  EXPECT_LT(grouped(offsets, 317, 37, 35, ASSAY_F32), 1e-5);
  EXPECT_LT(grouped(offsets, 317, 8, 64, ASSAY_F32), 1e-5);
  EXPECT_LT(grouped(offsets, 317, 37, 70, ASSAY_BF16, 0, ASSAY_BF16), 1e-5);
  EXPECT_LT(grouped(offsets, 317, 9, 35, ASSAY_BF16, 0, ASSAY_BF16), 1e-5);
  // 51 columns of 2100 elements are cut into tasks, the last of too few columns for whole tiles.
  EXPECT_LT(grouped({0, 20, 45}, 45, 51, 2100, ASSAY_F32), 1e-5);
}

TEST_P(Moe, GroupsOfInt8WithAScalePerRow) {
  EXPECT_LT(grouped({0, 1}, 1, 1, 1, ASSAY_I8, 1), 1e-5);
  EXPECT_LT(grouped({0, 0, 3, 3, 20, 20}, 20, 19, 37, ASSAY_I8, 37), 1e-5);
  EXPECT_LT(grouped({0, 1, 9, 40, 40, 171}, 171, 131, 130, ASSAY_I8, 130), 1e-5);
  EXPECT_LT(grouped({0, 0, 0, 100, 100}, 100, 6, 64, ASSAY_I8, 64), 1e-5);
}

// The rows as in Matmul.WeightOnlyInt8ByRowsOfBf16: sqrt(130)/65024 = 1.8e-4, sqrt(2100)/65024 = 7e-4.
TEST_P(Moe, GroupsOfInt8ByRowsOfBf16) {
  EXPECT_LT(grouped({0, 0, 3, 3, 20, 20}, 20, 19, 37, ASSAY_I8, 37, ASSAY_BF16), 1.8e-4);
  EXPECT_LT(grouped({0, 1, 9, 40, 40, 171}, 171, 131, 130, ASSAY_I8, 130, ASSAY_BF16), 1.8e-4);
  EXPECT_LT(grouped({0, 11, 23}, 23, 9, 2100, ASSAY_I8, 2100, ASSAY_BF16), 7e-4);
}

TEST_P(Moe, DepthBeyondOnePassAndGroupsAcrossPasses) {
  EXPECT_LT(grouped({0, 11, 23}, 23, 9, 2100, ASSAY_F32), 1e-5);
  EXPECT_LT(grouped({0, 11, 23}, 23, 9, 2100, ASSAY_I8, 300), 1e-5);
  // Rows of bf16 by blocks of weights that fit a cache, 32 columns here, and then 7; groups of 1 to 13 rows.
  const Doubles sizes{0, 1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 66, 78, 91};
  EXPECT_LT(grouped(sizes, 91, 39, 2048, ASSAY_BF16, 0, ASSAY_BF16), 1e-5);
  EXPECT_LT(grouped({0, 11, 23, 58}, 58, 9, 2102, ASSAY_BF16, 0, ASSAY_BF16), 1e-5);
}

TEST_P(Moe, AllRowsOnOneExpertAndRowsBehindTheLast) {
  EXPECT_LT(grouped({0, 0, 0, 200, 200}, 200, 70, 33, ASSAY_F32), 1e-5);
  EXPECT_LT(grouped({0, 0, 3, 3}, 9, 70, 33, ASSAY_F32), 1e-5);
  EXPECT_EQ(grouped({0, 0, 0, 0}, 9, 70, 33, ASSAY_F32), 0);
}

TEST_P(Moe, OffsetsThatDoNotAscendFailTheRun) {
  if (!GetParam().tells_bad_indices) GTEST_SKIP() << "reads them as 0";
  for (const Doubles& offsets : {Doubles{0, 3, 2}, Doubles{0, 3, 5}, Doubles{1, 3, 4}, Doubles{0, -1, 4}}) {
    Program p;
    const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {4, 8});
    const uint32_t w = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {2, 8, 8});
    const uint32_t o = p.tensor(ASSAY_I32, ASSAY_ROLE_INPUT, {3});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {4, 8});
    p.op(ASSAY_OP_GROUPED_MATMUL, {x, w, o}, {y});
    p.prepare(adapter_);
    p.write(o, offsets);
    EXPECT_EQ(p.step(), ASSAY_INVALID_ARGUMENT);
    EXPECT_EQ(Adapter::error(), "op 0 (grouped_matmul): the offsets do not ascend from 0");
    p.write(o, {0, 2, 4});
    EXPECT_EQ(p.step(), ASSAY_OK) << Adapter::error();
  }
}

TEST_P(Moe, RouterFunctions) {
  for (const double function : {ASSAY_ROUTER_SOFTMAX, ASSAY_ROUTER_SIGMOID, ASSAY_ROUTER_SOFTMAX_OF_TOPK}) {
    for (const double normalise : {0.0, 1.0}) {
      EXPECT_LT(router(37, 61, {6, function, normalise, 2.5, 1, 1}), 1e-5) << function << normalise;
      EXPECT_LT(router(1, 7, {7, function, normalise, 1, 0, 0}), 1e-5) << function << normalise;
    }
  }
  EXPECT_LT(router(5, 1, {1, ASSAY_ROUTER_SOFTMAX, 1, 1, 1, 1}), 1e-5);
}

TEST_P(Moe, RouterGroupsAndPlan) {
  EXPECT_LT(router(33, 256, {8, ASSAY_ROUTER_SIGMOID, 1, 2.5, 8, 4}), 1e-5);
  EXPECT_LT(router(33, 24, {4, ASSAY_ROUTER_SIGMOID, 1, 1, 24, 5}), 1e-5);
  EXPECT_LT(router(33, 256, {8, ASSAY_ROUTER_SIGMOID, 1, 2.5, 8, 4}, true), 1e-5);
  EXPECT_LT(router(20, 40, {3, ASSAY_ROUTER_SOFTMAX, 0, 1, 1, 1}, true), 1e-5);
}

TEST_P(Moe, EqualLogitsGoToTheLowerExpert) {
  OneOp op(adapter_);
  const uint32_t logits = op.numbers({2, 5}, {1, 3, 3, 0, 3, 0, 0, 0, 0, 0});
  EXPECT_LT(op.error(ASSAY_OP_ROUTER_TOPK, {logits}, {op.output({2, 2}, ASSAY_I32), op.output({2, 2})},
                     {2, ASSAY_ROUTER_SOFTMAX, 1, 1, 1, 1}),
            1e-5);
}

TEST_P(Moe, Dispatch) {
  EXPECT_EQ(dispatch({2}, 1, 3), 0);
  EXPECT_EQ(dispatch({4, 1, 0, 4, 3, 4, 1, 0}, 2, 6), 0);
  EXPECT_EQ(dispatch({3, 3, 3, 3, 3}, 1, 5), 0);
}

TEST_P(Moe, DispatchToAnUnknownExpertFailsTheRun) {
  if (!GetParam().tells_bad_indices) GTEST_SKIP() << "reads them as 0";
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {2, 4});
  const uint32_t index = p.tensor(ASSAY_I32, ASSAY_ROLE_INPUT, {2, 1});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {2, 4});
  const uint32_t offsets = p.tensor(ASSAY_I32, ASSAY_ROLE_OUTPUT, {4});
  const uint32_t place = p.tensor(ASSAY_I32, ASSAY_ROLE_OUTPUT, {2, 1});
  p.op(ASSAY_OP_MOE_DISPATCH, {x, index}, {y, offsets, place}, {3});
  p.prepare(adapter_);
  p.write(index, {2, 3});
  EXPECT_EQ(p.step(), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter::error(), "op 0 (moe_dispatch): index 3 outside a table of 3 rows");
}

TEST_P(Moe, Combine) {
  OneOp op(adapter_);
  const uint32_t x = op.input({12, 35});
  const uint32_t place = op.integers({4, 3}, {11, 0, 5, 1, 2, 3, 4, 6, 7, 8, 9, 10});
  const uint32_t weight = op.input({4, 3});
  EXPECT_LT(op.error(ASSAY_OP_MOE_COMBINE, {x, place, weight}, {op.output({4, 35})}), 1e-5);
}

TEST_P(Moe, HeadMatmul) {
  for (const int64_t rows : {1, 7, 40, 300}) {
    for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_I8}) {
      OneOp op(adapter_);
      const uint32_t x = op.input({rows, 3 + 3 * 29 + 6});
      const uint32_t w = op.weight(dtype, {3, 66, 20}, 10);
      EXPECT_LT(op.error(ASSAY_OP_HEAD_MATMUL, {x, w}, {op.output({rows, 3 * (66 + 9)})}, {3, 3, 29, 9}), 1e-5)
          << rows << " rows, dtype " << dtype;
    }
  }
}

TEST_P(Moe, KvExpand) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_F16}) {
    for (const int64_t pos : {0, 2, 290}) {
      OneOp op(adapter_);
      const uint32_t latent = op.state(dtype, {2, 300, 1, 40});
      const uint32_t w = op.weight(dtype, {4 * 9, 32});
      EXPECT_LT(op.error(ASSAY_OP_KV_EXPAND, {latent, w}, {op.output({2, 300, 4, 9})}, {5, 4, 8}, pos), 1e-5)
          << pos << " dtype " << dtype;
    }
  }
  OneOp op(adapter_);
  const uint32_t latent = op.state(ASSAY_F32, {1, 130, 1, 32});
  const uint32_t w = op.weight(ASSAY_I8, {600, 32}, 16);
  EXPECT_LT(op.error(ASSAY_OP_KV_EXPAND, {latent, w}, {op.output({1, 130, 6, 100})}, {129, 6, 0}, 1), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Adapter, Moe, testing::ValuesIn(levels()), level_name);

}  // namespace
}  // namespace assay::cpu_test
