// A video diffusion transformer but for its blocks: patches and conditions in, patches out.
#include <algorithm>
#include <cmath>

#include "suites/lower/dit_pass.h"
#include "suites/lower/video.h"

namespace assay {
namespace {

// Of `layers` blocks those that are double, in the model's proportion; both kinds from two blocks on.
int64_t double_blocks(const VideoDit& d, int64_t layers) {
  if (layers == 1) return 1;
  const double share = static_cast<double>(d.blocks) / static_cast<double>(d.layers());
  return std::clamp<int64_t>(std::llround(share * static_cast<double>(layers)), 1, layers - 1);
}

}  // namespace

uint32_t DitPass::patches() {
  const auto& l = grid_.latent;
  const int64_t width = d_.channels * d_.patch[0] * d_.patch[1] * d_.patch[2];
  const uint32_t latent = input("latent", {batch_, d_.channels, l[0], l[1], l[2]});
  const uint32_t rows = g_.activation("patches", {batch_ * nv_, width});
  g_.op(ASSAY_OP_PATCHIFY3D, "patchify", {latent}, {rows},
        {number(d_.patch[0]), number(d_.patch[1]), number(d_.patch[2]), 0});
  const uint32_t x = parts_.apply(plain("patch_embedding", width, h_), rows, "patch_embedding");
  if (d_.rope_dims[0] > 0) return x;
  return parts_.add(x, input("position_embedding", {batch_ * nv_, h_}), "positioned");
}

// Of the time step and, with `conditions`, of the guidance scale and the pooled text.
uint32_t DitPass::time_embedding(const std::string& p, bool conditions) {
  uint32_t e = two_layers(input(p + "_frequencies", {batch_, d_.time_frequencies}), p, d_.time_frequencies,
                          d_.time_width, ASSAY_ACT_SILU);
  if (conditions && d_.guidance) {
    const uint32_t scale = input("guidance_frequencies", {batch_, d_.time_frequencies});
    e = parts_.add(e, two_layers(scale, "guidance", d_.time_frequencies, d_.time_width, ASSAY_ACT_SILU), "time_guided");
  }
  if (conditions && d_.pooled_text > 0) {
    const uint32_t pooled = input("pooled_text", {batch_, d_.pooled_text});
    e = parts_.add(e, two_layers(pooled, "pooled", d_.pooled_text, d_.time_width, ASSAY_ACT_SILU), "time_pooled");
  }
  return e;
}

uint32_t DitPass::text_rows() {
  const uint32_t text = input("text", {batch_ * nt_, d_.text_width});
  if (d_.text_projection == TextProjection::kMlp) {
    return two_layers(text, "text_embedding", d_.text_width, h_, ASSAY_ACT_GELU_TANH);
  }
  const uint32_t x = parts_.apply(plain("text_embedding", d_.text_width, h_), text, "text_embedding");
  return d_.text_projection == TextProjection::kRefiner ? refined(x) : x;
}

// Transformer blocks over the text alone, under a time embedding of their own.
uint32_t DitPass::refined(uint32_t x) {
  uint32_t e = time_embedding("refiner_time", false);
  const uint32_t mean = input("text_mean", {batch_, d_.text_width});
  e = parts_.add(e, two_layers(mean, "refiner_text", d_.text_width, d_.time_width, ASSAY_ACT_SILU),
                 "refiner_condition");
  const uint32_t act = parts_.activation(e, "refiner_condition_act", ASSAY_ACT_SILU);
  const KvPair kv = parts_.kv("refiner", batch_, nt_, d_.heads, d_.head_dim());
  for (int64_t i = 0; i < d_.refiner_blocks; ++i) x = refiner_block(x, act, "refiner" + std::to_string(i) + ".", kv);
  return x;
}

uint32_t DitPass::refiner_block(uint32_t x, uint32_t act, const std::string& p, const KvPair& kv) {
  const uint32_t gates = parts_.apply(modulation(p + "gates", 2 * h_), act, p + "gates");
  const auto norm = [&](uint32_t rows, const std::string& name) {
    const uint32_t gamma = parts_.vector(name + ".gamma", h_, 1, 0.1);
    return parts_.layer_norm(rows, {}, gamma, parts_.vector(name + ".beta", h_, 0, 0.1), name);
  };
  const uint32_t qkv = parts_.apply(plain(p + "qkv", h_, 3 * h_), norm(x, p + "attention_norm"), p + "qkv");
  parts_.append(qkv, kv, h_, 2 * h_, p + "kv_append");
  const uint32_t y = attended(qkv, kv, ASSAY_MASK_FULL, p + "attention");
  const uint32_t middle =
      parts_.gated_add(x, parts_.apply(residual(p + "o", h_), y, p + "o"), {gates, 0, 0, 0}, p + "attention_add");
  const uint32_t wide = parts_.apply(plain(p + "fc1", h_, d_.ffn), norm(middle, p + "mlp_norm"), p + "fc1");
  const uint32_t act1 = parts_.activation(wide, p + "act", ASSAY_ACT_SILU);
  return parts_.gated_add(middle, parts_.apply(residual(p + "fc2", d_.ffn), act1, p + "fc2"), {gates, 0, 0, h_},
                          p + "mlp_add");
}

// Queries in columns 0..h, keys in h..2h.
// Of the video rows: by time, height and width.
// kShared: the projection of the time embedding plus the block's own table.
// kJoint: one set of weights; each of the two norms has a projection whose first three parts are the video's.
// kDual: each stream has weights and a projection of its own.
// Attention and MLP side by side on the same normed rows, added up; both streams through the same weights.
// Queries from the video rows, keys and values from the text.
void DitPass::final_layer(uint32_t x) {
  const int64_t width = d_.channels * d_.patch[0] * d_.patch[1] * d_.patch[2];
  Stream last{"", x, batch_ * nv_, {}, {}};
  if (d_.norm_affine) {
    norm_weights("final_norm", &last.w, 0);
    last.x = normed(last, 0, "final_norm");
    norm_weights("final_modulated", &last.w, 0);
  }
  if (d_.modulation == Modulation::kShared) {
    shared_modulation("final.", &last);
  } else {
    const uint32_t mod = parts_.apply(modulation("final_mod", 2 * h_), time_act_, "final_mod");
    last.mod[0] = {mod, 0, h_, 0};
  }
  const uint32_t rows =
      parts_.apply(plain("patch_output", h_, width), normed(last, 0, "final_modulated"), "patch_output");
  const auto& l = grid_.latent;
  const uint32_t out = g_.activation("denoised", {batch_, d_.channels, l[0], l[1], l[2]});
  g_.op(ASSAY_OP_PATCHIFY3D, "unpatchify", {rows}, {out},
        {number(d_.patch[0]), number(d_.patch[1]), number(d_.patch[2]), 1});
  g_.mark_output(out);
}

void DitPass::blocks(Stream* video, Stream* text) {
  const int64_t doubles = d_.stream == TextStream::kDual ? double_blocks(d_, layers_) : layers_;
  for (int64_t i = 0; i < layers_; ++i) {
    g_.set_layer(static_cast<int32_t>(i));
    const std::string p = "block" + std::to_string(i) + ".";
    if (i >= doubles) {
      single_block(p, video, text);
    } else if (d_.stream == TextStream::kCross) {
      self_block(p, video);
    } else {
      joint_block(p, video, text);
    }
  }
  g_.set_layer(-1);
}

Graph DitPass::lower() {
  const int64_t dim = d_.head_dim();
  const bool cross = d_.stream == TextStream::kCross;
  if (!cross) text_pos_ = g_.scalar(kTextPosition);
  Stream video{"video_", patches(), batch_ * nv_, {}, {}};
  time_act_ = parts_.activation(time_embedding("time", true), "time_act", ASSAY_ACT_SILU);
  Stream text{"text_", text_rows(), batch_ * nt_, {}, {}};
  text_ = text.x;
  self_kv_ = parts_.kv("attention", batch_, cross ? nv_ : nv_ + nt_, d_.heads, dim);
  if (cross) cross_kv_ = parts_.kv("cross_attention", batch_, nt_, d_.heads, dim);
  // A pair of their own, so that a check of one block of each kind finds what each wrote.
  if (d_.single_blocks > 0 && layers_ > 1) single_kv_ = parts_.kv("single_attention", batch_, nv_ + nt_, d_.heads, dim);
  if (d_.modulation == Modulation::kShared) {
    shared_mod_ = parts_.apply(modulation("time_modulation", 6 * h_), time_act_, "time_modulation");
    if (batch_ > 1) {
      first_row_ = g_.tensor("first_row", ASSAY_I32, ASSAY_ROLE_INPUT, {batch_}, {Fill::Kind::kUniformInt, 0, 1, 1});
    }
  }
  blocks(&video, &text);
  final_layer(video.x);
  return g_.take();
}

Graph lower_dit(const Case& c, const DtypePlan& plan, int64_t layers, bool expose_intermediates) {
  return DitPass(c, plan, layers, expose_intermediates).lower();
}

double dit_params(const VideoShape& v) {
  Case c;
  c.kind = StepKind::kDit;
  c.video = v;
  c.frames = 1 + (v.dit.patch[0] - 1) * v.vae.strides[0];
  c.height = v.vae.strides[1] * v.dit.patch[1];
  c.width = v.vae.strides[2] * v.dit.patch[2];
  const Graph graph = lower_dit(c, dtype_plan(c.dtype).value(), v.dit.layers(), false);
  double params = 0;
  for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
    if (graph.tensors[t].role == ASSAY_ROLE_WEIGHT) params += static_cast<double>(graph.elements(t));
  }
  return params;
}

}  // namespace assay
