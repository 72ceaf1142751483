// A model shape as the JSON that parse_model reads.
#include <nlohmann/json.hpp>

#include "suites/case.h"

namespace assay {
namespace {

using nlohmann::json;

json moe_json(const MoeShape& e) {
  json j = {{"dense_layers", e.dense_layers},
            {"experts", e.experts},
            {"top_k", e.top_k},
            {"shared_experts", e.shared_experts},
            {"ffn", e.ffn},
            {"router", e.router},
            {"normalise", e.normalise},
            {"balancing_bias", e.balancing_bias},
            {"factor", e.factor},
            {"groups", e.groups},
            {"top_groups", e.top_groups}};
  return j;
}

// What a shape has beside the plain decoder; members appear only where they say something, so that the hash of a
// shape without them stays what it was.
void add_variants(const ModelShape& m, json* j) {
  if (m.qk_norm_row) (*j)["qk_norm_row"] = true;
  if (m.no_rope) (*j)["no_rope"] = true;
  if (m.window > 0) (*j)["window"] = {{"size", m.window}, {"period", m.window_period}};
  if (m.has_moe()) (*j)["moe"] = moe_json(m.moe);
  if (m.has_mla()) {
    for (const char* name : {"kv_heads", "head_dim", "qkv_bias", "qk_norm"}) j->erase(name);
    (*j)["mla"] = {
        {"kv_rank", m.mla.kv_rank}, {"nope_dim", m.mla.nope_dim}, {"rope_dim", m.mla.rope_dim}, {"v_dim", m.mla.v_dim}};
    if (m.mla.q_rank > 0) (*j)["mla"]["q_rank"] = m.mla.q_rank;
  }
  if (m.has_indexer()) {
    (*j)["indexer"] = {{"heads", m.indexer.heads},
                       {"dim", m.indexer.dim},
                       {"top_k", m.indexer.top_k},
                       {"rope_interleaved", m.indexer.rope_interleaved}};
  }
  if (m.ffn == 0) j->erase("ffn");
}

}  // namespace

std::string model_to_json(const ModelShape& m) {
  json j = {{"name", m.name},
            {"family", m.family},
            {"source", m.source},
            {"layers", m.layers},
            {"hidden", m.hidden},
            {"ffn", m.ffn},
            {"heads", m.heads},
            {"kv_heads", m.kv_heads},
            {"head_dim", m.head_dim},
            {"vocab", m.vocab},
            {"max_context", m.max_context},
            {"tied_embeddings", m.tied_embeddings},
            {"qkv_bias", m.qkv_bias},
            {"qk_norm", m.qk_norm},
            {"rope_theta", m.rope_theta},
            {"rope_interleaved", m.rope_interleaved},
            {"norm_eps", m.norm_eps}};
  if (!m.note.empty()) j["note"] = m.note;
  if (m.rotary_dim > 0) j["rotary_dim"] = m.rotary_dim;
  if (m.published_params > 0) j["published_params"] = m.published_params;
  if (m.rope_factor > 0) {
    j["rope_scaling"] = {
        {"factor", m.rope_factor}, {"low", m.rope_low}, {"high", m.rope_high}, {"original_context", m.rope_original}};
  }
  add_variants(m, &j);
  return j.dump();
}

}  // namespace assay
