// Attention of a decoder's layer: grouped queries, latent (MLA), and chosen tokens only (DSA).
#include <algorithm>
#include <cmath>

#include "suites/lower/llm_parts.h"

namespace assay {
namespace {

constexpr double kIndexNormEps = 1e-6;

// A cache that holds the kept tokens and the step's.
uint32_t cache(const LlmContext& x, const std::string& name, int64_t heads, int64_t dim, bool windowed = false) {
  std::vector<int64_t> dims{x.c.batch, kept_tokens(x, windowed) + x.c.tokens, heads, dim};
  if (x.c.paged()) {
    dims[0] = x.g.at(windowed ? x.window_pages : x.pages).fill.bound;
    dims[1] = x.c.page_tokens;
  }
  return x.g.tensor(name, x.g.plan().kv, ASSAY_ROLE_STATE, std::move(dims), {Fill::Kind::kNormal, 0, 1, 0});
}

// An op's inputs with the page table at its place behind them, where there is one.
std::vector<uint32_t> with_pages(std::vector<uint32_t> in, size_t place, uint32_t pages) {
  if (pages == kNoTensor) return in;
  in.resize(place, kNoTensor);
  in.push_back(pages);
  return in;
}

// Rows of `in` go to one cache of `dim` columns from `col` on.
void append_one(const LlmContext& x, uint32_t in, uint32_t to, const std::string& name, int64_t dim, int64_t col) {
  x.g.op(ASSAY_OP_KV_APPEND, name, with_pages({in, to, to}, ASSAY_KV_APPEND_IN_PAGES, x.pages), {to, to},
         {x.batch(), 1, static_cast<double>(dim), 0, static_cast<double>(col), 0}, x.pos);
}

struct Latent {
  uint32_t query = 0;       // [M, heads * (nope + rope)], rotated
  uint32_t compressed = 0;  // [M, kv_rank + rope]: normed latent, rotated key
  uint32_t query_in = 0;    // [M, q_rank], normed; the indexer's input
};

Latent latent_projections(const LlmContext& x, uint32_t normed, const std::string& p) {
  const MlaShape& a = x.m.mla;
  const int64_t h = x.m.hidden, qk = a.nope_dim + a.rope_dim;
  Latent out;
  uint32_t in = normed;
  int64_t width = h;
  if (a.q_rank > 0) {
    const uint32_t down = x.g.weight(p + "q_a.weight", a.q_rank, h, plain_stddev(h));
    in = rms_norm(x, x.g.project(normed, down, p + "q_a"), p + "q_a_norm", a.q_rank, 0, 0);
    width = a.q_rank;
    out.query_in = in;
  }
  const uint32_t up = x.g.weight(p + "q_b.weight", x.m.heads * qk, width, plain_stddev(width));
  out.query = rope(x, x.g.project(in, up, p + "q_b"), p + "q_rope",
                   {qk, a.rope_dim, a.nope_dim, 0, x.m.heads * qk, x.m.rope_interleaved});
  const uint32_t kv = x.g.weight(p + "kv_a.weight", a.kv_rank + a.rope_dim, h, plain_stddev(h));
  const uint32_t latent = rms_norm(x, x.g.project(normed, kv, p + "kv_a"), p + "kv_a_norm", a.kv_rank, 0, a.kv_rank);
  out.compressed =
      rope(x, latent, p + "k_rope", {a.rope_dim, a.rope_dim, 0, a.kv_rank, a.rope_dim, x.m.rope_interleaved});
  return out;
}

// The indexer's keys are cached always; what they choose only once there is more to choose from than it keeps.
uint32_t index_tokens(const LlmContext& x, uint32_t normed, uint32_t query_in, const std::string& p) {
  const IndexerShape& i = x.m.indexer;
  const int64_t h = x.m.hidden, rotary = x.m.mla.rope_dim;
  const uint32_t k_weight = x.g.weight(p + "index_k.weight", i.dim, h, plain_stddev(h));
  const uint32_t k = x.g.project(normed, k_weight, p + "index_k");
  const uint32_t gamma = llm_vector(x, p + "index_k_norm.gamma", i.dim, 1, 0.1);
  const uint32_t beta = llm_vector(x, p + "index_k_norm.beta", i.dim, 0, 0.1);
  const uint32_t k_normed = x.g.activation(p + "index_k_norm", {x.rows, i.dim});
  x.g.op(ASSAY_OP_LAYER_NORM_MODULATE, p + "index_k_norm", {k, kNoTensor, gamma, beta}, {k_normed},
         {x.batch(), kIndexNormEps, 0, 0});
  const uint32_t key = rope(x, k_normed, p + "index_k_rope", {i.dim, rotary, 0, 0, i.dim, i.rope_interleaved});
  const uint32_t keys = cache(x, p + "index_cache", 1, i.dim);
  append_one(x, key, keys, p + "index_append", i.dim, 0);

  const int64_t rank = x.m.mla.q_rank;
  const uint32_t q_weight = x.g.weight(p + "index_q.weight", i.heads * i.dim, rank, plain_stddev(rank));
  const uint32_t w_weight = x.g.matrix(p + "index_weight.weight", {i.heads, h}, plain_stddev(h));
  if (!sparse_step(x.c)) return kNoTensor;
  const uint32_t q = rope(x, x.g.project(query_in, q_weight, p + "index_q"), p + "index_q_rope",
                          {i.dim, rotary, 0, 0, i.heads * i.dim, i.rope_interleaved});
  const uint32_t weight = x.g.matmul(normed, w_weight, p + "index_weight");
  const uint32_t index = x.g.made(p + "index", ASSAY_I32, {x.rows, i.top_k});
  const double scale = 1 / std::sqrt(static_cast<double>(i.heads) * static_cast<double>(i.dim));
  x.g.op(ASSAY_OP_INDEX_TOPK, p + "index_topk", {q, keys, weight}, {index},
         {x.batch(), static_cast<double>(i.heads), static_cast<double>(i.dim), 0, scale}, x.pos);
  return index;
}

std::vector<double> attention_attributes(const LlmContext& x, int64_t kv_heads, int64_t dim_qk, int64_t dim_v,
                                         double scale) {
  return {x.batch(),
          static_cast<double>(x.m.heads),
          static_cast<double>(kv_heads),
          static_cast<double>(dim_qk),
          static_cast<double>(dim_v),
          scale,
          ASSAY_MASK_CAUSAL,
          0,
          0};
}

double mla_scale(const MlaShape& a) { return 1 / std::sqrt(static_cast<double>(a.nope_dim + a.rope_dim)); }

// Queries are taken into the latent space, where all heads share one key and value: the cache is read as it is.
uint32_t absorbed(const LlmContext& x, const Latent& in, uint32_t index, const std::string& p) {
  const MlaShape& a = x.m.mla;
  const int64_t heads = x.m.heads, qk = a.nope_dim + a.rope_dim, row = a.kv_rank + a.rope_dim;
  const uint32_t latent = cache(x, p + "latent_cache", 1, row);
  append_one(x, in.compressed, latent, p + "kv_append", row, 0);
  const uint32_t into = x.g.matrix(p + "k_up.weight", {heads, a.kv_rank, a.nope_dim}, plain_stddev(a.nope_dim));
  const uint32_t q = x.g.activation(p + "q_latent", {x.rows, heads * row});
  const auto n_heads = static_cast<double>(heads);
  x.g.op(ASSAY_OP_HEAD_MATMUL, p + "k_up", {in.query, into}, {q},
         {n_heads, 0, static_cast<double>(qk), static_cast<double>(a.rope_dim)});
  std::vector<double> attributes = attention_attributes(x, 1, row, a.kv_rank, mla_scale(a));
  attributes.insert(attributes.end(), {0, 0, 0});
  std::vector<uint32_t> inputs{q, latent, latent};
  if (index != kNoTensor) inputs.insert(inputs.end(), {kNoTensor, index});
  const uint32_t mixed = x.g.activation(p + "attention", {x.rows, heads * a.kv_rank});
  x.g.op(ASSAY_OP_ATTENTION, p + "attention", with_pages(std::move(inputs), ASSAY_ATTENTION_IN_PAGES, x.pages), {mixed},
         attributes, x.pos);
  const uint32_t back = x.g.matrix(p + "v_up.weight", {heads, a.v_dim, a.kv_rank}, plain_stddev(a.kv_rank));
  const uint32_t y = x.g.activation(p + "v_out", {x.rows, heads * a.v_dim});
  x.g.op(ASSAY_OP_HEAD_MATMUL, p + "v_up", {mixed, back}, {y}, {n_heads, 0, static_cast<double>(a.kv_rank), 0});
  return y;
}

// Keys and values of every head are made from the cached latent; the rotated part of the key is shared by all heads.
uint32_t expanded(const LlmContext& x, const Latent& in, const std::string& p) {
  const MlaShape& a = x.m.mla;
  const int64_t heads = x.m.heads, dim = a.nope_dim + a.v_dim, length = x.c.context + x.c.tokens;
  const uint32_t latent = cache(x, p + "latent_cache", 1, a.kv_rank);
  const uint32_t shared = cache(x, p + "rope_cache", 1, a.rope_dim);
  x.g.op(ASSAY_OP_KV_APPEND, p + "kv_append", {in.compressed, latent, shared}, {latent, shared},
         {x.batch(), 1, static_cast<double>(a.kv_rank), static_cast<double>(a.rope_dim), 0,
          static_cast<double>(a.kv_rank)},
         x.pos);
  const uint32_t weight = x.g.matrix(p + "kv_b.weight", {heads * dim, a.kv_rank}, plain_stddev(a.kv_rank));
  const uint32_t kv = x.g.activation(p + "kv", {x.c.batch, length, heads, dim});
  x.g.op(ASSAY_OP_KV_EXPAND, p + "kv_expand", {latent, weight}, {kv},
         {static_cast<double>(x.c.tokens), static_cast<double>(heads), 0}, x.pos);
  std::vector<double> attributes = attention_attributes(x, heads, a.nope_dim + a.rope_dim, a.v_dim, mla_scale(a));
  attributes.insert(attributes.end(), {static_cast<double>(a.rope_dim), 0, static_cast<double>(a.nope_dim)});
  const uint32_t y = x.g.activation(p + "attention", {x.rows, heads * a.v_dim});
  x.g.op(ASSAY_OP_ATTENTION, p + "attention", {in.query, kv, kv, shared}, {y}, attributes, x.pos);
  return y;
}

uint32_t project_out(const LlmContext& x, uint32_t in, int64_t width, const std::string& p) {
  const uint32_t weight = x.g.weight(p + "o.weight", x.m.hidden, width, residual_stddev(x.m, width));
  return x.g.project(in, weight, p + "o");
}

uint32_t normed_heads(const LlmContext& x, uint32_t qkv, const std::string& p) {
  const int64_t d = x.m.head_dim, q_cols = x.m.heads * d, k_cols = x.m.kv_heads * d;
  qkv = rms_norm(x, qkv, p + "q_norm", x.m.qk_norm_row ? q_cols : d, 0, q_cols);
  return rms_norm(x, qkv, p + "k_norm", x.m.qk_norm_row ? k_cols : d, q_cols, k_cols);
}

}  // namespace

bool sparse_step(const Case& c) { return c.model.has_indexer() && c.context + c.tokens > c.model.indexer.top_k; }

uint32_t mla_attention(const LlmContext& x, uint32_t normed, const std::string& p) {
  const Latent latent = latent_projections(x, normed, p);
  const uint32_t index = x.m.has_indexer() ? index_tokens(x, normed, latent.query_in, p) : kNoTensor;
  const bool absorb = x.c.kind == StepKind::kDecode || index != kNoTensor;
  const uint32_t y = absorb ? absorbed(x, latent, index, p) : expanded(x, latent, p);
  return project_out(x, y, x.m.heads * x.m.mla.v_dim, p);
}

uint32_t gqa_attention(const LlmContext& x, int64_t layer, uint32_t normed, const std::string& p) {
  const int64_t h = x.m.hidden, d = x.m.head_dim, q_cols = x.m.heads * d, k_cols = x.m.kv_heads * d;
  const int64_t qkv_cols = q_cols + 2 * k_cols;
  const uint32_t qkv_weight = x.g.weight(p + "qkv.weight", qkv_cols, h, plain_stddev(h));
  const int64_t bias = x.m.qkv_bias ? static_cast<int64_t>(llm_vector(x, p + "qkv.bias", qkv_cols, 0, 0.1)) : -1;
  uint32_t qkv = x.g.project(normed, qkv_weight, p + "qkv", bias);
  if (x.m.qk_norm || x.m.qk_norm_row) qkv = normed_heads(x, qkv, p);
  const int64_t rotary = x.m.rotary_dim > 0 ? x.m.rotary_dim : d;
  if (!x.m.no_rope) qkv = rope(x, qkv, p + "rope", {d, rotary, 0, 0, q_cols + k_cols, x.m.rope_interleaved});

  // What has left the window is no longer kept. Keys are cached turned, so that their slots may move.
  const bool windowed = x.m.windowed_layer(layer);
  const uint32_t pos = windowed ? x.window_pos : x.pos;
  const uint32_t k = cache(x, p + "k_cache", x.m.kv_heads, d, windowed);
  const uint32_t v = cache(x, p + "v_cache", x.m.kv_heads, d, windowed);
  const uint32_t pages = windowed ? x.window_pages : x.pages;
  const auto dim = static_cast<double>(d);
  x.g.op(ASSAY_OP_KV_APPEND, p + "kv_append", with_pages({qkv, k, v}, ASSAY_KV_APPEND_IN_PAGES, pages), {k, v},
         {x.batch(), static_cast<double>(x.m.kv_heads), dim, dim, static_cast<double>(q_cols),
          static_cast<double>(q_cols + k_cols)},
         pos);
  std::vector<double> attributes = attention_attributes(x, x.m.kv_heads, d, d, 1 / std::sqrt(dim));
  if (windowed) {
    attributes[ASSAY_ATTENTION_MASK] = ASSAY_MASK_WINDOW;
    attributes[ASSAY_ATTENTION_WINDOW] = static_cast<double>(x.m.window);
  }
  const uint32_t y = x.g.activation(p + "attention", {x.rows, q_cols});
  x.g.op(ASSAY_OP_ATTENTION, p + "attention", with_pages({qkv, k, v}, ASSAY_ATTENTION_IN_PAGES, pages), {y}, attributes,
         pos);
  return project_out(x, y, q_cols, p);
}

}  // namespace assay
