// The text encoder and the VAE's decoder against implementations of their own, on small odd shapes.
#include "tests/unit/suites/plain_model.h"

namespace assay {
namespace {

using namespace plain;

TEST(TextEncoder, IsT5WithoutItsPositionBias) {
  const Case c = small_case(small_shape(TextStream::kCross), StepKind::kTextEncoder);
  const TextEncoderShape& t = c.video.text;
  const Computed run(c);
  const size_t h = size_t(t.hidden), inner = size_t(t.heads * t.head_dim);
  Rows x;
  const Values& ids = run.at("token_ids");
  const Rows table = run.rows("embedding", h);
  for (const double id : ids) x.push_back(table[size_t(id)]);
  const auto norm = [&](Rows rows, const std::string& name) {
    for (auto& row : rows) rms_norm(&row, 0, run.at(name + ".gamma"), 1e-6);
    return rows;
  };
  for (int i = 0; i < 2; ++i) {
    const std::string p = "layer" + std::to_string(i) + ".";
    Rows q, k, v;
    for (const auto& row : run.linear(norm(x, p + "attention_norm"), p + "qkv", false)) {
      q.push_back(slice(row, 0, inner));
      k.push_back(slice(row, inner, inner));
      v.push_back(slice(row, 2 * inner, inner));
    }
    x = sum(x, run.linear(attention(q, k, v, size_t(t.heads), 1), p + "o", false));
    Rows gated;
    for (const auto& row : run.linear(norm(x, p + "mlp_norm"), p + "gate_up", false)) {
      gated.emplace_back();
      for (size_t j = 0; j < size_t(t.ffn); ++j) gated.back().push_back(gelu(row[j]) * row[size_t(t.ffn) + j]);
    }
    x = sum(x, run.linear(gated, p + "down", false));
  }
  Values expected;
  for (const auto& row : norm(x, "hidden")) expected.insert(expected.end(), row.begin(), row.end());
  EXPECT_LT(relative_error(run.at("hidden"), expected), 1e-12);
}

// umT5-XXL, 512 tokens, by hand: each of 24 layers q, k, v and o of 4096 x 4096, full attention, and gate, up and down
// of 10240. Weights in bf16 with both norms of each layer and the last one, and of the table the rows of the tokens.
TEST(TextEncoder, CostsOfAPublishedOneByHand) {
  Case c;
  c.kind = StepKind::kTextEncoder;
  c.dtype = "bf16";
  const Catalogue catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  for (const VideoShape& v : catalogue.videos()) {
    if (v.name == "wan2.1-14b") c.video = v;
  }
  c.tokens = 512;
  const Graph graph = lower(c, {}).value();
  const GraphCost cost = graph_cost(graph, step_scalars(c, graph));
  const double layer = 4 * 2.0 * 512 * 4096 * 4096 + 2 * 2.0 * 512 * 512 * 4096 + 3 * 2.0 * 512 * 4096 * 10240;
  EXPECT_EQ(cost.flops, 24 * layer);
  const double weights = 4.0 * 4096 * 4096 + 3.0 * 4096 * 10240 + 2 * 4096;
  EXPECT_EQ(cost.weight_bytes, 2 * (24 * weights + 4096 + 512.0 * 4096));
}

// A field of channels over time, height and width.
struct Field {
  int64_t t = 0, h = 0, w = 0, c = 0;
  Values v;
  double& at(int64_t a, int64_t b, int64_t d, int64_t e) { return v[size_t(((a * h + b) * w + d) * c + e)]; }
};

class PlainDecoder {
 public:
  PlainDecoder(const Computed& run, const VideoVae& vae) : r_(run), v_(vae) {}

  Field decode(Field x) {
    x = residual(conv(x, "conv_in", 3, 3), "middle0");
    if (v_.attention) x = attend(x);
    x = residual(x, "middle1");
    for (size_t level = 0; level < v_.widths.size(); ++level) {
      const std::string p = "level" + std::to_string(level) + ".";
      for (int64_t i = 0; i < v_.blocks; ++i) x = residual(x, p + "block" + std::to_string(i));
      if (level == v_.up.size()) continue;
      const VaeUp& u = v_.up[level];
      if (v_.time_conv && u.t > 1) {
        x = conv(repeat(x, u.t, 1, 1), p + "up_time", 3, 1);
        x = conv(repeat(x, 1, u.h, u.w), p + "up", v_.up_kernel_t, 3);
      } else {
        x = conv(repeat(x, u.t, u.h, u.w), p + "up", v_.up_kernel_t, 3);
      }
    }
    return conv(act(norm(x, "norm_out")), "pixels", 3, 3);
  }
  // Of all products of what was decoded, those with the zeros of the border too.
  [[nodiscard]] double flops() const { return flops_; }

 private:
  // Every element times (t, h, w); the first frame once.
  static Field repeat(Field x, int64_t t, int64_t h, int64_t w) {
    Field y{(x.t - 1) * t + 1, x.h * h, x.w * w, x.c, {}};
    y.v.resize(size_t(y.t * y.h * y.w * y.c));
    for (int64_t a = 0; a < y.t; ++a) {
      for (int64_t b = 0; b < y.h; ++b) {
        for (int64_t d = 0; d < y.w; ++d) {
          for (int64_t e = 0; e < y.c; ++e) y.at(a, b, d, e) = x.at((a + t - 1) / t, b / h, d / w, e);
        }
      }
    }
    return y;
  }
  // Causal in time: pads kt - 1 frames of zeros before; in space a border of zeros.
  Field conv(Field x, const std::string& name, int64_t kt, int64_t ks) const {
    const Values &w = r_.at(name + ".weight"), &bias = r_.at(name + ".bias");
    Field y{x.t, x.h, x.w, int64_t(bias.size()), {}};
    y.v.resize(size_t(y.t * y.h * y.w * y.c));
    for (int64_t a = 0; a < y.t; ++a) {
      for (int64_t b = 0; b < y.h; ++b) {
        for (int64_t d = 0; d < y.w; ++d) {
          for (int64_t o = 0; o < y.c; ++o) {
            double total = bias[size_t(o)];
            size_t index = size_t(o * kt * ks * ks * x.c);
            for (int64_t i = a - kt + 1; i <= a; ++i) {
              for (int64_t j = b - ks / 2; j <= b + ks / 2; ++j) {
                for (int64_t l = d - ks / 2; l <= d + ks / 2; ++l) {
                  for (int64_t e = 0; e < x.c; ++e, ++index) {
                    const bool inside = i >= 0 && j >= 0 && j < x.h && l >= 0 && l < x.w;
                    if (inside) total += w[index] * x.at(i, j, l, e);
                  }
                }
              }
            }
            y.at(a, b, d, o) = total;
          }
        }
      }
    }
    flops_ += 2 * double(y.v.size()) * double(kt * ks * ks * x.c);
    return y;
  }
  static Field act(Field x) {
    for (double& e : x.v) e = silu(e);
    return x;
  }
  Field norm(Field x, const std::string& name) const {
    const Values& gamma = r_.at(name + ".gamma");
    if (v_.groups == 0) {
      for (size_t i = 0; i < x.v.size(); i += gamma.size()) {
        double square = 0;
        for (size_t e = 0; e < gamma.size(); ++e) square += x.v[i + e] * x.v[i + e] / double(gamma.size());
        for (size_t e = 0; e < gamma.size(); ++e) x.v[i + e] *= gamma[e] / std::sqrt(square + 1e-6);
      }
      return x;
    }
    const Values& beta = r_.at(name + ".beta");
    const int64_t size = x.c / v_.groups;
    for (int64_t g = 0; g < v_.groups; ++g) {
      double mean = 0, var = 0;
      const double count = double(x.t * x.h * x.w * size);
      const auto mine = [&](size_t i) { return int64_t(i) % x.c / size == g; };
      for (size_t i = 0; i < x.v.size(); ++i) mean += mine(i) ? x.v[i] / count : 0;
      for (size_t i = 0; i < x.v.size(); ++i) var += mine(i) ? std::pow(x.v[i] - mean, 2) / count : 0;
      for (size_t i = 0; i < x.v.size(); ++i) {
        const size_t e = i % size_t(x.c);
        if (mine(i)) x.v[i] = (x.v[i] - mean) / std::sqrt(var + 1e-6) * gamma[e] + beta[e];
      }
    }
    return x;
  }
  Field residual(const Field& x, const std::string& p) const {
    Field y = conv(act(norm(x, p + ".norm0")), p + ".conv0", 3, 3);
    y = conv(act(norm(y, p + ".norm1")), p + ".conv1", 3, 3);
    const Field base = r_.has(p + ".shortcut") ? conv(x, p + ".shortcut", 1, 1) : x;
    for (size_t i = 0; i < y.v.size(); ++i) y.v[i] += base.v[i];
    return y;
  }
  Field attend(const Field& x) const {
    const Field qkv = conv(norm(x, "attention.norm"), "attention.qkv", 1, 1);
    Field y = x;
    const size_t places = size_t(x.h * x.w), c = size_t(x.c);
    for (size_t frame = 0; frame < size_t(x.t); ++frame) {
      Rows part[3];
      for (size_t n = frame * places; n < (frame + 1) * places; ++n) {
        for (size_t k = 0; k < 3; ++k) {
          const auto begin = qkv.v.begin() + long(n * 3 * c + k * c);
          part[k].emplace_back(begin, begin + long(c));
        }
      }
      const Rows out = attention(part[0], part[1], part[2], 1, 1 / std::sqrt(double(c)));
      flops_ += 2 * 2 * double(places * places * c);  // scores and their sums of values
      for (size_t n = 0; n < places; ++n)
        std::copy(out[n].begin(), out[n].end(), y.v.begin() + long((frame * places + n) * c));
    }
    y = conv(y, "attention.out", 1, 1);
    for (size_t i = 0; i < y.v.size(); ++i) y.v[i] += x.v[i];
    return y;
  }

  const Computed& r_;
  const VideoVae& v_;
  mutable double flops_ = 0;
};

TEST(VaeTile, IsTheDecoderWrittenOut) {
  for (const bool group : {false, true}) {
    VideoShape v = small_shape(TextStream::kCross);
    v.vae = {};
    v.vae.strides = {2, 4, 4};
    v.vae.latent_channels = 3;
    v.vae.widths = {6, 4, 4};
    v.vae.up = {{2, 2, 2, 6}, {1, 2, 2, 4}};
    v.vae.blocks = 1;
    v.vae.groups = group ? 2 : 0;
    v.vae.attention = true;
    v.vae.time_conv = !group;
    v.vae.up_kernel_t = group ? 3 : 1;
    Case c = small_case(v, StepKind::kVaeTile);
    c.frames = 3;
    c.height = 12;
    c.width = 4;
    complete_video_case(&c);
    const Computed run(c);
    PlainDecoder decoder(run, v.vae);
    const Field pixels = decoder.decode({2, 3, 1, 3, run.at("latent")});
    EXPECT_EQ(pixels.t * pixels.h * pixels.w, c.tokens);
    ASSERT_EQ(run.at("pixels").size(), pixels.v.size());
    EXPECT_LT(relative_error(run.at("pixels"), pixels.v), 1e-12) << (group ? "group norm" : "RMS norm");
    const Graph graph = lower(c, {}).value();
    EXPECT_DOUBLE_EQ(graph_cost(graph, step_scalars(c, graph)).flops, decoder.flops());
  }
}

}  // namespace
}  // namespace assay
