// A decoder-only transformer's step: embedding, layers, head.
#include "suites/lower/llm.h"

#include <algorithm>
#include <cmath>

#include "suites/lower/llm_parts.h"

namespace assay {

double plain_stddev(int64_t inputs) { return 1 / std::sqrt(static_cast<double>(inputs)); }

double residual_stddev(const ModelShape& m, int64_t inputs) {
  return 1 / std::sqrt(static_cast<double>(inputs) * 2 * static_cast<double>(m.layers));
}

int64_t kept_tokens(const LlmContext& x, bool windowed) {
  return windowed ? std::min(x.c.context, x.m.window - 1) : x.c.context;
}

uint32_t llm_vector(const LlmContext& x, const std::string& name, int64_t size, double mean, double stddev) {
  return x.g.tensor(name, x.g.plan().activation, ASSAY_ROLE_WEIGHT, {size}, {Fill::Kind::kNormal, mean, stddev, 0});
}

uint32_t rms_norm(const LlmContext& x, uint32_t in, const std::string& name, int64_t group, int64_t col, int64_t cols) {
  const uint32_t gamma = llm_vector(x, name + ".gamma", group, 1, 0.1);
  const uint32_t y = x.g.activation(name, x.g.at(in).dims);
  x.g.op(ASSAY_OP_RMS_NORM, name, {in, gamma}, {y},
         {x.m.norm_eps, static_cast<double>(group), static_cast<double>(col), static_cast<double>(cols)});
  return y;
}

uint32_t add(const LlmContext& x, uint32_t a, uint32_t b, const std::string& name) {
  const uint32_t y = x.g.activation(name, x.g.at(a).dims);
  x.g.op(ASSAY_OP_ADD, name, {a, b}, {y});
  return y;
}

uint32_t rope(const LlmContext& x, uint32_t in, const std::string& name, const RopeSpan& span) {
  const uint32_t y = x.g.activation(name, x.g.at(in).dims);
  std::vector<double> attributes{x.batch(),
                                 static_cast<double>(span.head_dim),
                                 static_cast<double>(span.rotary_dim),
                                 x.m.rope_theta,
                                 span.interleaved ? 1.0 : 0.0,
                                 static_cast<double>(span.col),
                                 static_cast<double>(span.cols),
                                 x.m.rope_factor,
                                 x.m.rope_low,
                                 x.m.rope_high,
                                 static_cast<double>(x.m.rope_original)};
  if (span.rotary_col > 0) attributes.push_back(static_cast<double>(span.rotary_col));
  x.g.op(ASSAY_OP_ROPE, name, {in}, {y}, attributes, x.pos);
  return y;
}

namespace {

class LlmStep {
 public:
  LlmStep(const Case& c, DtypePlan plan, int64_t layers, bool expose)
      : c_(c), m_(c.model), layers_(layers), g_(std::move(plan), expose), x_{c,         c.model,  g_,
                                                                             0,         0,        c.batch * c.tokens,
                                                                             kNoTensor, kNoTensor} {}

  Graph lower() {
    x_.pos = g_.scalar("pos");
    if (m_.window > 0) x_.window_pos = g_.scalar(kWindowPosition);
    if (c_.paged()) make_page_tables();
    const uint32_t ids =
        g_.tensor("token_ids", ASSAY_I32, ASSAY_ROLE_INPUT, {x_.rows}, {Fill::Kind::kUniformInt, 0, 1, m_.vocab});
    table_ = g_.weight("embedding", m_.vocab, m_.hidden, 1);
    uint32_t x = g_.activation("embedded", {x_.rows, m_.hidden});
    g_.op(ASSAY_OP_EMBEDDING, "embedding", {ids, table_}, {x});
    const int64_t first = first_layer(m_, layers_);
    for (int64_t i = first; i < first + layers_; ++i) x = layer(i, x, i + 1 == first + layers_);
    g_.set_layer(-1);
    head(x);
    return g_.take();
  }

 private:
  // One for all layers whose caches are as long, each of which has memory of its own, as in serving engines.
  void make_page_tables() {
    x_.pages = page_table("kv_pages", kept_tokens(x_, false));
    if (m_.window > 0) x_.window_pages = page_table("window_pages", kept_tokens(x_, true));
  }
  uint32_t page_table(const std::string& name, int64_t before) {
    const int64_t pages = (before + c_.tokens + c_.page_tokens - 1) / c_.page_tokens;
    Fill order{Fill::Kind::kPages, 0, 1, c_.batch * pages};
    order.page_seed = c_.page_seed;
    return g_.tensor(name, ASSAY_I32, ASSAY_ROLE_INPUT, {c_.batch, pages}, order);
  }

  uint32_t layer(int64_t index, uint32_t x, bool last) {
    g_.set_layer(static_cast<int32_t>(index));
    const std::string p = "layer" + std::to_string(index) + ".";
    const uint32_t normed = rms_norm(x_, x, p + "attention_norm", m_.hidden, 0, 0);
    const uint32_t attended = m_.has_mla() ? mla_attention(x_, normed, p) : gqa_attention(x_, index, normed, p);
    const uint32_t middle = add(x_, x, attended, p + "attention_add");
    const uint32_t mlp_in = rms_norm(x_, middle, p + "mlp_norm", m_.hidden, 0, 0);
    const uint32_t mixed = m_.moe_layer(index) ? moe_mlp(x_, index, mlp_in, p) : mlp(x_, mlp_in, p, m_.ffn);
    const uint32_t out = add(x_, middle, mixed, last ? "hidden" : p + "mlp_add");
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
    const uint32_t normed = rms_norm(x_, x, "final_norm", m_.hidden, 0, 0);
    const uint32_t weight =
        m_.tied_embeddings ? table_ : g_.weight("lm_head.weight", m_.vocab, m_.hidden, plain_stddev(m_.hidden));
    const uint32_t logits = g_.project(normed, weight, "logits");
    g_.mark_output(logits);
    const uint32_t next = g_.tensor("next_token", ASSAY_I32, ASSAY_ROLE_OUTPUT, {c_.batch});
    g_.op(ASSAY_OP_ARGMAX, "next_token", {logits}, {next});
  }

  const Case& c_;
  const ModelShape& m_;
  int64_t layers_;
  GraphBuilder g_;
  LlmContext x_;
  uint32_t table_ = 0;
};

}  // namespace

int64_t first_layer(const ModelShape& m, int64_t layers) {
  return m.has_moe() ? std::clamp<int64_t>(m.layers - layers, 0, m.moe.dense_layers) : 0;
}

double kv_bytes_behind_window(const ModelShape& m, double bytes_per_element) {
  int64_t growing = 0;
  for (int64_t i = 0; i < m.layers; ++i) growing += m.windowed_layer(i) ? 0 : 1;
  return m.kv_bytes_per_token(bytes_per_element) * static_cast<double>(growing) / static_cast<double>(m.layers);
}

Graph lower_llm(const Case& c, const DtypePlan& plan, int64_t layers, bool expose_intermediates) {
  return LlmStep(c, plan, layers, expose_intermediates).lower();
}

}  // namespace assay
