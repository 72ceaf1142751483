// The diffusion transformer's and the video decoder's ops against values worked out by hand.
#include <cmath>

#include "tests/unit/reference/one_op.h"

namespace assay {
namespace {

// Two sequences of one row each. (1,3): mean 2, variance 1, n = (-1,1); gamma (2,3), beta 1: (-1,4).
TEST(VideoOp, LayerNormThenModulation) {
  OneOp t;
  const uint32_t x = t.add({2, 2}, {1, 3, 1, 3}), mod = t.add({2, 5}, {0, 10, 20, 1, 0.5, 0, 0, 0, -1, 0});
  const uint32_t gamma = t.add({2}, {2, 3}), beta = t.add({2}, {1, 1});
  const uint32_t y = t.result({2, 2});
  // Shift from column 1, scale from column 3: -1 x 2 + 10, 4 x 1.5 + 20; then -1 x 0 + 0, 4 x 1 + 0.
  expect_near(t.run(ASSAY_OP_LAYER_NORM_MODULATE, {x, mod, gamma, beta}, {y}, {2, 0, 1, 3})[0], {8, 26, 0, 4});
  expect_near(t.run(ASSAY_OP_LAYER_NORM_MODULATE, {x, mod}, {y}, {2, 0, 1, 3})[0], {8, 21.5, 0, 1});
  expect_near(t.run(ASSAY_OP_LAYER_NORM_MODULATE, {x, kNoTensor, gamma}, {y}, {2, 0, 0, 0})[0], {-2, 3, -2, 3});
  // eps 3: root 2.
  expect_near(t.run(ASSAY_OP_LAYER_NORM_MODULATE, {x}, {y}, {2, 3, 0, 0})[0], {-0.5, 0.5, -0.5, 0.5});
}

TEST(VideoOp, Activation) {
  OneOp t;
  const uint32_t x = t.add({1, 2}, {1, 0});
  const uint32_t y = t.result({1, 2});
  expect_near(t.run(ASSAY_OP_ACTIVATION, {x}, {y}, {ASSAY_ACT_SILU})[0], {0.7310585786300049, 0});
  expect_near(t.run(ASSAY_OP_ACTIVATION, {x}, {y}, {ASSAY_ACT_GELU_ERF})[0], {0.8413447460685429, 0});
  expect_near(t.run(ASSAY_OP_ACTIVATION, {x}, {y}, {ASSAY_ACT_GELU_TANH})[0], {0.8411919906, 0}, 1e-9);
}

TEST(VideoOp, GatedAddTakesItsSequencesGate) {
  OneOp t;
  const uint32_t a = t.add({2, 2}, {1, 2, 1, 2}), b = t.add({2, 2}, {10, 20, 10, 20});
  const uint32_t mod = t.add({2, 3}, {9, 0.5, 2, 9, 0, -1});
  const uint32_t y = t.result({2, 2});
  expect_near(t.run(ASSAY_OP_ADD, {a, b, mod}, {y}, {2, 1})[0], {6, 42, 1, -18});
}

// Grid 2 x 3 behind one text row, dims 2, 2, 2 (f = 1 in each). Token 6: place 5 = (0, 1, 2); token 7: place 6 = (1, 0,
// 0).
TEST(VideoOp, RopeOnAGridOfThreeAxes) {
  OneOp t;
  Values ones(8 * 6, 0.0);
  for (size_t i = 0; i < ones.size(); i += 2) ones[i] = 1;  // (1,0) turns to (cos, sin)
  const uint32_t x = t.add({8, 6}, ones);
  const uint32_t y = t.result({8, 6});
  const Values out = t.run(ASSAY_OP_ROPE, {x}, {y}, {1, 6, 6, 100, 0, 0, 6, 0, 0, 0, 0, 0, 2, 3, 2, 2, 1}, 40)[0];
  const double c1 = std::cos(1.0), s1 = std::sin(1.0), c2 = std::cos(2.0), s2 = std::sin(2.0);
  expect_near(Values(out.begin(), out.begin() + 12), {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0});  // text, place 0
  expect_near(Values(out.begin() + 36, out.end()), {1, 0, c1, s1, c2, s2, c1, s1, 1, 0, 1, 0});
}

TEST(VideoOp, PatchesHoldChannelsFirst) {
  OneOp t;
  const uint32_t x = t.add({1, 2, 1, 2, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17});
  const uint32_t rows = t.result({2, 8});
  const Values patches = t.run(ASSAY_OP_PATCHIFY3D, {x}, {rows}, {1, 2, 2, 0})[0];
  expect_near(patches, {0, 1, 4, 5, 10, 11, 14, 15, 2, 3, 6, 7, 12, 13, 16, 17});
  OneOp back;
  const uint32_t p = back.add({2, 8}, patches);
  const uint32_t video = back.result({1, 2, 1, 2, 4});
  expect_near(back.run(ASSAY_OP_PATCHIFY3D, {p}, {video}, {1, 2, 2, 1})[0], t.inputs[x]);
}

// Batch 2, two frames a patch: row 0 holds both frames of sequence 0.
TEST(VideoOp, PatchesOfSeveralFrames) {
  OneOp t;
  const uint32_t x = t.add({2, 1, 2, 1, 1}, {1, 2, 3, 4});
  const uint32_t rows = t.result({2, 2});
  expect_near(t.run(ASSAY_OP_PATCHIFY3D, {x}, {rows}, {2, 1, 1, 0})[0], {1, 2, 3, 4});
}

// Three taps in time: the last one meets the frame itself, earlier ones the past, which is zero before frame 0.
TEST(VideoOp, ConvolutionIsCausalInTime) {
  OneOp t;
  const uint32_t x = t.add({2, 1, 1, 1}, {3, 5}), w = t.add({1, 3}, {1, 10, 100}), bias = t.add({1}, {0.5});
  const uint32_t y = t.result({2, 1, 1, 1});
  expect_near(t.run(ASSAY_OP_CONV3D, {x, w, bias}, {y}, {3, 1, 1, 0, 0, 0})[0], {300.5, 530.5});
}

TEST(VideoOp, ConvolutionIsCentredInSpace) {
  OneOp t;
  const uint32_t x = t.add({1, 1, 3, 1}, {1, 2, 3}), w = t.add({1, 3}, {1, 10, 100});
  const uint32_t y = t.result({1, 1, 3, 1});
  expect_near(t.run(ASSAY_OP_CONV3D, {x, w}, {y}, {1, 1, 3, 0, 0, 0})[0], {210, 321, 32});
  OneOp h;
  const uint32_t column = h.add({1, 3, 1, 1}, {1, 2, 3}), wh = h.add({1, 3}, {1, 10, 100});
  const uint32_t z = h.result({1, 3, 1, 1});
  expect_near(h.run(ASSAY_OP_CONV3D, {column, wh}, {z}, {1, 3, 1, 0, 0, 0})[0], {210, 321, 32});
}

// Two channels in, two out: taps hold the channels side by side.
TEST(VideoOp, ConvolutionSumsOverChannels) {
  OneOp t;
  const uint32_t x = t.add({1, 1, 1, 2}, {3, 4}), w = t.add({2, 2}, {1, 10, 100, 1000});
  const uint32_t y = t.result({1, 1, 1, 2});
  expect_near(t.run(ASSAY_OP_CONV3D, {x, w}, {y}, {1, 1, 1, 0, 0, 0})[0], {43, 4300});
}

// In space every element twice; in time every frame but the first.
TEST(VideoOp, ConvolutionOfAnEnlargedInput) {
  OneOp t;
  const uint32_t x = t.add({1, 1, 2, 1}, {1, 2}), w = t.add({1, 1}, {3});
  const uint32_t y = t.result({1, 2, 4, 1});
  expect_near(t.run(ASSAY_OP_CONV3D, {x, w}, {y}, {1, 1, 1, 0, 2, 2})[0], {3, 3, 6, 6, 3, 3, 6, 6});
  OneOp f;
  const uint32_t frames = f.add({3, 1, 1, 1}, {1, 2, 3}), one = f.add({1, 1}, {1});
  const uint32_t z = f.result({5, 1, 1, 1});
  expect_near(f.run(ASSAY_OP_CONV3D, {frames, one}, {z}, {1, 1, 1, 2, 0, 0})[0], {1, 2, 2, 3, 3});
}

// Group 0 is (1,3) at both places, group 1 (0,0) and (2,2): deviations of one from means 2 and 1.
TEST(VideoOp, GroupNormRunsOverPlacesAndChannels) {
  OneOp t;
  const uint32_t x = t.add({1, 1, 2, 4}, {1, 3, 0, 0, 1, 3, 2, 2}), gamma = t.add({4}, {1, 2, 1, 1});
  const uint32_t beta = t.add({4}, {0, 0, 5, 0});
  const uint32_t y = t.result({1, 1, 2, 4});
  expect_near(t.run(ASSAY_OP_GROUP_NORM, {x, gamma, beta}, {y}, {0, 2})[0], {-1, 2, 4, -1, -1, 2, 6, 1});
}

}  // namespace
}  // namespace assay
