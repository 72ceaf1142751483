// The graphs of language models against an implementation of its own: plain loops in double precision, token by token
// as the published models are written, on small odd shapes.
#include <algorithm>
#include <numeric>
#include <set>

#include "tests/unit/suites/plain_model.h"

namespace assay {
namespace {

using namespace plain;
using Row = std::vector<double>;

class PlainLlm {
 public:
  PlainLlm(const Computed& run, const Case& c) : r_(run), c_(c), m_(c.model) {}

  Rows hidden() {
    const Rows table = r_.rows("embedding", size_t(m_.hidden));
    Rows x;
    for (const double id : r_.at("token_ids")) x.push_back(table[size_t(id)]);
    for (int64_t i = 0; i < m_.layers; ++i) {
      p_ = "layer" + std::to_string(i) + ".";
      const Rows n = normed(x, p_ + "attention_norm");
      x = sum(x, m_.has_mla() ? latent_attention(n) : grouped_attention(n, m_.windowed_layer(i)));
      const Rows n2 = normed(x, p_ + "mlp_norm");
      x = sum(x, m_.moe_layer(i) ? experts(n2) : mlp(n2, p_));
    }
    return x;
  }
  Rows logits(const Rows& hidden) {
    Rows last;
    for (int64_t b = 0; b < c_.batch; ++b) last.push_back(hidden[size_t((b + 1) * c_.tokens - 1)]);
    return r_.linear(normed(last, "final_norm"), "lm_head", false);
  }
  [[nodiscard]] const std::set<size_t>& used_experts() const { return used_; }

 private:
  Rows normed(Rows x, const std::string& name) const {
    for (Row& row : x) rms_norm(&row, 0, r_.at(name + ".gamma"), m_.norm_eps);
    return x;
  }
  int64_t sequence(size_t row) const { return int64_t(row) / c_.tokens; }
  int64_t position(size_t row) const { return c_.context + int64_t(row) % c_.tokens; }

  // Turns `size` elements from `first` on by the row's position.
  void turn(Row* row, size_t first, size_t size, int64_t position) const {
    for (size_t i = 0; i < size / 2; ++i) {
      const double angle = double(position) * std::pow(m_.rope_theta, -2.0 * double(i) / double(size));
      const size_t at = first + (m_.rope_interleaved ? 2 * i : i), other = m_.rope_interleaved ? at + 1 : at + size / 2;
      const double a = (*row)[at], b = (*row)[other];
      (*row)[at] = a * std::cos(angle) - b * std::sin(angle);
      (*row)[other] = b * std::cos(angle) + a * std::sin(angle);
    }
  }
  // Row `position` of a sequence in a cache of rows: what it held before the step, or what this step's rows add.
  const Row& cached(const Rows& cache, const Rows& added, int64_t sequence, int64_t position) const {
    if (position >= c_.context) return added[size_t(sequence * c_.tokens + position - c_.context)];
    const int64_t slots = int64_t(cache.size()) / c_.batch, first = c_.context - (slots - c_.tokens);
    return cache[size_t(sequence * slots + position - first)];
  }
  // softmax(scale q k) v over the positions (from, to].
  template <typename Score, typename Value>
  static Row attend(int64_t from, int64_t to, size_t width, Score score, Value value) {
    Row y(width);
    double total = 0;
    for (int64_t j = from + 1; j <= to; ++j) {
      const double weight = std::exp(score(j));
      total += weight;
      const Row v = value(j);
      for (size_t e = 0; e < width; ++e) y[e] += weight * v[e];
    }
    for (double& e : y) e /= total;
    return y;
  }

  Rows grouped_attention(const Rows& n, bool windowed) {
    const size_t d = size_t(m_.head_dim), q_heads = size_t(m_.heads), kv_heads = size_t(m_.kv_heads);
    const size_t rotary = m_.rotary_dim > 0 ? size_t(m_.rotary_dim) : d;
    Rows qkv = r_.linear(n, p_ + "qkv", m_.qkv_bias), keys, values, out;
    for (size_t row = 0; row < qkv.size(); ++row) {
      for (size_t h = 0; h < q_heads + kv_heads; ++h) {
        if (m_.qk_norm) {
          rms_norm(&qkv[row], h * d, r_.at(p_ + (h < q_heads ? "q_norm" : "k_norm") + ".gamma"), m_.norm_eps);
        }
        turn(&qkv[row], h * d, rotary, position(row));
      }
      keys.push_back(slice(qkv[row], q_heads * d, kv_heads * d));
      values.push_back(slice(qkv[row], (q_heads + kv_heads) * d, kv_heads * d));
    }
    const Rows k_cache = r_.rows(p_ + "k_cache", kv_heads * d), v_cache = r_.rows(p_ + "v_cache", kv_heads * d);
    for (size_t row = 0; row < qkv.size(); ++row) {
      const int64_t to = position(row), from = windowed ? std::max<int64_t>(-1, to - m_.window) : -1;
      out.emplace_back();
      for (size_t h = 0; h < q_heads; ++h) {
        const size_t kv = h / (q_heads / kv_heads) * d;
        const auto score = [&](int64_t j) {
          const Row& k = cached(k_cache, keys, sequence(row), j);
          double dot = 0;
          for (size_t e = 0; e < d; ++e) dot += qkv[row][h * d + e] * k[kv + e];
          return dot / std::sqrt(double(d));
        };
        const Row y = attend(from, to, d, score,
                             [&](int64_t j) { return slice(cached(v_cache, values, sequence(row), j), kv, d); });
        out.back().insert(out.back().end(), y.begin(), y.end());
      }
    }
    return r_.linear(out, p_ + "o", false);
  }

  // What the cache keeps of each token, before the step and of it: the latent, then the turned part of the key.
  Rows latent_cache() const {
    const size_t rank = size_t(m_.mla.kv_rank), rope = size_t(m_.mla.rope_dim);
    if (c_.kind == StepKind::kDecode) return r_.rows(p_ + "latent_cache", rank + rope);
    Rows cache = r_.rows(p_ + "latent_cache", rank);
    const Rows turned = r_.rows(p_ + "rope_cache", rope);
    for (size_t s = 0; s < cache.size(); ++s) cache[s].insert(cache[s].end(), turned[s].begin(), turned[s].end());
    return cache;
  }
  // Part of a head's key or value of a latent row: decode keeps the two matrices apart, prefill in one.
  Row from_latent(const Row& kept, size_t head, bool key) const {
    const size_t rank = size_t(m_.mla.kv_rank), nope = size_t(m_.mla.nope_dim), v = size_t(m_.mla.v_dim);
    const bool apart = c_.kind == StepKind::kDecode;
    const Values& w = r_.at(p_ + (!apart ? "kv_b.weight" : key ? "k_up.weight" : "v_up.weight"));
    Row y(key ? nope : v);
    for (size_t e = 0; e < y.size(); ++e) {
      for (size_t r = 0; r < rank; ++r) {
        const size_t joint = (head * (nope + v) + (key ? 0 : nope) + e) * rank + r;
        const size_t own = key ? (head * rank + r) * nope + e : (head * v + e) * rank + r;
        y[e] += w[apart ? own : joint] * kept[r];
      }
    }
    return y;
  }
  // Keys and values of each head written out from the latent, whether the graph absorbs them or not.
  Rows latent_attention(const Rows& n) {
    const MlaShape& a = m_.mla;
    const size_t rank = size_t(a.kv_rank), rope = size_t(a.rope_dim), nope = size_t(a.nope_dim);
    Rows q = a.q_rank > 0 ? normed(r_.linear(n, p_ + "q_a", false), p_ + "q_a_norm") : n;
    q = r_.linear(q, p_ + "q_b", false);
    Rows latent = r_.linear(n, p_ + "kv_a", false), out;
    for (size_t row = 0; row < q.size(); ++row) {
      rms_norm(&latent[row], 0, r_.at(p_ + "kv_a_norm.gamma"), m_.norm_eps);
      turn(&latent[row], rank, rope, position(row));
      for (size_t h = 0; h < size_t(m_.heads); ++h) turn(&q[row], h * (nope + rope) + nope, rope, position(row));
    }
    const Rows cache = latent_cache();
    for (size_t row = 0; row < q.size(); ++row) {
      out.emplace_back();
      for (size_t h = 0; h < size_t(m_.heads); ++h) {
        const Row query = slice(q[row], h * (nope + rope), nope + rope);
        const auto score = [&](int64_t j) {
          const Row& kept = cached(cache, latent, sequence(row), j);
          Row key = from_latent(kept, h, true);
          key.insert(key.end(), kept.begin() + long(rank), kept.end());
          return std::inner_product(query.begin(), query.end(), key.begin(), 0.0) / std::sqrt(double(nope + rope));
        };
        const auto value = [&](int64_t j) { return from_latent(cached(cache, latent, sequence(row), j), h, false); };
        const Row y = attend(-1, position(row), size_t(a.v_dim), score, value);
        out.back().insert(out.back().end(), y.begin(), y.end());
      }
    }
    return r_.linear(out, p_ + "o", false);
  }

  static Rows gated(const Rows& both) {
    Rows y;
    for (const Row& row : both) {
      const size_t f = row.size() / 2;
      y.emplace_back(f);
      for (size_t j = 0; j < f; ++j) y.back()[j] = silu(row[j]) * row[f + j];
    }
    return y;
  }
  Rows mlp(const Rows& n, const std::string& p) {
    return r_.linear(gated(r_.linear(n, p + "gate_up", false)), p + "down", false);
  }

  Rows experts(const Rows& n) {
    const MoeShape& e = m_.moe;
    const size_t h = size_t(m_.hidden), f = size_t(e.ffn), all = size_t(e.experts), k = size_t(e.top_k);
    const Rows logits = r_.linear(n, p_ + "router", false), plan = r_.rows(p_ + "routing_plan", all);
    const Values& gate_up = r_.at(p_ + "expert_gate_up.weight");
    const Values& down = r_.at(p_ + "expert_down.weight");
    Rows y = e.shared_experts > 0 ? mlp(n, p_ + "shared_") : Rows(n.size(), Row(h));
    for (size_t row = 0; row < n.size(); ++row) {
      Row score = logits[row];
      double total = 0;
      for (double& s : score) total += s = e.router == "sigmoid" ? 1 / (1 + std::exp(-s)) : std::exp(s);
      if (e.router != "sigmoid") {
        for (double& s : score) s /= total;
      }
      std::vector<size_t> chosen(all);
      std::iota(chosen.begin(), chosen.end(), 0);
      std::sort(chosen.begin(), chosen.end(),
                [&](size_t a, size_t b) { return score[a] + plan[row][a] > score[b] + plan[row][b]; });
      chosen.resize(k);
      double of_chosen = 0;
      for (const size_t c : chosen) {
        of_chosen += score[c];
        used_.insert(c);
      }
      for (const size_t c : chosen) {
        const double weight = e.factor * score[c] / (e.normalise ? of_chosen : 1);
        Row both(2 * f);
        for (size_t j = 0; j < 2 * f; ++j) {
          for (size_t i = 0; i < h; ++i) both[j] += gate_up[(c * 2 * f + j) * h + i] * n[row][i];
        }
        const Row mid = gated({both})[0];
        for (size_t i = 0; i < h; ++i) {
          for (size_t j = 0; j < f; ++j) y[row][i] += weight * down[(c * h + i) * f + j] * mid[j];
        }
      }
    }
    return y;
  }

  const Computed& r_;
  const Case& c_;
  const ModelShape& m_;
  std::string p_;
  std::set<size_t> used_;
};

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
