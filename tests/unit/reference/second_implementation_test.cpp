// The ops of ABI 1.1 against a second implementation, written from op_spec.md by other means, at odd shapes.
#include <cmath>
#include <complex>
#include <set>
#include <utility>

#include "tests/unit/reference/one_op.h"

namespace assay {
namespace {

struct AttentionShape {
  int64_t batch, tokens, heads, kv_heads, dk, dv, dim_rope, pos, spare;
  int mask;
  int64_t window, col_k, col_v, listed;
  bool one_cache;
};

// Every key of every row is asked whether it is seen; the softmax is taken without any shift.
void check_attention(const AttentionShape& s) {
  RandomOp t;
  const int64_t rows = s.batch * s.tokens, slots = s.pos + s.tokens + s.spare, own = s.dk - s.dim_rope;
  const int64_t k_width = s.one_cache ? std::max(s.col_k + own, s.col_v + s.dv) : s.col_k + own;
  const uint32_t q = t.normal({rows, 3 + s.heads * s.dk}), k = t.normal({s.batch, slots, s.kv_heads, k_width});
  const uint32_t v = s.one_cache ? k : t.normal({s.batch, slots, s.kv_heads, s.col_v + s.dv + 1});
  std::vector<uint32_t> in{q, k, v};
  const uint32_t rope = s.dim_rope > 0 ? t.normal({s.batch, slots, 1, s.dim_rope}) : kNoTensor;
  uint32_t index = kNoTensor;
  if (s.listed > 0) {
    index = t.add({rows, s.listed}, {});
    for (int64_t m = 0; m < rows; ++m) {  // a run of keys from a random one on, every third left out
      const int64_t first = t.draw(slots);
      for (int64_t i = 0; i < s.listed; ++i)
        t.inputs[index].push_back(i % 3 == 2 || i >= slots ? -1 : static_cast<double>((first + i) % slots));
    }
  }
  if (rope != kNoTensor || index != kNoTensor) in.push_back(rope);
  if (index != kNoTensor) in.push_back(index);
  const uint32_t y = t.result({rows, s.heads * s.dv});
  const auto number = [](int64_t i) { return static_cast<double>(i); };
  const Values out = t.run(ASSAY_OP_ATTENTION, in, {y},
                           {number(s.batch), number(s.heads), number(s.kv_heads), number(s.dk), number(s.dv), 0.3,
                            number(s.mask), number(s.window), 3, number(s.dim_rope), number(s.col_k), number(s.col_v)},
                           s.pos)[0];
  for (int64_t m = 0; m < rows; ++m) {
    const int64_t b = m / s.tokens, now = s.pos + m % s.tokens;
    for (int64_t h = 0; h < s.heads; ++h) {
      const int64_t g = h * s.kv_heads / s.heads;
      std::vector<double> sum(static_cast<size_t>(s.dv), 0.0);
      double total = 0;
      for (int64_t j = 0; j < slots; ++j) {
        bool seen = s.mask == ASSAY_MASK_CROSS || (s.mask == ASSAY_MASK_FULL ? j < s.pos + s.tokens : j <= now);
        if (s.mask == ASSAY_MASK_WINDOW && now - j >= s.window) seen = false;
        bool listed = s.listed == 0;
        for (int64_t i = 0; i < s.listed; ++i) listed = listed || t.at(index, {m, i}) == static_cast<double>(j);
        if (!seen || !listed) continue;
        double score = 0;
        for (int64_t d = 0; d < s.dk; ++d) {
          const double key = d < own ? t.at(k, {b, j, g, s.col_k + d}) : t.at(rope, {b, j, 0, d - own});
          score += t.at(q, {m, 3 + h * s.dk + d}) * key;
        }
        total += std::exp(0.3 * score);
        for (int64_t d = 0; d < s.dv; ++d)
          sum[static_cast<size_t>(d)] += std::exp(0.3 * score) * t.at(v, {b, j, g, s.col_v + d});
      }
      for (int64_t d = 0; d < s.dv; ++d) {
        const double expected = total > 0 ? sum[static_cast<size_t>(d)] / total : 0;
        ASSERT_NEAR(out[static_cast<size_t>((m * s.heads + h) * s.dv + d)], expected, 1e-11)
            << m << " " << h << " " << d;
      }
    }
  }
}

TEST(SecondImplementation, Attention) {
  check_attention({1, 1, 1, 1, 3, 5, 0, 0, 0, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, false});   // one token, nothing cached
  check_attention({2, 5, 6, 2, 7, 3, 0, 4, 2, ASSAY_MASK_CAUSAL, 0, 1, 2, 0, false});   // grouped, columns, spare slots
  check_attention({3, 4, 4, 4, 5, 5, 0, 3, 1, ASSAY_MASK_FULL, 0, 0, 0, 0, false});     // all of the step
  check_attention({2, 6, 3, 1, 4, 4, 0, 5, 0, ASSAY_MASK_WINDOW, 3, 0, 0, 0, false});   // window inside the context
  check_attention({1, 3, 2, 2, 4, 4, 0, 2, 0, ASSAY_MASK_WINDOW, 99, 0, 0, 0, false});  // and longer than it
  check_attention({2, 3, 2, 1, 4, 6, 0, 0, 4, ASSAY_MASK_CROSS, 0, 0, 0, 0, false});    // keys of another sequence
  check_attention({2, 3, 5, 1, 9, 6, 2, 4, 0, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, true});    // absorbed, shared rotary key
  check_attention({1, 4, 3, 3, 5, 4, 2, 3, 1, ASSAY_MASK_CAUSAL, 0, 0, 3, 0, true});   // expanded: K and V side by side
  check_attention({2, 1, 5, 1, 8, 6, 0, 11, 0, ASSAY_MASK_CAUSAL, 0, 0, 0, 5, true});  // chosen keys
  check_attention({1, 4, 2, 1, 6, 4, 2, 3, 2, ASSAY_MASK_WINDOW, 2, 0, 1, 20, true});  // more listed than there are
}

// A pair is a complex number, turned by e^(i angle).
void check_rope(int64_t tokens, int64_t text, int64_t height, int64_t width, const std::vector<int64_t>& blocks,
                bool interleaved, int64_t first, int64_t pos) {
  constexpr int64_t kHeads = 2, kBefore = 3;
  RandomOp t;
  int64_t rotary = 0;
  for (const int64_t size : blocks) rotary += size;
  const int64_t head_dim = first + rotary + 1, width_of_row = kBefore + kHeads * head_dim + 2;
  const uint32_t x = t.normal({2 * tokens, width_of_row}), y = t.result({2 * tokens, width_of_row});
  const auto number = [](int64_t i) { return static_cast<double>(i); };
  const bool grid = blocks.size() == 3;
  const Values out = t.run(ASSAY_OP_ROPE, {x}, {y},
                           {2, number(head_dim), number(rotary), 50, interleaved ? 1.0 : 0.0, kBefore,
                            number(kHeads * head_dim), 0, 0, 0, 0, number(first), number(height), number(width),
                            grid ? number(blocks[0]) : 0, grid ? number(blocks[1]) : 0, number(text)},
                           pos)[0];
  Values expected = t.inputs[x];
  for (int64_t m = 0; m < 2 * tokens; ++m) {
    const int64_t u = m % tokens - text;
    if (grid && u < 0) continue;
    std::vector<int64_t> positions{pos + m % tokens};
    if (grid) positions = {u / (height * width), u % (height * width) / width, u % width};
    for (int64_t h = 0; h < kHeads; ++h) {
      int64_t begin = m * width_of_row + kBefore + h * head_dim + first;
      for (size_t block = 0; block < blocks.size(); begin += blocks[block], ++block) {
        const int64_t half = blocks[block] / 2;
        for (int64_t i = 0; i < half; ++i) {
          double& a = expected[static_cast<size_t>(begin + (interleaved ? 2 * i : i))];
          double& b = expected[static_cast<size_t>(begin + (interleaved ? 2 * i + 1 : half + i))];
          const double angle = number(positions[block]) / std::pow(50.0, number(i) / number(half));
          const std::complex<double> turned = std::complex<double>(a, b) * std::polar(1.0, angle);
          a = turned.real();
          b = turned.imag();
        }
      }
    }
  }
  expect_near(out, expected, 1e-12);
}

TEST(SecondImplementation, Rope) {
  check_rope(3, 0, 0, 0, {6}, false, 2, 7);
  check_rope(1, 0, 0, 0, {2}, true, 0, 0);
  check_rope(2 * 3 * 5, 0, 3, 5, {4, 6, 8}, false, 0, 0);
  check_rope(4 + 3 * 7, 4, 1, 7, {2, 4, 10}, true, 3, 99);
  check_rope(5, 5, 2, 2, {2, 2, 2}, false, 0, 0);  // text alone
}

// Experts are taken one after another, the best that is left of the groups that are in.
void check_router(int64_t rows, int64_t experts, int64_t k, int64_t groups, int64_t top_groups, int function,
                  bool normalise, bool planned) {
  RandomOp t;
  std::vector<uint32_t> in{t.normal({rows, experts})};
  if (planned) in.push_back(t.normal({rows, experts}));
  const uint32_t index = t.result({rows, k}), weight = t.result({rows, k});
  const auto number = [](int64_t i) { return static_cast<double>(i); };
  const auto out = t.run(ASSAY_OP_ROUTER_TOPK, in, {index, weight},
                         {number(k), number(function), normalise ? 1.0 : 0.0, 1.7, number(groups), number(top_groups)});
  const int64_t parts = std::max<int64_t>(1, groups);  // 0: one
  for (int64_t m = 0; m < rows; ++m) {
    std::vector<double> score, value;
    double exponentials = 0;
    for (int64_t e = 0; e < experts; ++e) exponentials += std::exp(t.at(in[0], {m, e}));
    for (int64_t e = 0; e < experts; ++e) {
      const double logit = t.at(in[0], {m, e});
      score.push_back(function == 0   ? std::exp(logit) / exponentials
                      : function == 1 ? 1 / (1 + std::exp(-logit))
                                      : logit);
      value.push_back(score.back() + (planned ? t.at(in[1], {m, e}) : 0));
    }
    const int64_t size = experts / parts;
    std::vector<bool> in_group(static_cast<size_t>(parts), parts == 1), taken(static_cast<size_t>(experts), false);
    for (int64_t n = 0; parts > 1 && n < top_groups; ++n) {
      int64_t best = -1;
      double best_sum = -HUGE_VAL;
      for (int64_t g = 0; g < parts; ++g) {
        double first = -HUGE_VAL, second = -HUGE_VAL;
        for (int64_t e = g * size; e < (g + 1) * size; ++e) {
          const double x = value[static_cast<size_t>(e)];
          if (x > first) {
            second = first;
            first = x;
          } else {
            second = std::max(second, x);
          }
        }
        const double sum = first + (size > 1 ? second : 0);
        if (!in_group[static_cast<size_t>(g)] && sum > best_sum) {
          best = g;
          best_sum = sum;
        }
      }
      in_group[static_cast<size_t>(best)] = true;
    }
    std::vector<double> chosen_scores;
    for (int64_t j = 0; j < k; ++j) {
      int64_t best = -1;
      for (int64_t e = 0; e < experts; ++e) {
        const auto i = static_cast<size_t>(e);
        if (taken[i] || !in_group[static_cast<size_t>(e / size)]) continue;
        if (best < 0 || value[i] > value[static_cast<size_t>(best)]) best = e;
      }
      taken[static_cast<size_t>(best)] = true;
      chosen_scores.push_back(score[static_cast<size_t>(best)]);
      EXPECT_EQ(out[0][static_cast<size_t>(m * k + j)], static_cast<double>(best)) << m << " " << j;
    }
    double sum = 0;
    for (double& s : chosen_scores) sum += function == 2 ? (s = std::exp(s)) : s;
    const double divisor = function == 2 || normalise ? sum : 1;
    for (int64_t j = 0; j < k; ++j) {
      EXPECT_NEAR(out[1][static_cast<size_t>(m * k + j)], 1.7 * chosen_scores[static_cast<size_t>(j)] / divisor, 1e-12);
    }
  }
}

TEST(SecondImplementation, Router) {
  check_router(1, 1, 1, 0, 0, ASSAY_ROUTER_SOFTMAX, true, false);
  check_router(7, 13, 4, 1, 1, ASSAY_ROUTER_SOFTMAX, true, false);
  check_router(5, 24, 6, 8, 3, ASSAY_ROUTER_SIGMOID, true, true);
  check_router(3, 9, 9, 0, 0, ASSAY_ROUTER_SIGMOID, false, false);
  check_router(4, 6, 2, 6, 4, ASSAY_ROUTER_SOFTMAX_OF_TOPK, false, true);
}

// place = pairs of lower experts, and of the same expert before it. `used`: experts that any token chooses.
void check_experts(int64_t rows, int64_t k, int64_t experts, int64_t used) {
  RandomOp t;
  const uint32_t x = t.normal({rows, 5}), index = t.add({rows, k}, {}), weight = t.normal({rows, k});
  for (int64_t m = 0; m < rows; ++m) {
    const int64_t first = t.draw(used);
    for (int64_t j = 0; j < k; ++j) t.inputs[index].push_back(static_cast<double>(experts - 1 - (first + j) % used));
  }
  const int64_t pairs = rows * k;
  const uint32_t y = t.result({pairs, 5}), offsets = t.result({experts + 1}), place = t.result({rows, k});
  const auto sorted = t.run(ASSAY_OP_MOE_DISPATCH, {x, index}, {y, offsets, place}, {static_cast<double>(experts)});
  const Values& choice = t.inputs[index];
  for (int64_t p = 0; p < pairs; ++p) {
    const auto i = static_cast<size_t>(p);
    int64_t before = 0;
    for (int64_t o = 0; o < pairs; ++o) {
      const auto other = static_cast<size_t>(o);
      before += choice[other] < choice[i] || (choice[other] == choice[i] && o < p) ? 1 : 0;
    }
    ASSERT_EQ(sorted[2][i], static_cast<double>(before));
    for (int64_t c = 0; c < 5; ++c) ASSERT_EQ(sorted[0][static_cast<size_t>(before * 5 + c)], t.at(x, {p / k, c}));
  }
  for (int64_t e = 0; e <= experts; ++e) {
    const auto below =
        std::count_if(choice.begin(), choice.end(), [&](double c) { return c < static_cast<double>(e); });
    ASSERT_EQ(sorted[1][static_cast<size_t>(e)], static_cast<double>(below));
  }
  // Dispatch, one product per expert and combine equal the sum over the chosen experts of each token.
  const uint32_t w = t.normal({experts, 3, 5}), grouped = t.result({pairs, 3}), out = t.result({rows, 3});
  t.inputs[y] = sorted[0];
  t.inputs[offsets] = sorted[1];
  t.inputs[place] = sorted[2];
  t.inputs[grouped] = t.run(ASSAY_OP_GROUPED_MATMUL, {y, w, offsets}, {grouped})[0];
  const Values combined = t.run(ASSAY_OP_MOE_COMBINE, {grouped, place, weight}, {out})[0];
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t n = 0; n < 3; ++n) {
      double expected = 0;
      for (int64_t j = 0; j < k; ++j) {
        const auto e = static_cast<int64_t>(t.at(index, {m, j}));
        for (int64_t c = 0; c < 5; ++c) expected += t.at(weight, {m, j}) * t.at(w, {e, n, c}) * t.at(x, {m, c});
      }
      ASSERT_NEAR(combined[static_cast<size_t>(m * 3 + n)], expected, 1e-12);
    }
  }
}

TEST(SecondImplementation, Experts) {
  check_experts(1, 1, 1, 1);
  check_experts(7, 3, 11, 11);
  check_experts(9, 2, 16, 3);  // thirteen experts without a token
  check_experts(13, 1, 5, 1);  // all tokens on one
}

// Scores of all keys, then the largest again and again.
TEST(SecondImplementation, IndexTopk) {
  for (const int64_t tokens : {1, 4}) {
    for (const int64_t chosen : {1, 5, 30}) {
      RandomOp t;
      const int64_t rows = 2 * tokens, heads = 3, size = 5, pos = 8, slots = pos + tokens + 1;
      const uint32_t q = t.normal({rows, 2 + heads * size}), k = t.normal({2, slots, 1, size}),
                     w = t.normal({rows, heads});
      const uint32_t index = t.result({rows, chosen});
      const Values out = t.run(ASSAY_OP_INDEX_TOPK, {q, k, w}, {index}, {2, 3, 5, 2, 0.7}, pos)[0];
      for (int64_t m = 0; m < rows; ++m) {
        std::set<std::pair<double, int64_t>> by_score;  // equals, as where all products are negative, by their key
        for (int64_t j = 0; j <= pos + m % tokens; ++j) {
          double score = 0;
          for (int64_t h = 0; h < heads; ++h) {
            double product = 0;
            for (int64_t d = 0; d < size; ++d)
              product += t.at(q, {m, 2 + h * size + d}) * t.at(k, {m / tokens, j, 0, d});
            if (product > 0) score += 0.7 * t.at(w, {m, h}) * product;
          }
          by_score.emplace(-score, j);
        }
        auto next = by_score.begin();
        for (int64_t i = 0; i < chosen; ++i) {
          const double expected = next == by_score.end() ? -1 : static_cast<double>((next++)->second);
          ASSERT_EQ(out[static_cast<size_t>(m * chosen + i)], expected) << m << " " << i;
        }
      }
    }
  }
}

// Taking queries into the latent space and values out of it gives what expanding keys and values gives: the identity
// that absorbed decode rests on.
TEST(SecondImplementation, AbsorbedAndExpandedLatentAttentionAgree) {
  constexpr int64_t kHeads = 3, kRank = 5, kNope = 4, kRope = 2, kV = 3, kSlots = 7;
  RandomOp t;
  const uint32_t q = t.normal({1, kHeads * (kNope + kRope)}), latent = t.normal({1, kSlots, 1, kRank});
  const uint32_t rope = t.normal({1, kSlots, 1, kRope}), up = t.normal({kHeads * (kNope + kV), kRank});
  const uint32_t wide = t.result({1, kSlots, kHeads, kNope + kV}), y = t.result({1, kHeads * kV});
  t.inputs[wide] = t.run(ASSAY_OP_KV_EXPAND, {latent, up}, {wide}, {1, kHeads, 0}, kSlots - 1)[0];
  const Values expanded =
      t.run(ASSAY_OP_ATTENTION, {q, wide, wide, rope}, {y},
            {1, kHeads, kHeads, kNope + kRope, kV, 0.4, ASSAY_MASK_CAUSAL, 0, 0, kRope, 0, kNope}, kSlots - 1)[0];
  const uint32_t into = t.add({kHeads, kRank, kNope}, {}), back = t.add({kHeads, kV, kRank}, {});
  for (int64_t h = 0; h < kHeads; ++h) {
    for (int64_t r = 0; r < kRank; ++r)
      for (int64_t d = 0; d < kNope; ++d) t.inputs[into].push_back(t.at(up, {h * (kNope + kV) + d, r}));
    for (int64_t d = 0; d < kV; ++d)
      for (int64_t r = 0; r < kRank; ++r) t.inputs[back].push_back(t.at(up, {h * (kNope + kV) + kNope + d, r}));
  }
  const uint32_t ql = t.result({1, kHeads * (kRank + kRope)}), mixed = t.result({1, kHeads * kRank});
  t.inputs[ql] = t.run(ASSAY_OP_HEAD_MATMUL, {q, into}, {ql}, {kHeads, 0, kNope + kRope, kRope})[0];
  t.inputs[mixed] =
      t.run(ASSAY_OP_ATTENTION, {ql, latent, latent, rope}, {mixed},
            {1, kHeads, 1, kRank + kRope, kRank, 0.4, ASSAY_MASK_CAUSAL, 0, 0, kRope, 0, 0}, kSlots - 1)[0];
  expect_near(t.run(ASSAY_OP_HEAD_MATMUL, {mixed, back}, {y}, {kHeads, 0, kRank, 0})[0], expanded, 1e-12);
}

}  // namespace
}  // namespace assay
