// The text encoder of a video model: T5 (both ways, unscaled scores, gated gelu) or the layers of a decoder-only model.
#include <cmath>

#include "suites/lower/parts.h"
#include "suites/lower/video.h"

namespace assay {
namespace {

class TextEncoder {
 public:
  TextEncoder(const Case& c, DtypePlan plan, int64_t layers, bool expose)
      : t_(c.video.text),
        batch_(c.batch),
        tokens_(c.tokens),
        layers_(layers),
        g_(std::move(plan), expose),
        parts_(&g_, batch_, 1e-6) {}

  Graph lower() {
    const int64_t rows = batch_ * tokens_;
    const uint32_t ids =
        g_.tensor("token_ids", ASSAY_I32, ASSAY_ROLE_INPUT, {rows}, {Fill::Kind::kUniformInt, 0, 1, t_.vocab});
    const uint32_t table = g_.weight("embedding", t_.vocab, t_.hidden, 1);
    uint32_t x = g_.activation("embedded", {rows, t_.hidden});
    g_.op(ASSAY_OP_EMBEDDING, "embedding", {ids, table}, {x});
    kv_ = parts_.kv("attention", batch_, tokens_, t_.kv_heads, t_.head_dim);
    for (int64_t i = 0; i < layers_; ++i) x = layer(i, x);
    g_.set_layer(-1);
    g_.mark_output(norm(x, "hidden"));
    return g_.take();
  }

 private:
  uint32_t norm(uint32_t x, const std::string& name) {
    return parts_.rms_norm(x, parts_.vector(name + ".gamma", t_.hidden, 1, 0.1), name, 0, 0);
  }

  uint32_t rope(uint32_t qkv, const std::string& name) {
    const uint32_t y = g_.activation(name, g_.at(qkv).dims);
    const auto dim = static_cast<double>(t_.head_dim), cols = static_cast<double>((t_.heads + t_.kv_heads)) * dim;
    g_.op(ASSAY_OP_ROPE, name, {qkv}, {y},
          {static_cast<double>(batch_), dim, dim, t_.rope_theta, 0, 0, cols, 0, 0, 0, 0});
    return y;
  }

  uint32_t layer(int64_t index, uint32_t x) {
    g_.set_layer(static_cast<int32_t>(index));
    const std::string p = "layer" + std::to_string(index) + ".";
    const int64_t h = t_.hidden, q_cols = t_.heads * t_.head_dim, k_cols = t_.kv_heads * t_.head_dim;
    const double dim_root = std::sqrt(static_cast<double>(t_.head_dim));
    // T5 does not scale its scores: smaller random weights keep them in range instead.
    const double scale = t_.causal ? 1 / dim_root : 1;
    const double q_stddev = Parts::plain_stddev(h) / (t_.causal ? 1 : std::sqrt(dim_root));
    const Linear qkv_weight = parts_.linear(p + "qkv", h, q_cols + 2 * k_cols, q_stddev, false);
    uint32_t qkv = parts_.apply(qkv_weight, norm(x, p + "attention_norm"), p + "qkv");
    if (t_.causal) qkv = rope(qkv, p + "rope");
    parts_.append(qkv, kv_, q_cols, q_cols + k_cols, p + "kv_append");
    const int mask = t_.causal ? ASSAY_MASK_CAUSAL : ASSAY_MASK_FULL;
    const uint32_t y = parts_.attention(qkv, kv_, t_.heads, scale, mask, {batch_ * tokens_, q_cols}, p + "attention");
    const Linear o = parts_.linear(p + "o", q_cols, h, Parts::residual_stddev(q_cols, t_.layers), false);
    x = parts_.add(x, parts_.apply(o, y, p + "o"), p + "attention_add");

    const Linear gate_up = parts_.linear(p + "gate_up", h, 2 * t_.ffn, Parts::plain_stddev(h), false);
    const uint32_t wide = parts_.apply(gate_up, norm(x, p + "mlp_norm"), p + "gate_up");
    const uint32_t gated = g_.activation(p + "gated", {batch_ * tokens_, t_.ffn});
    g_.op(ASSAY_OP_GATED_ACT, p + "gated_act", {wide}, {gated},
          {static_cast<double>(t_.causal ? ASSAY_ACT_SILU : ASSAY_ACT_GELU_TANH)});
    const Linear down = parts_.linear(p + "down", t_.ffn, h, Parts::residual_stddev(t_.ffn, t_.layers), false);
    return parts_.add(x, parts_.apply(down, gated, p + "down"), p + "mlp_add");
  }

  const TextEncoderShape& t_;
  int64_t batch_, tokens_, layers_;
  GraphBuilder g_;
  Parts parts_;
  KvPair kv_;
};

}  // namespace

Graph lower_text_encoder(const Case& c, const DtypePlan& plan, int64_t layers, bool expose_intermediates) {
  return TextEncoder(c, plan, layers, expose_intermediates).lower();
}

}  // namespace assay
