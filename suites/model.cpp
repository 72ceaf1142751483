// Model shapes: parsing and parameter counts.
#include <cmath>

#include "suites/base/json_input.h"
#include "suites/suite.h"

namespace assay {
namespace {

constexpr int64_t kMaxLayers = 4096, kMaxWidth = 1 << 20, kMaxVocab = 1 << 26, kMaxContext = int64_t{1} << 30;
constexpr int64_t kMaxExperts = 1 << 16, kMaxTopK = 1024;

void read_rope(const JsonNode& root, ModelShape* m) {
  if (root.has("no_rope")) m->no_rope = root.at("no_rope").boolean();
  if (m->no_rope) return;
  m->rope_theta = root.at("rope_theta").number(1, 1e12);
  if (root.has("rope_interleaved")) m->rope_interleaved = root.at("rope_interleaved").boolean();
  const JsonNode scaling = root.find("rope_scaling");
  if (!scaling.present()) return;
  scaling.fields({"factor", "low", "high", "original_context"});
  m->rope_factor = scaling.at("factor").number(1, 1e6);
  m->rope_low = scaling.at("low").number(1e-6, 1e6);
  m->rope_high = scaling.at("high").number(1e-6, 1e6);
  m->rope_original = scaling.at("original_context").integer(1, kMaxContext);
  if (m->rope_high <= m->rope_low) scaling.fail("expected high above low");
}

void read_mla(const JsonNode& node, ModelShape* m) {
  node.fields({"q_rank", "kv_rank", "nope_dim", "rope_dim", "v_dim"});
  if (node.has("q_rank")) m->mla.q_rank = node.at("q_rank").integer(1, kMaxWidth);
  m->mla.kv_rank = node.at("kv_rank").integer(1, kMaxWidth);
  m->mla.nope_dim = node.at("nope_dim").integer(1, kMaxWidth);
  m->mla.rope_dim = node.at("rope_dim").integer(2, kMaxWidth);
  m->mla.v_dim = node.at("v_dim").integer(1, kMaxWidth);
  if (m->mla.rope_dim % 2 != 0) node.at("rope_dim").fail_expected("an even number");
}

void read_moe(const JsonNode& node, ModelShape* m) {
  node.fields({"dense_layers", "experts", "top_k", "shared_experts", "ffn", "router", "normalise", "balancing_bias",
               "factor", "groups", "top_groups"});
  MoeShape& e = m->moe;
  e.router = node.at("router").text_of({"softmax", "sigmoid", "softmax_of_topk"});
  if (node.has("normalise")) e.normalise = node.at("normalise").boolean();
  if (node.has("balancing_bias")) e.balancing_bias = node.at("balancing_bias").boolean();
  if (node.has("factor")) e.factor = node.at("factor").number(1e-6, 1e6);
  const size_t faults = node.fault_count();
  if (node.has("dense_layers")) e.dense_layers = node.at("dense_layers").integer(0, kMaxLayers);
  e.experts = node.at("experts").integer(2, kMaxExperts);
  e.top_k = node.at("top_k").integer(1, kMaxTopK);
  if (node.has("shared_experts")) e.shared_experts = node.at("shared_experts").integer(0, kMaxTopK);
  e.ffn = node.at("ffn").integer(1, kMaxWidth);
  if (node.has("groups")) e.groups = node.at("groups").integer(1, kMaxExperts);
  if (node.has("top_groups")) e.top_groups = node.at("top_groups").integer(1, kMaxExperts);
  if (node.fault_count() > faults) return;  // what follows holds these numbers against each other
  if (e.dense_layers >= m->layers) node.at("dense_layers").fail_expected("fewer than layers");
  if (e.experts % e.groups != 0) node.at("groups").fail_expected("a divisor of experts");
  if (e.top_groups > e.groups) node.at("top_groups").fail_expected("at most groups");
  if (e.top_k > e.experts / e.groups * e.top_groups) {
    node.at("top_k").fail_expected("at most the " + std::to_string(e.experts / e.groups * e.top_groups) +
                                   " experts to choose from");
  }
}

void read_indexer(const JsonNode& node, ModelShape* m) {
  node.fields({"heads", "dim", "top_k", "rope_interleaved"});
  m->indexer.heads = node.at("heads").integer(1, kMaxWidth);
  m->indexer.dim = node.at("dim").integer(2, kMaxWidth);
  m->indexer.top_k = node.at("top_k").integer(1, kMaxContext);
  if (node.has("rope_interleaved")) m->indexer.rope_interleaved = node.at("rope_interleaved").boolean();
  if (m->mla.q_rank == 0) return node.fail("an indexer takes its queries from mla.q_rank, which is missing");
  if (m->indexer.dim < m->mla.rope_dim) node.at("dim").fail_expected("at least mla.rope_dim");
}

void read_window(const JsonNode& node, ModelShape* m) {
  node.fields({"size", "period"});
  m->window = node.at("size").integer(1, kMaxContext);
  m->window_period = node.at("period").integer(2, kMaxLayers + 1);
}

void check_heads(const JsonNode& root, const ModelShape& m) {
  if (m.heads % m.kv_heads != 0) {
    root.at("heads").fail_expected("a multiple of kv_heads (" + std::to_string(m.kv_heads) + ")");
  }
  if (m.head_dim % 2 != 0) root.at("head_dim").fail_expected("an even number");
  if (m.rotary_dim > m.head_dim || m.rotary_dim % 2 != 0) {
    root.at("rotary_dim").fail_expected("an even number up to head_dim (" + std::to_string(m.head_dim) + ")");
  }
}

// Attention by heads of keys and values; MLA has none.
void read_heads(const JsonNode& root, ModelShape* m) {
  const size_t faults = root.fault_count();
  m->heads = root.at("heads").integer(1, kMaxWidth);
  if (root.has("mla")) {
    read_mla(root.at("mla"), m);
    for (const char* name : {"kv_heads", "head_dim", "rotary_dim", "qkv_bias", "qk_norm", "qk_norm_row", "window"}) {
      if (root.has(name)) root.at(name).fail("does not go with mla");
    }
    return;
  }
  m->kv_heads = root.at("kv_heads").integer(1, kMaxWidth);
  m->head_dim = root.at("head_dim").integer(2, kMaxWidth);
  if (root.has("rotary_dim")) m->rotary_dim = root.at("rotary_dim").integer(2, kMaxWidth);
  if (root.fault_count() == faults) check_heads(root, *m);
  if (root.has("qkv_bias")) m->qkv_bias = root.at("qkv_bias").boolean();
  if (root.has("qk_norm")) m->qk_norm = root.at("qk_norm").boolean();
  if (root.has("qk_norm_row")) m->qk_norm_row = root.at("qk_norm_row").boolean();
  if (root.has("window")) read_window(root.at("window"), m);
}

double mla_params(const ModelShape& m) {
  const MlaShape& a = m.mla;
  const int64_t qk = a.nope_dim + a.rope_dim;
  const int64_t query =
      a.q_rank > 0 ? m.hidden * a.q_rank + a.q_rank + a.q_rank * m.heads * qk : m.hidden * m.heads * qk;
  const int64_t latent = m.hidden * (a.kv_rank + a.rope_dim) + a.kv_rank;
  const int64_t expand = a.kv_rank * m.heads * (a.nope_dim + a.v_dim);
  return static_cast<double>(query + latent + expand + m.heads * a.v_dim * m.hidden);
}

// Queries, key with its layer norm, and the weight of each head.
double indexer_params(const ModelShape& m) {
  if (!m.has_indexer()) return 0;
  const IndexerShape& i = m.indexer;
  return static_cast<double>(m.mla.q_rank * i.heads * i.dim + m.hidden * i.dim + 2 * i.dim + m.hidden * i.heads);
}

double gqa_params(const ModelShape& m) {
  const int64_t q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  int64_t norms = m.qk_norm ? 2 * m.head_dim : 0;
  if (m.qk_norm_row) norms = q + kv;
  return static_cast<double>((q + 2 * kv) * m.hidden + (m.qkv_bias ? q + 2 * kv : 0) + m.hidden * q + norms);
}

// Layers with `experts` of the routed experts counted in each that has some.
double layer_params(const ModelShape& m, int64_t experts) {
  const double attention =
      (m.has_mla() ? mla_params(m) + indexer_params(m) : gqa_params(m)) + 2.0 * static_cast<double>(m.hidden);
  const int64_t moe_layers = m.has_moe() ? m.layers - m.moe.dense_layers : 0;
  const auto dense = static_cast<double>(3 * m.hidden * m.ffn);
  const auto moe = static_cast<double>(m.hidden * m.moe.experts + (m.moe.balancing_bias ? m.moe.experts : 0) +
                                       3 * m.hidden * m.moe.ffn * (experts + m.moe.shared_experts));
  return static_cast<double>(m.layers) * attention + static_cast<double>(m.layers - moe_layers) * dense +
         static_cast<double>(moe_layers) * moe;
}

}  // namespace

double ModelShape::params() const {
  const auto table = static_cast<double>(vocab * hidden);
  return layer_params(*this, moe.experts) + (tied_embeddings ? 1 : 2) * table + static_cast<double>(hidden);
}

double ModelShape::active_params() const {
  return layer_params(*this, moe.top_k) + static_cast<double>(vocab * hidden + hidden);
}

double ModelShape::kv_bytes_per_token(double bytes_per_element) const {
  const int64_t per_layer = has_mla() ? mla.kv_rank + mla.rope_dim : 2 * kv_heads * head_dim;
  return static_cast<double>(layers * per_layer) * bytes_per_element;
}

double ModelShape::index_bytes_per_token(double bytes_per_element) const {
  return static_cast<double>(has_indexer() ? layers * indexer.dim : 0) * bytes_per_element;
}

Result<ModelShape> parse_model(const std::string& text, const std::string& where) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  root.fields({"name",
               "family",
               "source",
               "note",
               "layers",
               "hidden",
               "ffn",
               "heads",
               "kv_heads",
               "head_dim",
               "vocab",
               "max_context",
               "tied_embeddings",
               "qkv_bias",
               "qk_norm",
               "qk_norm_row",
               "no_rope",
               "window",
               "mla",
               "moe",
               "indexer",
               "rope_theta",
               "rotary_dim",
               "rope_interleaved",
               "rope_scaling",
               "norm_eps",
               "published_params"});
  ModelShape m;
  m.name = root.at("name").text(64);
  m.family = root.at("family").text(64);
  m.source = root.at("source").text();
  if (root.has("note")) m.note = root.at("note").text();
  const size_t faults = root.fault_count();
  m.layers = root.at("layers").integer(1, kMaxLayers);
  if (root.fault_count() > faults) m.layers = kMaxLayers + 1;  // so that nothing is held against a wrong number
  m.hidden = root.at("hidden").integer(1, kMaxWidth);
  if (root.has("moe")) read_moe(root.at("moe"), &m);
  if (!m.has_moe() || m.moe.dense_layers > 0) m.ffn = root.at("ffn").integer(1, kMaxWidth);
  read_heads(root, &m);
  if (root.has("indexer")) read_indexer(root.at("indexer"), &m);
  m.vocab = root.at("vocab").integer(2, kMaxVocab);
  m.max_context = root.at("max_context").integer(1, kMaxContext);
  if (root.has("tied_embeddings")) m.tied_embeddings = root.at("tied_embeddings").boolean();
  read_rope(root, &m);
  m.norm_eps = root.at("norm_eps").number(1e-12, 1);
  if (root.has("published_params")) m.published_params = root.at("published_params").number(1, 1e15);
  if (input.ok() && m.name.empty()) root.at("name").fail_expected("a name");
  if (!input.ok()) return input.error();
  return m;
}

}  // namespace assay
