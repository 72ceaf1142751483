// A decoder-only transformer's step: embedding, layers, head.
#include "suites/lower/llm.h"

#include <cmath>

#include "suites/lower/builder.h"

namespace assay {
namespace {

class LlmStep {
 public:
  LlmStep(const Case& c, DtypePlan plan, int64_t layers, bool expose)
      : c_(c), m_(c.model), layers_(layers), rows_(c.batch * c.tokens), g_(std::move(plan), expose) {}

  Graph lower() {
    pos_ = g_.scalar("pos");
    const uint32_t ids =
        g_.tensor("token_ids", ASSAY_I32, ASSAY_ROLE_INPUT, {rows_}, {Fill::Kind::kUniformInt, 0, 1, m_.vocab});
    table_ = g_.weight("embedding", m_.vocab, m_.hidden, 1);
    uint32_t x = g_.activation("embedded", {rows_, m_.hidden});
    g_.op(ASSAY_OP_EMBEDDING, "embedding", {ids, table_}, {x});
    for (int64_t i = 0; i < layers_; ++i) x = layer(i, x);
    g_.set_layer(-1);
    head(x);
    return g_.take();
  }

 private:
  // Parts that write to the residual stream are scaled down, so that its size does not grow with depth.
  double residual_stddev(int64_t inputs) const {
    return 1 / std::sqrt(static_cast<double>(inputs) * 2 * static_cast<double>(m_.layers));
  }
  static double plain_stddev(int64_t inputs) { return 1 / std::sqrt(static_cast<double>(inputs)); }

  uint32_t vector(const std::string& name, int64_t size, double mean, double stddev) {
    return g_.tensor(name, g_.plan().activation, ASSAY_ROLE_WEIGHT, {size}, {Fill::Kind::kNormal, mean, stddev, 0});
  }

  // Columns col..col+cols in groups; cols 0: all.
  uint32_t norm(uint32_t x, const std::string& name, int64_t group, int64_t col, int64_t cols) {
    const uint32_t gamma = vector(name + ".gamma", group, 1, 0.1);
    const uint32_t y = g_.activation(name, g_.at(x).dims);
    g_.op(ASSAY_OP_RMS_NORM, name, {x, gamma}, {y},
          {m_.norm_eps, static_cast<double>(group), static_cast<double>(col), static_cast<double>(cols)});
    return y;
  }

  uint32_t add(uint32_t a, uint32_t b, const std::string& name) {
    const uint32_t y = g_.activation(name, g_.at(a).dims);
    g_.op(ASSAY_OP_ADD, name, {a, b}, {y});
    return y;
  }

  uint32_t rope(uint32_t qkv, const std::string& name, int64_t cols) {
    const uint32_t y = g_.activation(name, g_.at(qkv).dims);
    const auto rotary = static_cast<double>(m_.rotary_dim > 0 ? m_.rotary_dim : m_.head_dim);
    g_.op(ASSAY_OP_ROPE, name, {qkv}, {y},
          {static_cast<double>(c_.batch), static_cast<double>(m_.head_dim), rotary, m_.rope_theta,
           m_.rope_interleaved ? 1.0 : 0.0, 0.0, static_cast<double>(cols), m_.rope_factor, m_.rope_low, m_.rope_high,
           static_cast<double>(m_.rope_original)},
          pos_);
    return y;
  }

  uint32_t attention(uint32_t qkv, const std::string& p) {
    const int64_t d = m_.head_dim, q_cols = m_.heads * d, k_cols = m_.kv_heads * d;
    const Fill cached{Fill::Kind::kNormal, 0, 1, 0};
    const std::vector<int64_t> dims{c_.batch, c_.context + c_.tokens, m_.kv_heads, d};
    const uint32_t k = g_.tensor(p + "k_cache", g_.plan().kv, ASSAY_ROLE_STATE, dims, cached);
    const uint32_t v = g_.tensor(p + "v_cache", g_.plan().kv, ASSAY_ROLE_STATE, dims, cached);
    const auto batch = static_cast<double>(c_.batch), kv_heads = static_cast<double>(m_.kv_heads);
    const auto dim = static_cast<double>(d);
    g_.op(ASSAY_OP_KV_APPEND, p + "kv_append", {qkv, k, v}, {k, v},
          {batch, kv_heads, dim, dim, static_cast<double>(q_cols), static_cast<double>(q_cols + k_cols)}, pos_);
    const uint32_t y = g_.activation(p + "attention", {rows_, q_cols});
    g_.op(ASSAY_OP_ATTENTION, p + "attention", {qkv, k, v}, {y},
          {batch, static_cast<double>(m_.heads), kv_heads, dim, dim, 1 / std::sqrt(dim), ASSAY_MASK_CAUSAL, 0, 0},
          pos_);
    return y;
  }

  uint32_t layer(int64_t index, uint32_t x) {
    g_.set_layer(static_cast<int32_t>(index));
    const std::string p = "layer" + std::to_string(index) + ".";
    const int64_t h = m_.hidden, d = m_.head_dim, q_cols = m_.heads * d, k_cols = m_.kv_heads * d;
    const int64_t qkv_cols = q_cols + 2 * k_cols;

    const uint32_t normed = norm(x, p + "attention_norm", h, 0, 0);
    const uint32_t qkv_weight = g_.weight(p + "qkv.weight", qkv_cols, h, plain_stddev(h));
    const int64_t bias = m_.qkv_bias ? static_cast<int64_t>(vector(p + "qkv.bias", qkv_cols, 0, 0.1)) : -1;
    uint32_t qkv = g_.project(normed, qkv_weight, p + "qkv", bias);
    if (m_.qk_norm) {
      qkv = norm(qkv, p + "q_norm", d, 0, q_cols);
      qkv = norm(qkv, p + "k_norm", d, q_cols, k_cols);
    }
    qkv = rope(qkv, p + "rope", q_cols + k_cols);
    const uint32_t attended = attention(qkv, p);
    const uint32_t o_weight = g_.weight(p + "o.weight", h, q_cols, residual_stddev(q_cols));
    const uint32_t middle = add(x, g_.project(attended, o_weight, p + "o"), p + "attention_add");

    const uint32_t mlp_in = norm(middle, p + "mlp_norm", h, 0, 0);
    const uint32_t gate_up_weight = g_.weight(p + "gate_up.weight", 2 * m_.ffn, h, plain_stddev(h));
    const uint32_t gate_up = g_.project(mlp_in, gate_up_weight, p + "gate_up");
    const uint32_t gated = g_.activation(p + "gated", {rows_, m_.ffn});
    g_.op(ASSAY_OP_GATED_ACT, p + "gated_act", {gate_up}, {gated}, {ASSAY_ACT_SILU});
    const uint32_t down_weight = g_.weight(p + "down.weight", h, m_.ffn, residual_stddev(m_.ffn));
    const bool last = index + 1 == layers_;
    const uint32_t out = add(middle, g_.project(gated, down_weight, p + "down"), last ? "hidden" : p + "mlp_add");
    if (last) g_.mark_output(out);
    return out;
  }

  void head(uint32_t x) {
    if (c_.tokens > 1) {  // only the last token of each sequence has a next one to predict
      const uint32_t index =
          g_.tensor("last_rows", ASSAY_I32, ASSAY_ROLE_INPUT, {c_.batch}, {Fill::Kind::kLastRow, 0, 1, c_.tokens});
      const uint32_t last = g_.activation("last_hidden", {c_.batch, m_.hidden});
      g_.op(ASSAY_OP_EMBEDDING, "gather_last", {index, x}, {last});
      x = last;
    }
    const uint32_t normed = norm(x, "final_norm", m_.hidden, 0, 0);
    const uint32_t weight =
        m_.tied_embeddings ? table_ : g_.weight("lm_head.weight", m_.vocab, m_.hidden, plain_stddev(m_.hidden));
    const uint32_t logits = g_.project(normed, weight, "logits");
    g_.mark_output(logits);
    const uint32_t next = g_.tensor("next_token", ASSAY_I32, ASSAY_ROLE_OUTPUT, {c_.batch});
    g_.op(ASSAY_OP_ARGMAX, "next_token", {logits}, {next});
  }

  const Case& c_;
  const ModelShape& m_;
  int64_t layers_, rows_;
  GraphBuilder g_;
  uint32_t pos_ = 0, table_ = 0;
};

}  // namespace

Graph lower_llm(const Case& c, const DtypePlan& plan, int64_t layers, bool expose_intermediates) {
  return LlmStep(c, plan, layers, expose_intermediates).lower();
}

}  // namespace assay
