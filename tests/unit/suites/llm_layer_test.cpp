// The graphs of language models against an implementation of its own, on small odd shapes.
#include "tests/unit/suites/plain_llm.h"

namespace assay {
namespace {

using namespace plain;

Case small(StepKind kind, int64_t batch, int64_t tokens, int64_t context) {
  Case c;
  c.kind = kind;
  c.dtype = "f32";
  c.batch = batch;
  c.tokens = tokens;
  c.context = context;
  c.model.name = "small";
  c.model.layers = 3;
  c.model.hidden = 10;
  c.model.ffn = 7;
  c.model.heads = 6;
  c.model.kv_heads = 2;
  c.model.head_dim = 6;
  c.model.vocab = 13;
  c.model.max_context = 64;
  return c;
}

// One sequence of one token; several with a cache; chunks of a prompt, with and without one.
std::vector<Case> steps() {
  return {small(StepKind::kDecode, 1, 1, 0), small(StepKind::kDecode, 3, 1, 5), small(StepKind::kPrefill, 1, 1, 0),
          small(StepKind::kPrefill, 2, 5, 0), small(StepKind::kPrefill, 2, 3, 7)};
}

std::set<size_t> expect_is_published_model(const Case& c) {
  const Computed run(c);
  PlainLlm plain(run, c);
  const Rows hidden = plain.hidden(), logits = plain.logits(hidden);
  const auto flat = [](const Rows& rows) {
    Values out;
    for (const Row& row : rows) out.insert(out.end(), row.begin(), row.end());
    return out;
  };
  EXPECT_EQ(run.at("hidden").size(), flat(hidden).size()) << c.id();
  EXPECT_LT(relative_error(run.at("hidden"), flat(hidden)), 1e-12) << c.id();
  EXPECT_LT(relative_error(run.at("logits"), flat(logits)), 1e-12) << c.id();
  for (size_t b = 0; b < logits.size(); ++b) {
    EXPECT_EQ(run.at("next_token")[b],
              double(std::max_element(logits[b].begin(), logits[b].end()) - logits[b].begin()));
  }
  return plain.used_experts();
}

TEST(Llm, GroupedQueriesAreThePublishedModel) {
  for (Case c : steps()) {
    expect_is_published_model(c);
    c.model.qkv_bias = c.model.qk_norm = true;
    c.model.rotary_dim = 4;
    expect_is_published_model(c);
    c.model.rope_interleaved = true;
    c.model.window = 3;
    c.model.window_period = 2;
    expect_is_published_model(c);
  }
}

// Of MiniMax one norm over all heads, of Baichuan no rotary position, of Llama 3.1 waves kept (6.3 tokens long), slowed
// by a part (29) and slowed (135), of the small models one table.
TEST(Llm, NormedRowsNoRotationAndScaledRotation) {
  for (Case c : steps()) {
    c.model.qk_norm_row = c.model.tied_embeddings = true;
    expect_is_published_model(c);
    c.model.qk_norm_row = false;
    c.model.no_rope = true;
    expect_is_published_model(c);
    c.model.no_rope = false;
    c.model.rope_theta = 100;
    c.model.rope_factor = 8;
    c.model.rope_low = 1;
    c.model.rope_high = 4;
    c.model.rope_original = 40;
    expect_is_published_model(c);
  }
}

TEST(Llm, LatentAttentionIsThePublishedModel) {
  for (Case c : steps()) {
    c.model.kv_heads = c.model.head_dim = 0;
    c.model.heads = 3;
    c.model.mla = {7, 5, 3, 4, 6};
    expect_is_published_model(c);
    c.model.mla.q_rank = 0;
    c.model.rope_interleaved = true;
    expect_is_published_model(c);
  }
}

// DSA: fewer keys than are kept are all seen; more are chosen by the index, in decode and in chunks.
TEST(Llm, SparseAttentionIsThePublishedModel) {
  size_t sparse = 0;
  for (Case c : steps()) {
    c.model.kv_heads = c.model.head_dim = 0;
    c.model.heads = 3;
    c.model.mla = {7, 5, 3, 4, 6};
    c.model.indexer = {2, 5, 4, false};
    expect_is_published_model(c);
    c.model.rope_interleaved = c.model.indexer.rope_interleaved = true;
    expect_is_published_model(c);
    sparse += Computed(c).has("layer0.index") ? 1 : 0;
  }
  EXPECT_EQ(sparse, 3u);  // of the five steps those that end behind the fourth token
}

TEST(Llm, ExpertsAreThePublishedModel) {
  for (Case c : steps()) {
    c.model.moe.dense_layers = 1;
    c.model.moe.experts = 5;
    c.model.moe.top_k = 2;
    c.model.moe.ffn = 3;
    c.model.moe.normalise = true;
    expect_is_published_model(c);
    c.model.moe.router = "sigmoid";
    c.model.moe.shared_experts = 2;
    c.model.moe.factor = 2.5;
    expect_is_published_model(c);
    c.model.moe.experts = 9;  // DeepSeek's groups
    c.model.moe.groups = 3;
    c.model.moe.top_groups = 2;
    c.model.moe.top_k = 4;
    expect_is_published_model(c);
    c.model.moe.groups = c.model.moe.top_groups = 1;
    c.model.moe.router = "softmax_of_topk";  // gpt-oss
    c.model.moe.normalise = false;
    expect_is_published_model(c);
  }
}

TEST(Llm, AllTokensOnOneExpertAndTheOthersEmpty) {
  for (Case c : steps()) {
    c.model.layers = 1;
    c.model.moe.experts = 4;
    c.model.moe.top_k = 1;
    c.model.moe.ffn = 3;
    c.routing = parse_routing("k-hot").value();
    EXPECT_EQ(expect_is_published_model(c).size(), 1u) << c.id();
  }
}

}  // namespace
}  // namespace assay
