// Model shapes: parsing and parameter counts.
#include <cmath>

#include "suites/base/json_input.h"
#include "suites/suite.h"

namespace assay {
namespace {

constexpr int64_t kMaxLayers = 4096, kMaxWidth = 1 << 20, kMaxVocab = 1 << 26, kMaxContext = int64_t{1} << 30;

void read_rope(const JsonNode& root, ModelShape* m) {
  m->rope_theta = root.at("rope_theta").number(1, 1e12);
  if (root.has("rotary_dim")) m->rotary_dim = root.at("rotary_dim").integer(2, kMaxWidth);
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

void check_shape(const JsonNode& root, const ModelShape& m) {
  if (m.kv_heads > 0 && m.heads % m.kv_heads != 0) {
    root.at("heads").fail_expected("a multiple of kv_heads (" + std::to_string(m.kv_heads) + ")");
  }
  if (m.head_dim % 2 != 0) root.at("head_dim").fail_expected("an even number");
  if (m.rotary_dim > m.head_dim || m.rotary_dim % 2 != 0) {
    root.at("rotary_dim").fail_expected("an even number up to head_dim (" + std::to_string(m.head_dim) + ")");
  }
}

}  // namespace

double ModelShape::params_per_layer() const {
  const auto h = static_cast<double>(hidden), d = static_cast<double>(head_dim);
  const auto q = static_cast<double>(heads) * d, kv = static_cast<double>(kv_heads) * d;
  const double attention = (q + 2 * kv) * h + (qkv_bias ? q + 2 * kv : 0) + h * q;
  const double mlp = 3 * h * static_cast<double>(ffn);
  const double norms = 2 * h + (qk_norm ? 2 * d : 0);
  return attention + mlp + norms;
}

double ModelShape::params() const {
  const double table = static_cast<double>(vocab) * static_cast<double>(hidden);
  return static_cast<double>(layers) * params_per_layer() + (tied_embeddings ? 1 : 2) * table +
         static_cast<double>(hidden);
}

double ModelShape::active_params() const {
  return static_cast<double>(layers) * params_per_layer() + static_cast<double>(vocab) * static_cast<double>(hidden) +
         static_cast<double>(hidden);
}

double ModelShape::kv_bytes_per_token(double bytes_per_element) const {
  return 2 * static_cast<double>(layers * kv_heads * head_dim) * bytes_per_element;
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
  m.layers = root.at("layers").integer(1, kMaxLayers);
  m.hidden = root.at("hidden").integer(1, kMaxWidth);
  m.ffn = root.at("ffn").integer(1, kMaxWidth);
  m.heads = root.at("heads").integer(1, kMaxWidth);
  m.kv_heads = root.at("kv_heads").integer(1, kMaxWidth);
  m.head_dim = root.at("head_dim").integer(2, kMaxWidth);
  m.vocab = root.at("vocab").integer(2, kMaxVocab);
  m.max_context = root.at("max_context").integer(1, kMaxContext);
  if (root.has("tied_embeddings")) m.tied_embeddings = root.at("tied_embeddings").boolean();
  if (root.has("qkv_bias")) m.qkv_bias = root.at("qkv_bias").boolean();
  if (root.has("qk_norm")) m.qk_norm = root.at("qk_norm").boolean();
  read_rope(root, &m);
  m.norm_eps = root.at("norm_eps").number(1e-12, 1);
  if (root.has("published_params")) m.published_params = root.at("published_params").number(1, 1e15);
  if (input.ok()) check_shape(root, m);
  if (input.ok() && m.name.empty()) root.at("name").fail_expected("a name");
  if (!input.ok()) return input.error();
  return m;
}

}  // namespace assay
