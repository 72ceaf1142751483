// The video ops of ABI 1.1 against a second implementation, written from op_spec.md by other means, at odd shapes.
#include <cmath>

#include "tests/unit/reference/one_op.h"

namespace assay {
namespace {

// The input is enlarged in full, then every element of it is added wherever the kernel carries it.
void check_convolution(int64_t frames, int64_t height, int64_t width, int64_t channels, int64_t out_channels,
                       const std::vector<int64_t>& kernel, const std::vector<int64_t>& up) {
  RandomOp t;
  const int64_t taps = kernel[0] * kernel[1] * kernel[2];
  const uint32_t x = t.normal({frames, height, width, channels}), w = t.normal({out_channels, taps * channels});
  const uint32_t bias = t.normal({out_channels});
  const auto factor = [](int64_t u) { return std::max<int64_t>(1, u); };
  const int64_t ft = factor(up[0]), fh = factor(up[1]), fw = factor(up[2]);
  const int64_t tall = (frames - 1) * ft + 1, high = height * fh, wide = width * fw;
  const uint32_t y = t.result({tall, high, wide, out_channels});
  std::vector<double> attr;
  for (const auto* list : {&kernel, &up}) attr.insert(attr.end(), list->begin(), list->end());
  const Values out = t.run(ASSAY_OP_CONV3D, {x, w, bias}, {y}, attr)[0];
  std::vector<int64_t> frame_of{0};
  for (int64_t f = 1; f < frames; ++f) frame_of.insert(frame_of.end(), static_cast<size_t>(ft), f);
  ASSERT_EQ(static_cast<int64_t>(frame_of.size()), tall);
  Values expected(out.size());
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = t.inputs[bias][i % static_cast<size_t>(out_channels)];
  for (int64_t f = 0; f < tall; ++f)
    for (int64_t r = 0; r < high; ++r)
      for (int64_t s = 0; s < wide; ++s)
        for (int64_t tap = 0; tap < taps; ++tap) {
          const int64_t i = tap / (kernel[1] * kernel[2]), j = tap / kernel[2] % kernel[1], l = tap % kernel[2];
          const int64_t a = f + kernel[0] - 1 - i, b = r + kernel[1] / 2 - j, c = s + kernel[2] / 2 - l;
          if (a >= tall || b < 0 || b >= high || c < 0 || c >= wide) continue;
          for (int64_t ch = 0; ch < channels; ++ch) {
            const double value = t.at(x, {frame_of[static_cast<size_t>(f)], r / fh, s / fw, ch});
            for (int64_t o = 0; o < out_channels; ++o) {
              expected[static_cast<size_t>(((a * high + b) * wide + c) * out_channels + o)] +=
                  t.at(w, {o, tap * channels + ch}) * value;
            }
          }
        }
  expect_near(out, expected, 1e-11);
}

TEST(SecondImplementation, Convolution) {
  check_convolution(1, 1, 1, 1, 1, {1, 1, 1}, {0, 0, 0});
  check_convolution(4, 3, 5, 2, 3, {3, 3, 3}, {0, 0, 0});
  check_convolution(1, 3, 2, 3, 2, {3, 3, 3}, {2, 2, 2});  // one frame: no frame to repeat
  check_convolution(3, 2, 3, 2, 1, {2, 1, 5}, {3, 1, 2});  // even in time, flat in height
}

TEST(SecondImplementation, GroupNormAndLayerNorm) {
  RandomOp t;
  const uint32_t x = t.normal({3, 2, 5, 12}), gamma = t.normal({12}), beta = t.normal({12}),
                 y = t.result({3, 2, 5, 12});
  for (double& v : t.inputs[x]) v = 3 * v + 1000;  // a mean far from zero must cost no digits
  const Values out = t.run(ASSAY_OP_GROUP_NORM, {x, gamma, beta}, {y}, {0.25, 4})[0];
  Values expected(out.size());
  for (size_t g = 0; g < 4; ++g) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < out.size(); ++i) mean += i % 12 / 3 == g ? t.inputs[x][i] / 90 : 0;
    for (size_t i = 0; i < out.size(); ++i) variance += i % 12 / 3 == g ? std::pow(t.inputs[x][i] - mean, 2) / 90 : 0;
    for (size_t i = 0; i < out.size(); ++i) {
      if (i % 12 / 3 != g) continue;
      expected[i] =
          (t.inputs[x][i] - mean) / std::sqrt(variance + 0.25) * t.inputs[gamma][i % 12] + t.inputs[beta][i % 12];
    }
  }
  expect_near(out, expected, 1e-9);
  // A group norm of one place and one group is a layer norm of that row.
  OneOp row;
  const Values values(t.inputs[x].begin(), t.inputs[x].begin() + 12);
  const uint32_t place = row.add({1, 1, 1, 12}, values), line = row.add({1, 12}, values);
  const uint32_t a = row.add({12}, t.inputs[gamma]), b = row.add({12}, t.inputs[beta]);
  const uint32_t grouped = row.result({1, 1, 1, 12}), layered = row.result({1, 12});
  expect_near(row.run(ASSAY_OP_GROUP_NORM, {place, a, b}, {grouped}, {1e-5, 1})[0],
              row.run(ASSAY_OP_LAYER_NORM_MODULATE, {line, kNoTensor, a, b}, {layered}, {1, 1e-5, 0, 0})[0], 1e-9);
}

// Counting through the video in its own order, every element is looked for in its patch; and back again.
TEST(SecondImplementation, Patches) {
  const int64_t patch[] = {2, 1, 3}, dims[] = {2, 3, 4, 5, 6};  // B, C, T, H, W
  RandomOp t;
  const uint32_t video = t.normal({2, 3, 4, 5, 6});
  const int64_t across = 6 / 3, down = 5, deep = 2, columns = 3 * 2 * 1 * 3;
  const uint32_t rows = t.result({2 * deep * down * across, columns});
  const Values out = t.run(ASSAY_OP_PATCHIFY3D, {video}, {rows}, {2, 1, 3, 0})[0];
  size_t element = 0;
  for (int64_t b = 0; b < dims[0]; ++b)
    for (int64_t c = 0; c < dims[1]; ++c)
      for (int64_t f = 0; f < dims[2]; ++f)
        for (int64_t h = 0; h < dims[3]; ++h)
          for (int64_t w = 0; w < dims[4]; ++w, ++element) {
            const int64_t row = ((b * deep + f / patch[0]) * down + h / patch[1]) * across + w / patch[2];
            const int64_t column = ((c * patch[0] + f % patch[0]) * patch[1] + h % patch[1]) * patch[2] + w % patch[2];
            ASSERT_EQ(out[static_cast<size_t>(row * columns + column)], t.inputs[video][element]);
          }
  const uint32_t back = t.result({2, 3, 4, 5, 6});
  t.inputs[rows] = out;
  EXPECT_EQ(t.run(ASSAY_OP_PATCHIFY3D, {rows}, {back}, {2, 1, 3, 1})[0], t.inputs[video]);
}

}  // namespace
}  // namespace assay
