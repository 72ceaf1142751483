// The graphs of video models against implementations of their own: plain loops in double precision over rows of both
// streams joined, as the published models are written, on small odd shapes.
#include "suites/lower/video.h"
#include "tests/unit/suites/plain_model.h"

namespace assay {
namespace {

using namespace plain;

// One pass of one clip, as the papers put it.
class PlainDit {
 public:
  PlainDit(const Computed& run, const VideoShape& v, const VideoGrid& grid) : r_(run), d_(v.dit), grid_(grid) {}

  Values denoised() {
    const size_t h = size_t(d_.hidden);
    Rows x = r_.linear(patches(), "patch_embedding");
    if (d_.rope_dims[0] == 0) x = sum(x, r_.rows("position_embedding", h));
    Rows e = two(r_.rows("time_frequencies", size_t(d_.time_frequencies)), "time", silu);
    if (d_.guidance) e = sum(e, two(r_.rows("guidance_frequencies", size_t(d_.time_frequencies)), "guidance", silu));
    if (d_.pooled_text > 0) e = sum(e, two(r_.rows("pooled_text", size_t(d_.pooled_text)), "pooled", silu));
    e_ = map(e, silu);
    const Rows raw = r_.rows("text", size_t(d_.text_width));
    Rows text = d_.text_projection == TextProjection::kMlp ? two(raw, "text_embedding", gelu)
                                                           : r_.linear(raw, "text_embedding");
    for (int64_t i = 0; i < d_.layers(); ++i) {
      const std::string p = "block" + std::to_string(i) + ".";
      if (d_.stream == TextStream::kCross) {
        cross_block(p, &x, text);
      } else if (i < d_.blocks) {
        joint_block(p, &x, &text);
      } else {
        single_block(p, &x, &text);
      }
    }
    return output(x);
  }

 private:
  Rows two(const Rows& x, const std::string& p, double (*f)(double)) {
    return r_.linear(map(r_.linear(x, p + ".in"), f), p + ".out");
  }
  // Row n: patch (a, b, c) of the latent [C, T, H, W], its elements in the order of channel and place.
  template <typename F>
  void each_patch_element(F f) const {
    const auto& l = grid_.latent;
    const auto& p = d_.patch;
    for (int64_t ch = 0; ch < d_.channels; ++ch) {
      for (int64_t t = 0; t < l[0]; ++t) {
        for (int64_t y = 0; y < l[1]; ++y) {
          for (int64_t x = 0; x < l[2]; ++x) {
            const int64_t n = (t / p[0] * grid_.patches[1] + y / p[1]) * grid_.patches[2] + x / p[2];
            const int64_t column = ((ch * p[0] + t % p[0]) * p[1] + y % p[1]) * p[2] + x % p[2];
            f(((ch * l[0] + t) * l[1] + y) * l[2] + x, n, column);
          }
        }
      }
    }
  }
  Rows patches() const {
    const Values& latent = r_.at("latent");
    Rows out(size_t(grid_.tokens()), std::vector<double>(size_t(d_.channels * d_.patch[1] * d_.patch[2])));
    each_patch_element([&](int64_t i, int64_t n, int64_t c) { out[size_t(n)][size_t(c)] = latent[size_t(i)]; });
    return out;
  }
  Values output(Rows x) {
    const size_t h = size_t(d_.hidden);
    std::vector<double> mod;
    if (d_.modulation == Modulation::kShared) {
      mod = sum(r_.linear(e_, "time_modulation"), r_.rows("final.modulation", 6 * h))[0];
    } else {
      mod = r_.linear(e_, "final_mod")[0];
    }
    const double eps = d_.norm_eps;
    Values gamma, beta;
    if (d_.norm_affine) {
      x = layer_norm(x, eps, r_.at("final_norm.gamma"), r_.at("final_norm.beta"), {}, {});
      gamma = r_.at("final_modulated.gamma");
      beta = r_.at("final_modulated.beta");
    }
    x = layer_norm(x, eps, gamma, beta, slice(mod, 0, h), slice(mod, h, h));
    const Rows rows = r_.linear(x, "patch_output");
    Values out(r_.at("latent").size());
    each_patch_element([&](int64_t i, int64_t n, int64_t c) { out[size_t(i)] = rows[size_t(n)][size_t(c)]; });
    return out;
  }
  // Pairs of neighbours of each head turn by their axis' position: time, height, width in this order.
  void rotate(std::vector<double>* row, size_t n, size_t first) const {
    if (d_.rope_dims[0] == 0) return;
    const auto w = size_t(grid_.patches[2]), hw = size_t(grid_.patches[1]) * w;
    const size_t position[3] = {n / hw, n / w % size_t(grid_.patches[1]), n % w};
    const auto dim = size_t(d_.head_dim());
    for (size_t head = 0; head < size_t(d_.heads); ++head) {
      size_t at = first + head * dim;
      for (int axis = 0; axis < 3; ++axis) {
        const auto size = size_t(d_.rope_dims[size_t(axis)]);
        for (size_t i = 0; i < size / 2; ++i, at += 2) {
          const double angle = double(position[axis]) * std::pow(d_.rope_theta, -2.0 * double(i) / double(size));
          const double a = (*row)[at], b = (*row)[at + 1];
          (*row)[at] = a * std::cos(angle) - b * std::sin(angle);
          (*row)[at + 1] = b * std::cos(angle) + a * std::sin(angle);
        }
      }
    }
  }
  void norm_heads(std::vector<double>* row, size_t first, const std::string& name) const {
    const Values& gamma = r_.at(name + ".gamma");
    for (size_t g = 0; g < size_t(d_.hidden); g += gamma.size()) rms_norm(row, first + g, gamma, d_.norm_eps);
  }
  // q, k, v of a stream; `weights` names the block's set.
  void qkv(const Rows& x, const std::string& weights, bool video, Rows out[3]) const {
    const size_t h = size_t(d_.hidden);
    Rows all = r_.linear(x, weights + "qkv");
    for (size_t n = 0; n < all.size(); ++n) {
      norm_heads(&all[n], 0, weights + "q_norm");
      norm_heads(&all[n], h, weights + "k_norm");
      if (video) rotate(&all[n], n, 0);
      if (video) rotate(&all[n], n, h);
      for (size_t part = 0; part < 3; ++part) out[part].push_back(slice(all[n], part * h, h));
    }
  }
  double scale() const { return 1 / std::sqrt(double(d_.head_dim())); }
  Rows norm(const Rows& x, const std::string& affine, const std::vector<double>& mod, size_t col) const {
    const size_t h = size_t(d_.hidden);
    const Values gamma = r_.has(affine + ".gamma") ? r_.at(affine + ".gamma") : Values{};
    const Values beta = r_.has(affine + ".beta") ? r_.at(affine + ".beta") : Values{};
    return layer_norm(x, d_.norm_eps, gamma, beta, slice(mod, col * h, h), slice(mod, (col + 1) * h, h));
  }
  Rows mlp(const Rows& x, const std::string& p, bool bias = true) const {
    return r_.linear(map(r_.linear(x, p + "fc1"), gelu), p + "fc2", bias);
  }
  void cross_block(const std::string& p, Rows* x, const Rows& text) {
    const size_t h = size_t(d_.hidden);
    const std::vector<double> mod = sum(r_.linear(e_, "time_modulation"), r_.rows(p + "modulation", 6 * h))[0];
    Rows s[3];
    qkv(norm(*x, "", mod, 0), p, true, s);
    gated_add(x, r_.linear(attention(s[0], s[1], s[2], size_t(d_.heads), scale()), p + "o"), slice(mod, 2 * h, h));
    const std::string c = p + "cross_";
    Rows q = r_.linear(layer_norm(*x, d_.norm_eps, r_.at(c + "norm.gamma"), r_.at(c + "norm.beta"), {}, {}), c + "q");
    for (auto& row : q) norm_heads(&row, 0, c + "q_norm");
    Rows k, v;
    for (auto& row : r_.linear(text, c + "kv")) {
      k.push_back(slice(row, 0, h));
      norm_heads(&k.back(), 0, c + "k_norm");
      v.push_back(slice(row, h, h));
    }
    *x = sum(*x, r_.linear(attention(q, k, v, size_t(d_.heads), scale()), c + "o"));
    gated_add(x, mlp(norm(*x, "", mod, 3), p), slice(mod, 5 * h, h));
  }
  // Attention of both streams' rows joined; y[0] the video's, y[1] the text's.
  void joined(const Rows& video, const Rows& text, const std::string& wv, const std::string& wt, Rows y[2]) {
    Rows s[3];
    qkv(video, wv, true, s);
    qkv(text, wt, false, s);
    const Rows all = attention(s[0], s[1], s[2], size_t(d_.heads), scale());
    y[0] = Rows(all.begin(), all.begin() + long(video.size()));
    y[1] = Rows(all.begin() + long(video.size()), all.end());
  }
  void joint_block(const std::string& p, Rows* video, Rows* text) {
    const size_t h = size_t(d_.hidden);
    const bool dual = d_.stream == TextStream::kDual;
    const std::vector<double> m0 = r_.linear(e_, p + (dual ? "video_mod" : "attention_mod"))[0];
    const std::vector<double> m1 = r_.linear(e_, p + (dual ? "text_mod" : "mlp_mod"))[0];
    const std::string wv = dual ? p + "video_" : p, wt = dual ? p + "text_" : p;
    Rows y[2];
    joined(norm(*video, p + "attention_norm", m0, 0), norm(*text, p + "attention_norm", dual ? m1 : m0, dual ? 0 : 3),
           wv, wt, y);
    gated_add(video, r_.linear(y[0], wv + "o"), slice(m0, 2 * h, h));
    gated_add(text, r_.linear(y[1], wt + "o"), slice(dual ? m1 : m0, (dual ? 2 : 5) * h, h));
    const std::vector<double>& mlp_v = dual ? m0 : m1;
    gated_add(video, mlp(norm(*video, p + "mlp_norm", mlp_v, dual ? 3 : 0), wv), slice(mlp_v, (dual ? 5 : 2) * h, h));
    gated_add(text, mlp(norm(*text, p + "mlp_norm", m1, 3), wt), slice(m1, 5 * h, h));
  }
  void single_block(const std::string& p, Rows* video, Rows* text) {
    const size_t h = size_t(d_.hidden);
    const std::vector<double> mod = r_.linear(e_, p + "mod")[0];
    const Rows nv = norm(*video, "", mod, 0), nt = norm(*text, "", mod, 0);
    Rows y[2];
    joined(nv, nt, p, p, y);
    gated_add(video, sum(r_.linear(y[0], p + "o"), mlp(nv, p, false)), slice(mod, 2 * h, h));
    gated_add(text, sum(r_.linear(y[1], p + "o"), mlp(nt, p, false)), slice(mod, 2 * h, h));
  }

  const Computed& r_;
  const VideoDit& d_;
  VideoGrid grid_;
  Rows e_;
};

class Dit : public testing::TestWithParam<TextStream> {};

TEST_P(Dit, IsThePublishedModel) {
  const Case c = small_case(small_shape(GetParam()), StepKind::kDit);
  ASSERT_EQ(video_case_faults(c), std::vector<std::string>{});
  const Computed run(c);
  const VideoGrid grid = video_grid(c.video, {c.frames, c.height, c.width, 1}).value();
  const Values expected = PlainDit(run, c.video, grid).denoised();
  ASSERT_EQ(run.at("denoised").size(), expected.size());
  EXPECT_LT(relative_error(run.at("denoised"), expected), 1e-12);
}

std::string stream_name(const testing::TestParamInfo<TextStream>& given) {
  constexpr const char* kNames[] = {"Cross", "Joint", "Dual"};
  return kNames[static_cast<size_t>(given.param)];
}
INSTANTIATE_TEST_SUITE_P(Streams, Dit, testing::Values(TextStream::kCross, TextStream::kJoint, TextStream::kDual),
                         stream_name);

// Two sequences in a step are two passes: equal inputs give equal outputs, and each is the one of a step alone.
TEST(DitBatch, SequencesDoNotMix) {
  for (const TextStream stream : {TextStream::kCross, TextStream::kJoint, TextStream::kDual}) {
    Case c = small_case(small_shape(stream), StepKind::kDit);
    c.batch = 2;
    const Computed run(c);
    const Values& both = run.at("denoised");
    const size_t half = both.size() / 2;
    ASSERT_GT(half, 0u);
    EXPECT_NE(Values(both.begin(), both.begin() + long(half)), Values(both.begin() + long(half), both.end()));
    for (const double v : both) EXPECT_TRUE(std::isfinite(v));
  }
}

// The graphs at their published sizes cost what the formula says, and what it leaves out, counted by hand: projections
// of patches, text and time, modulations.
TEST(DitCost, FlopsAreTheFormulaAndWhatItLeavesOut) {
  const Catalogue catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  for (const VideoShape& v : catalogue.videos()) {
    Case c;
    c.kind = StepKind::kDit;
    c.video = v;
    c.dtype = "bf16";
    c.frames = v.clip.frames;
    c.height = v.clip.height;
    c.width = v.clip.width;
    complete_video_case(&c);
    const Graph graph = lower(c, {}).value();
    const double flops = graph_cost(graph, step_scalars(c, graph)).flops, formula = dit_pass_flops(v.dit, c.tokens);
    EXPECT_GT(flops, formula) << v.name;
    EXPECT_LT(flops, formula * 1.01) << v.name;
    if (v.name != "wan2.1-14b") continue;
    // Patches 2 x 75600 x 64 x 5120 in and as many out; text 2 x 512 x (4096 + 5120) x 5120; time 2 x (256 + 5120 + 6 x
    // 5120) x 5120.
    const double rest = 2 * 2.0 * 75600 * 64 * 5120 + 2.0 * 512 * 9216 * 5120 + 2.0 * (256 + 7 * 5120) * 5120;
    EXPECT_DOUBLE_EQ(flops, formula + rest);
  }
}

}  // namespace
}  // namespace assay
