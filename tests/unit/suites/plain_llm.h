// A decoder-only language model as the published ones are written: plain loops in double precision, token by token.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tests/unit/suites/plain_model.h"

namespace assay::plain {

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
    const Rows x = normed(last, "final_norm");
    if (!m_.tied_embeddings) return r_.linear(x, "lm_head", false);
    Rows out;
    for (const Row& row : x) {
      out.emplace_back();
      for (const Row& word : r_.rows("embedding", size_t(m_.hidden)))
        out.back().push_back(std::inner_product(word.begin(), word.end(), row.begin(), 0.0));
    }
    return out;
  }
  [[nodiscard]] const std::set<size_t>& used_experts() const { return used_; }

 private:
  Rows normed(Rows x, const std::string& name) const {
    for (Row& row : x) rms_norm(&row, 0, r_.at(name + ".gamma"), m_.norm_eps);
    return x;
  }
  int64_t sequence(size_t row) const { return int64_t(row) / c_.tokens; }
  int64_t position(size_t row) const { return c_.context + int64_t(row) % c_.tokens; }

  // Llama 3.1: long waves are slowed down, short ones are not, and those between by a part.
  double scaled(double frequency) const {
    if (m_.rope_factor == 0) return frequency;
    const double turns = double(m_.rope_original) * frequency / (2 * M_PI);
    const double kept = std::clamp((turns - m_.rope_low) / (m_.rope_high - m_.rope_low), 0.0, 1.0);
    return frequency * (kept + (1 - kept) / m_.rope_factor);
  }
  // Turns `size` elements from `first` on by the row's position.
  void turn(Row* row, size_t first, size_t size, int64_t position) const {
    turn(row, first, size, position, m_.rope_interleaved);
  }
  void turn(Row* row, size_t first, size_t size, int64_t position, bool interleaved) const {
    for (size_t i = 0; i < size / 2; ++i) {
      const double angle = double(position) * scaled(std::pow(m_.rope_theta, -2.0 * double(i) / double(size)));
      const size_t at = first + (interleaved ? 2 * i : i), other = interleaved ? at + 1 : at + size / 2;
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
  // The positions (from, to].
  static std::vector<int64_t> range(int64_t from, int64_t to) {
    std::vector<int64_t> out(size_t(to - from));
    std::iota(out.begin(), out.end(), from + 1);
    return out;
  }
  // softmax(scale q k) v over the positions.
  template <typename Score, typename Value>
  static Row attend(const std::vector<int64_t>& positions, size_t width, Score score, Value value) {
    Row y(width);
    double total = 0;
    for (const int64_t j : positions) {
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
      if (m_.qk_norm_row) {
        rms_norm(&qkv[row], 0, r_.at(p_ + "q_norm.gamma"), m_.norm_eps);
        rms_norm(&qkv[row], q_heads * d, r_.at(p_ + "k_norm.gamma"), m_.norm_eps);
      }
      for (size_t h = 0; h < q_heads + kv_heads; ++h) {
        if (m_.qk_norm) {
          rms_norm(&qkv[row], h * d, r_.at(p_ + (h < q_heads ? "q_norm" : "k_norm") + ".gamma"), m_.norm_eps);
        }
        if (!m_.no_rope) turn(&qkv[row], h * d, rotary, position(row));
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
        const Row y = attend(range(from, to), d, score,
                             [&](int64_t j) { return slice(cached(v_cache, values, sequence(row), j), kv, d); });
        out.back().insert(out.back().end(), y.begin(), y.end());
      }
    }
    return r_.linear(out, p_ + "o", false);
  }

  bool sparse() const { return m_.has_indexer() && c_.context + c_.tokens > m_.indexer.top_k; }
  bool absorbed() const { return c_.kind == StepKind::kDecode || sparse(); }
  // Of each row the positions of the highest sums of weight x relu(q k) over the indexer's heads; without one, all.
  std::vector<std::vector<int64_t>> chosen_tokens(const Rows& n, const Rows& query_in) const {
    const IndexerShape& i = m_.indexer;
    std::vector<std::vector<int64_t>> out;
    for (size_t row = 0; row < n.size(); ++row) out.push_back(range(-1, position(row)));
    if (!sparse()) return out;
    const size_t d = size_t(i.dim), rotary = size_t(m_.mla.rope_dim);
    Rows keys = layer_norm(r_.linear(n, p_ + "index_k", false), 1e-6, r_.at(p_ + "index_k_norm.gamma"),
                           r_.at(p_ + "index_k_norm.beta"), {}, {});
    Rows q = r_.linear(query_in, p_ + "index_q", false);
    for (size_t row = 0; row < n.size(); ++row) {
      turn(&keys[row], 0, rotary, position(row), i.rope_interleaved);
      for (size_t h = 0; h < size_t(i.heads); ++h) turn(&q[row], h * d, rotary, position(row), i.rope_interleaved);
    }
    const Rows weight = r_.linear(n, p_ + "index_weight", false), cache = r_.rows(p_ + "index_cache", d);
    for (size_t row = 0; row < n.size(); ++row) {
      Row score;
      for (const int64_t j : out[row]) {
        const Row& k = cached(cache, keys, sequence(row), j);
        score.push_back(0);
        for (size_t h = 0; h < size_t(i.heads); ++h) {
          const double product = std::inner_product(k.begin(), k.end(), q[row].begin() + long(h * d), 0.0);
          score.back() += weight[row][h] * std::max(0.0, product) / std::sqrt(double(i.heads) * double(d));
        }
      }
      std::stable_sort(out[row].begin(), out[row].end(),
                       [&](int64_t a, int64_t b) { return score[size_t(a)] > score[size_t(b)]; });
      if (out[row].size() > size_t(i.top_k)) out[row].resize(size_t(i.top_k));
    }
    return out;
  }

  // What the cache keeps of each token, before the step and of it: the latent, then the turned part of the key.
  Rows latent_cache() const {
    const size_t rank = size_t(m_.mla.kv_rank), rope = size_t(m_.mla.rope_dim);
    if (absorbed()) return r_.rows(p_ + "latent_cache", rank + rope);
    Rows cache = r_.rows(p_ + "latent_cache", rank);
    const Rows turned = r_.rows(p_ + "rope_cache", rope);
    for (size_t s = 0; s < cache.size(); ++s) cache[s].insert(cache[s].end(), turned[s].begin(), turned[s].end());
    return cache;
  }
  // Part of a head's key or value of a latent row: an absorbed step keeps the two matrices apart, another in one.
  Row from_latent(const Row& kept, size_t head, bool key) const {
    const size_t rank = size_t(m_.mla.kv_rank), nope = size_t(m_.mla.nope_dim), v = size_t(m_.mla.v_dim);
    const bool apart = absorbed();
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
    const std::vector<std::vector<int64_t>> seen = chosen_tokens(n, q);
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
        const Row y = attend(seen[row], size_t(a.v_dim), score, value);
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

  // The experts of the groups whose two best sum up highest.
  std::vector<size_t> of_best_groups(const Row& value) const {
    const size_t size = size_t(m_.moe.experts / m_.moe.groups);
    std::vector<std::pair<double, size_t>> groups;
    for (size_t g = 0; g < size_t(m_.moe.groups); ++g) {
      Row of(value.begin() + long(g * size), value.begin() + long((g + 1) * size));
      std::sort(of.rbegin(), of.rend());
      groups.emplace_back(-(of[0] + (size > 1 ? of[1] : 0)), g);
    }
    std::sort(groups.begin(), groups.end());
    std::vector<size_t> out;
    for (size_t at = 0; at < size_t(m_.moe.top_groups); ++at) {
      for (size_t i = 0; i < size; ++i) out.push_back(groups[at].second * size + i);
    }
    return out;
  }
  Rows experts(const Rows& n) {
    const MoeShape& e = m_.moe;
    const size_t h = size_t(m_.hidden), f = size_t(e.ffn), all = size_t(e.experts), k = size_t(e.top_k);
    const Rows logits = r_.linear(n, p_ + "router", false), plan = r_.rows(p_ + "routing_plan", all);
    const Values& gate_up = r_.at(p_ + "expert_gate_up.weight");
    const Values& down = r_.at(p_ + "expert_down.weight");
    Rows y = e.shared_experts > 0 ? mlp(n, p_ + "shared_") : Rows(n.size(), Row(h));
    const bool late = e.router == "softmax_of_topk";  // chosen by logits, softmax over the chosen
    for (size_t row = 0; row < n.size(); ++row) {
      Row score = logits[row];
      double total = 0;
      for (double& s : score) total += s = e.router == "sigmoid" ? 1 / (1 + std::exp(-s)) : std::exp(s);
      if (e.router == "softmax") {
        for (double& s : score) s /= total;
      }
      Row value = late ? logits[row] : score;
      for (size_t c = 0; c < all; ++c) value[c] += plan[row][c];
      std::vector<size_t> chosen = of_best_groups(value);
      std::sort(chosen.begin(), chosen.end(), [&](size_t a, size_t b) { return value[a] > value[b]; });
      chosen.resize(k);
      double of_chosen = 0;
      for (const size_t c : chosen) {
        of_chosen += score[c];
        used_.insert(c);
      }
      for (const size_t c : chosen) {
        const double weight = e.factor * score[c] / (e.normalise || late ? of_chosen : 1);
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

}  // namespace assay::plain
