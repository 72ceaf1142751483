// The ops of diffusion transformers and video decoders against the reference.
#include "tests/unit/cpu/one_op.h"

namespace assay::cpu_test {
namespace {

class Video : public EveryLevel {
 protected:
  double conv(const std::vector<int64_t>& x, int64_t outputs, const std::vector<double>& attr, uint32_t dtype,
              int32_t block = 0, bool bias = true) {
    OneOp op(adapter_);
    const auto up = [&](size_t axis) { return std::max<int64_t>(1, static_cast<int64_t>(attr[3 + axis])); };
    const auto taps = static_cast<int64_t>(attr[0] * attr[1] * attr[2]);
    std::vector<uint32_t> in{op.input(x), op.weight(dtype, {outputs, taps * x[3]}, block)};
    if (bias) in.push_back(op.weight(ASSAY_BF16, {outputs}));
    const uint32_t y = op.output({(x[0] - 1) * up(0) + 1, x[1] * up(1), x[2] * up(2), outputs});
    return op.error(ASSAY_OP_CONV3D, in, {y}, attr);
  }
  double patchify(bool inverse) {
    OneOp op(adapter_);
    const std::vector<int64_t> image{2, 3, 4, 6, 10};
    const std::vector<int64_t> rows{2 * 2 * 2 * 5, 3 * 2 * 3 * 2};
    const uint32_t x = op.input(inverse ? rows : image);
    return op.error(ASSAY_OP_PATCHIFY3D, {x}, {op.output(inverse ? image : rows)}, {2, 3, 2, inverse ? 1.0 : 0.0});
  }
};

TEST_P(Video, LayerNormWithAndWithoutItsParts) {
  for (const int64_t h : {1, 17, 200}) {
    for (int parts = 0; parts < 8; ++parts) {
      OneOp op(adapter_);
      std::vector<uint32_t> in{op.input({6, h}, 2, 5)};
      in.push_back((parts & 1) != 0 ? op.input({2, 3 * h + 2}) : kNoTensor);
      in.push_back((parts & 2) != 0 ? op.weight(ASSAY_BF16, {h}) : kNoTensor);
      if ((parts & 4) != 0) in.push_back(op.weight(ASSAY_F32, {h}));
      while (in.back() == kNoTensor) in.pop_back();
      EXPECT_LT(op.error(ASSAY_OP_LAYER_NORM_MODULATE, in, {op.output({6, h})}, {2, 1e-5, 2, number(h) + 1}), 1e-5)
          << h << " parts " << parts;
    }
  }
}

TEST_P(Video, Activation) {
  for (const double function : {ASSAY_ACT_SILU, ASSAY_ACT_GELU_TANH, ASSAY_ACT_GELU_ERF}) {
    OneOp op(adapter_);
    const uint32_t x = op.input({3, 77}, 4);
    EXPECT_LT(op.error(ASSAY_OP_ACTIVATION, {x}, {op.output({3, 77})}, {function}), 1e-5) << function;
  }
}

TEST_P(Video, GatedAdd) {
  OneOp op(adapter_);
  const uint32_t a = op.input({6, 21});
  const uint32_t b = op.weight(ASSAY_BF16, {6, 21});
  const uint32_t mod = op.input({3, 50});
  EXPECT_LT(op.error(ASSAY_OP_ADD, {a, b, mod}, {op.output({6, 21})}, {3, 29}), 1e-5);
}

TEST_P(Video, PatchifyBothWays) {
  EXPECT_EQ(patchify(false), 0);
  EXPECT_EQ(patchify(true), 0);
}

TEST_P(Video, ConvOfEveryKernelAndDtype) {
  const std::vector<double> cube{3, 3, 3, 0, 0, 0};
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_F16}) {
    EXPECT_LT(conv({3, 5, 7, 6}, 9, cube, dtype), 1e-5);
    EXPECT_LT(conv({1, 1, 1, 1}, 1, cube, dtype), 1e-5);
  }
  EXPECT_LT(conv({3, 5, 7, 6}, 9, cube, ASSAY_I8, 27), 1e-5);
  EXPECT_LT(conv({2, 4, 3, 5}, 33, {1, 1, 1, 0, 0, 0}, ASSAY_F32, 0, false), 1e-5);
  EXPECT_LT(conv({4, 4, 3, 5}, 40, {2, 1, 5, 0, 1, 1}, ASSAY_F32), 1e-5);
  EXPECT_LT(conv({2, 3, 300, 3}, 4, {1, 3, 3, 0, 0, 0}, ASSAY_F32), 1e-5);
  EXPECT_LT(conv({1, 9, 9, 512}, 8, {1, 3, 3, 0, 0, 0}, ASSAY_F32), 1e-5);
}

TEST_P(Video, ConvOfAnEnlargedInput) {
  EXPECT_LT(conv({3, 4, 5, 6}, 7, {3, 3, 3, 2, 2, 2}, ASSAY_F32), 1e-5);
  EXPECT_LT(conv({2, 3, 5, 4}, 5, {1, 3, 3, 1, 2, 3}, ASSAY_BF16), 1e-5);
  EXPECT_LT(conv({4, 2, 2, 4}, 5, {3, 1, 1, 3, 0, 0}, ASSAY_F32), 1e-5);
}

TEST_P(Video, GroupNorm) {
  for (const int64_t groups : {1, 3, 24}) {
    OneOp op(adapter_);
    const uint32_t x = op.input({3, 30, 31, 24}, 0.5, 3);
    const uint32_t gamma = op.weight(ASSAY_F32, {24});
    const uint32_t beta = op.weight(ASSAY_F32, {24});
    EXPECT_LT(op.error(ASSAY_OP_GROUP_NORM, {x, gamma, beta}, {op.output({3, 30, 31, 24})}, {1e-6, number(groups)}),
              1e-5)
        << groups;
  }
}

TEST_P(Video, RopeOnAGridBehindText) {
  for (const double interleaved : {0.0, 1.0}) {
    OneOp op(adapter_);
    const int64_t tokens = 3 + 2 * 3 * 5;
    const uint32_t x = op.input({2 * tokens, 4 + 3 * 30});
    EXPECT_LT(op.error(ASSAY_OP_ROPE, {x}, {op.output({2 * tokens, 94})},
                       {2, 30, 22, 256, interleaved, 4, 90, 0, 0, 0, 0, 6, 3, 5, 6, 8, 3}, 9),
              1e-5);
  }
}

TEST_P(Video, RopeOfOneAxisAndOfLastElements) {
  for (const double interleaved : {0.0, 1.0}) {
    OneOp op(adapter_);
    const uint32_t x = op.input({7, 48});
    EXPECT_LT(op.error(ASSAY_OP_ROPE, {x}, {op.output({7, 48})},
                       {1, 24, 16, 10000, interleaved, 0, 48, 0, 0, 0, 0, 8, 1, 7, 0, 0, 0}),
              1e-5);
    OneOp last(adapter_);
    const uint32_t z = last.input({7, 48});
    EXPECT_LT(last.error(ASSAY_OP_ROPE, {z}, {last.output({7, 48})},
                         {1, 24, 10, 10000, interleaved, 0, 48, 0, 0, 0, 0, 14}, 1000),
              1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Adapter, Video, testing::ValuesIn(levels()), level_name);

}  // namespace
}  // namespace assay::cpu_test
