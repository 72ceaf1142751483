// The decoder of a video VAE on one tile: residual blocks of causal convolutions, levels apart by nearest repeats.
#include <cmath>

#include "suites/lower/parts.h"
#include "suites/lower/video.h"

namespace assay {
namespace {

constexpr double kNormEps = 1e-6;

class VaeTile {
 public:
  VaeTile(const Case& c, DtypePlan plan, bool expose)
      : c_(c), v_(c.video.vae), g_(std::move(plan), expose), parts_(&g_, 1, kNormEps) {}

  Graph lower() {
    const std::vector<int64_t> dims{(c_.frames - 1) / v_.strides[0] + 1, c_.height / v_.strides[1],
                                    c_.width / v_.strides[2], v_.latent_channels};
    uint32_t x = g_.tensor("latent", g_.plan().activation, ASSAY_ROLE_INPUT, dims, {Fill::Kind::kNormal, 0, 1, 0});
    x = conv(x, "conv_in", v_.widths.front(), {3, 3, 3});
    x = residual(x, "middle0", v_.widths.front());
    if (v_.attention) x = attention(x);
    x = residual(x, "middle1", v_.widths.front());
    for (size_t level = 0; level < v_.widths.size(); ++level) {
      const std::string p = "level" + std::to_string(level) + ".";
      for (int64_t i = 0; i < v_.blocks; ++i) x = residual(x, p + "block" + std::to_string(i), v_.widths[level]);
      if (level < v_.up.size()) x = up(x, p, v_.up[level]);
    }
    x = parts_.activation(norm(x, "norm_out"), "act_out", ASSAY_ACT_SILU);
    g_.mark_output(conv(x, "pixels", v_.out_channels, {3, 3, 3}));
    return g_.take();
  }

 private:
  struct Kernel {
    int64_t t, h, w;
  };

  // `up`: factors of the nearest repeat before it.
  uint32_t conv(uint32_t x, const std::string& name, int64_t out, Kernel k, const VaeUp& up = {}) {
    const std::vector<int64_t> dims = g_.at(x).dims;
    const int64_t inputs = k.t * k.h * k.w * dims[3];
    const uint32_t w = g_.weight(name + ".weight", {out, inputs}, Parts::plain_stddev(inputs));
    const uint32_t bias = parts_.vector(name + ".bias", out, 0, 0.1);
    const uint32_t y = g_.activation(name, {(dims[0] - 1) * up.t + 1, dims[1] * up.h, dims[2] * up.w, out});
    const auto number = [](int64_t n) { return static_cast<double>(n); };
    g_.op(ASSAY_OP_CONV3D, name + "_conv", {x, w, bias}, {y},
          {number(k.t), number(k.h), number(k.w), number(up.t), number(up.h), number(up.w)});
    return y;
  }

  uint32_t norm(uint32_t x, const std::string& name) {
    const int64_t channels = g_.at(x).dims[3];
    const uint32_t gamma = parts_.vector(name + ".gamma", channels, 1, 0.1);
    if (v_.groups == 0) return parts_.rms_norm(x, gamma, name, 0, 0);
    const uint32_t beta = parts_.vector(name + ".beta", channels, 0, 0.1);
    const uint32_t y = g_.activation(name, g_.at(x).dims);
    g_.op(ASSAY_OP_GROUP_NORM, name, {x, gamma, beta}, {y}, {kNormEps, static_cast<double>(v_.groups)});
    return y;
  }

  uint32_t residual(uint32_t x, const std::string& p, int64_t out) {
    uint32_t y = parts_.activation(norm(x, p + ".norm0"), p + ".act0", ASSAY_ACT_SILU);
    y = conv(y, p + ".conv0", out, {3, 3, 3});
    y = parts_.activation(norm(y, p + ".norm1"), p + ".act1", ASSAY_ACT_SILU);
    y = conv(y, p + ".conv1", out, {3, 3, 3});
    const uint32_t shortcut = g_.at(x).dims[3] == out ? x : conv(x, p + ".shortcut", out, {1, 1, 1});
    return parts_.add(shortcut, y, p);
  }

  // One head over the places of a frame.
  uint32_t attention(uint32_t x) {
    const std::vector<int64_t> dims = g_.at(x).dims;
    const int64_t channels = dims[3];
    const uint32_t qkv = conv(norm(x, "attention.norm"), "attention.qkv", 3 * channels, {1, 1, 1});
    const KvPair kv = parts_.kv("attention", dims[0], dims[1] * dims[2], 1, channels);
    parts_.append(qkv, kv, channels, 2 * channels, "attention.kv_append");
    const double scale = Parts::plain_stddev(channels);
    const uint32_t y = parts_.attention(qkv, kv, 1, scale, ASSAY_MASK_FULL, dims, "attention.attended");
    return parts_.add(x, conv(y, "attention.out", channels, {1, 1, 1}), "attention.add");
  }

  uint32_t up(uint32_t x, const std::string& p, const VaeUp& factors) {
    VaeUp space = factors;
    if (v_.time_conv && factors.t > 1) {
      x = conv(x, p + "up_time", g_.at(x).dims[3], {3, 1, 1}, {factors.t, 1, 1, 0});
      space.t = 1;
    }
    return conv(x, p + "up", factors.width, {v_.up_kernel_t, 3, 3}, space);
  }

  const Case& c_;
  const VideoVae& v_;
  GraphBuilder g_;
  Parts parts_;
};

}  // namespace

Graph lower_vae_tile(const Case& c, const DtypePlan& plan, bool expose_intermediates) {
  return VaeTile(c, plan, expose_intermediates).lower();
}

}  // namespace assay
