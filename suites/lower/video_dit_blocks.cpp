// The blocks of a video diffusion transformer: self and cross attention, joint streams, attention beside the MLP.
#include "suites/lower/dit_pass.h"

namespace assay {

StreamWeights DitPass::stream_weights(const std::string& p) {
  StreamWeights w;
  norm_weights(p + "attention_norm", &w, 0);
  norm_weights(p + "mlp_norm", &w, 1);
  w.qkv = plain(p + "qkv", h_, 3 * h_);
  const int64_t group = d_.qk_norm == QkNorm::kRows ? h_ : d_.head_dim();
  if (d_.qk_norm != QkNorm::kNone) {
    w.q_gamma = parts_.vector(p + "q_norm.gamma", group, 1, 0.1);
    w.k_gamma = parts_.vector(p + "k_norm.gamma", group, 1, 0.1);
  }
  w.o = residual(p + "o", h_);
  w.fc1 = plain(p + "fc1", h_, d_.ffn);
  w.fc2 = residual(p + "fc2", d_.ffn);
  return w;
}

uint32_t DitPass::qk_normed(uint32_t x, const StreamWeights& w, const std::string& p) {
  if (d_.qk_norm == QkNorm::kNone) return x;
  x = parts_.rms_norm(x, static_cast<uint32_t>(w.q_gamma), p + "q_norm", 0, h_);
  return parts_.rms_norm(x, static_cast<uint32_t>(w.k_gamma), p + "k_norm", h_, h_);
}

uint32_t DitPass::rope(uint32_t qkv, const std::string& p) {
  if (d_.rope_dims[0] == 0) return qkv;
  const uint32_t y = g_.activation(p + "rope", g_.at(qkv).dims);
  const double dim = number(d_.head_dim());
  g_.op(ASSAY_OP_ROPE, p + "rope", {qkv}, {y},
        {number(batch_), dim, dim, d_.rope_theta, 1, 0, number(2 * h_), 0, 0, 0, 0, 0, number(grid_.patches[1]),
         number(grid_.patches[2]), number(d_.rope_dims[0]), number(d_.rope_dims[1]), 0});
  return y;
}

uint32_t DitPass::qkv_of(const Stream& s, uint32_t normed, const std::string& p) {
  return qk_normed(parts_.apply(s.w.qkv, normed, p + "qkv"), s.w, p);
}

uint32_t DitPass::attended(uint32_t q, const KvPair& kv, int mask, const std::string& name) {
  return parts_.attention(q, kv, d_.heads, Parts::plain_stddev(d_.head_dim()), mask, {g_.at(q).dims[0], h_}, name);
}

uint32_t DitPass::mlp(const Stream& s, uint32_t normed, const std::string& p) {
  const uint32_t wide = parts_.apply(s.w.fc1, normed, p + "fc1");
  return parts_.apply(s.w.fc2, parts_.activation(wide, p + "act", ASSAY_ACT_GELU_TANH), p + "fc2");
}

uint32_t DitPass::normed(const Stream& s, int i, const std::string& p) {
  return parts_.layer_norm(s.x, s.mod[i], s.w.norm_gamma[i], s.w.norm_beta[i], p);
}

void DitPass::shared_modulation(const std::string& p, Stream* video) {
  uint32_t table = g_.tensor(p + "modulation", g_.plan().activation, ASSAY_ROLE_WEIGHT, {1, 6 * h_},
                             {Fill::Kind::kNormal, 0, 0.3, 0});
  if (batch_ > 1) {
    const uint32_t repeated = g_.activation(p + "modulation_rows", {batch_, 6 * h_});
    g_.op(ASSAY_OP_EMBEDDING, p + "modulation_repeat", {first_row_, table}, {repeated});
    table = repeated;
  }
  const uint32_t mod = parts_.add(shared_mod_, table, p + "modulated");
  video->mod[0] = {mod, 0, h_, 2 * h_};
  video->mod[1] = {mod, 3 * h_, 4 * h_, 5 * h_};
}

void DitPass::self_block(const std::string& p, Stream* video) {
  shared_modulation(p, video);
  video->w = stream_weights(p);
  const uint32_t qkv = rope(qkv_of(*video, normed(*video, 0, p + "attention_norm"), p), p);
  parts_.append(qkv, self_kv_, h_, 2 * h_, p + "kv_append");
  const uint32_t y = parts_.apply(video->w.o, attended(qkv, self_kv_, ASSAY_MASK_FULL, p + "attention"), p + "o");
  video->x = parts_.gated_add(video->x, y, video->mod[0], p + "attention_add");
  cross_attention(p + "cross_", video);
  video->x =
      parts_.gated_add(video->x, mlp(*video, normed(*video, 1, p + "mlp_norm"), p), video->mod[1], p + "mlp_add");
}

void DitPass::joint_attention(const std::string& p, Stream* video, Stream* text, uint32_t normed_rows[2],
                              uint32_t out[2], const KvPair& kv) {
  const uint32_t v = rope(qkv_of(*video, normed_rows[0], p + "video_"), p + "video_");
  const uint32_t t = qkv_of(*text, normed_rows[1], p + "text_");
  parts_.append(v, kv, h_, 2 * h_, p + "video_kv_append");
  parts_.append(t, kv, h_, 2 * h_, p + "text_kv_append", text_pos_);
  out[0] = attended(v, kv, ASSAY_MASK_CROSS, p + "video_attention");
  out[1] = attended(t, kv, ASSAY_MASK_CROSS, p + "text_attention");
}

void DitPass::joint_block(const std::string& p, Stream* video, Stream* text) {
  const bool joint = d_.stream == TextStream::kJoint;
  for (int i = 0; i < 2; ++i) {
    const std::string name = p + (joint ? (i == 0 ? "attention_mod" : "mlp_mod") : (i == 0 ? "video_mod" : "text_mod"));
    const uint32_t mod = parts_.apply(modulation(name, 6 * h_), time_act_, name);
    if (joint) {
      video->mod[i] = {mod, 0, h_, 2 * h_};
      text->mod[i] = {mod, 3 * h_, 4 * h_, 5 * h_};
    } else {
      Stream* s = i == 0 ? video : text;
      s->mod[0] = {mod, 0, h_, 2 * h_};
      s->mod[1] = {mod, 3 * h_, 4 * h_, 5 * h_};
    }
  }
  video->w = stream_weights(joint ? p : p + "video_");
  text->w = joint ? video->w : stream_weights(p + "text_");
  uint32_t rows[2] = {normed(*video, 0, p + "video_attention_norm"), normed(*text, 0, p + "text_attention_norm")};
  uint32_t y[2];
  joint_attention(p, video, text, rows, y, self_kv_);
  for (Stream* s : {video, text}) {
    const std::string q = p + s->name;
    const uint32_t o = parts_.apply(s->w.o, y[s == text ? 1 : 0], q + "o");
    s->x = parts_.gated_add(s->x, o, s->mod[0], q + "attention_add");
    s->x = parts_.gated_add(s->x, mlp(*s, normed(*s, 1, q + "mlp_norm"), q), s->mod[1], q + "mlp_add");
  }
}

void DitPass::single_block(const std::string& p, Stream* video, Stream* text) {
  const uint32_t mod = parts_.apply(modulation(p + "mod", 3 * h_), time_act_, p + "mod");
  video->w = stream_weights(p);
  text->w = video->w;
  // The two halves are one product over [attention, mlp] in the model: one bias.
  text->w.fc2.bias = video->w.fc2.bias = -1;
  for (Stream* s : {video, text}) s->mod[0] = {mod, 0, h_, 2 * h_};
  uint32_t rows[2] = {normed(*video, 0, p + "video_norm"), normed(*text, 0, p + "text_norm")};
  uint32_t y[2];
  joint_attention(p, video, text, rows, y, single_kv_);
  for (Stream* s : {video, text}) {
    const int i = s == text ? 1 : 0;
    const std::string q = p + s->name;
    const uint32_t both = parts_.add(parts_.apply(s->w.o, y[i], q + "o"), mlp(*s, rows[i], q), q + "sum");
    s->x = parts_.gated_add(s->x, both, s->mod[0], q + "add");
  }
}

void DitPass::cross_attention(const std::string& p, Stream* video) {
  const uint32_t gamma = parts_.vector(p + "norm.gamma", h_, 1, 0.1), beta = parts_.vector(p + "norm.beta", h_, 0, 0.1);
  const uint32_t rows = parts_.layer_norm(video->x, {}, gamma, beta, p + "norm");
  uint32_t q = parts_.apply(plain(p + "q", h_, h_), rows, p + "q");
  uint32_t kv = parts_.apply(plain(p + "kv", h_, 2 * h_), text_, p + "kv");
  if (d_.qk_norm != QkNorm::kNone) {
    const int64_t group = d_.qk_norm == QkNorm::kRows ? h_ : d_.head_dim();
    q = parts_.rms_norm(q, parts_.vector(p + "q_norm.gamma", group, 1, 0.1), p + "q_norm", 0, h_);
    kv = parts_.rms_norm(kv, parts_.vector(p + "k_norm.gamma", group, 1, 0.1), p + "k_norm", 0, h_);
  }
  parts_.append(kv, cross_kv_, 0, h_, p + "kv_append");
  const uint32_t y = attended(q, cross_kv_, ASSAY_MASK_CROSS, p + "attention");
  video->x = parts_.add(video->x, parts_.apply(residual(p + "o", h_), y, p + "o"), p + "add");
}

}  // namespace assay
