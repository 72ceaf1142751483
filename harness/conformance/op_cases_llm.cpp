// Attention over caches, and what fills and turns them.
#include <cmath>

#include "harness/conformance/op_cases.h"

namespace assay::conformance {
namespace {

struct Attention {
  const char* name;
  int64_t batch, tokens, pos, slots, heads, kv_heads, dk, dv;
  int mask;
  int64_t window = 0, rope = 0, col_k = 0, col_v = 0;
  bool latent = false, listed = false;
  int64_t page = 0;  // tokens of a page; 0: one block a sequence
};

constexpr Attention kAttention[] = {
    {"first token", 1, 1, 0, 1, 2, 2, 16, 17, ASSAY_MASK_CAUSAL},
    {"one token, GQA 1", 1, 1, 37, 41, 3, 3, 20, 20, ASSAY_MASK_CAUSAL},
    {"one token, GQA 2", 2, 1, 37, 41, 4, 2, 24, 24, ASSAY_MASK_CAUSAL},
    {"one token, GQA 3", 2, 1, 37, 41, 9, 3, 16, 16, ASSAY_MASK_CAUSAL},
    {"one token, GQA 7", 1, 1, 130, 141, 14, 2, 16, 16, ASSAY_MASK_CAUSAL},
    {"one token, GQA 8", 3, 1, 65, 66, 8, 1, 32, 32, ASSAY_MASK_CAUSAL},
    {"33 tokens, GQA 2", 1, 33, 0, 33, 4, 2, 18, 18, ASSAY_MASK_CAUSAL},
    {"5 tokens behind 29, batch 3, GQA 4", 3, 5, 29, 40, 8, 2, 16, 12, ASSAY_MASK_CAUSAL},
    {"window 6", 2, 11, 13, 31, 4, 2, 16, 16, ASSAY_MASK_WINDOW, 6},
    {"full", 2, 7, 9, 17, 6, 3, 16, 16, ASSAY_MASK_FULL},
    {"cross", 2, 5, 3, 23, 4, 2, 16, 24, ASSAY_MASK_CROSS},
    {"absorbed latent (MLA)", 2, 3, 20, 29, 5, 1, 40, 32, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, true},
    {"columns of a wider cache", 1, 3, 20, 29, 4, 2, 24, 17, ASSAY_MASK_CAUSAL, 0, 0, 7, 9, true},
    {"rotary keys beside", 2, 3, 5, 19, 4, 4, 24, 16, ASSAY_MASK_CAUSAL, 0, 8},
    {"list of keys", 1, 3, 20, 29, 6, 1, 24, 16, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, true, true},
    {"pages of 5, one token, batch 3", 3, 1, 37, 38, 8, 2, 32, 24, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, false, false, 5},
    {"pages of 16, one token, GQA 4", 2, 1, 95, 96, 8, 2, 64, 64, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, false, false, 16},
    {"pages of 4, 19 tokens behind 30", 2, 19, 30, 49, 6, 3, 16, 16, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, false, false, 4},
    {"pages of 3, window 6", 2, 5, 13, 31, 4, 2, 16, 16, ASSAY_MASK_WINDOW, 6, 0, 0, 0, false, false, 3},
    {"latent (MLA) in pages of 8", 2, 1, 28, 29, 5, 1, 40, 32, ASSAY_MASK_CAUSAL, 0, 0, 0, 0, true, false, 8}};
constexpr size_t kQuickAttention = 20;
constexpr Attention kMoreAttention[] = {
    {"one token over 1500 keys, GQA 7", 1, 1, 1499, 1500, 7, 1, 64, 64, ASSAY_MASK_CAUSAL},
    {"131 tokens behind 70, GQA 3", 2, 131, 70, 211, 6, 2, 32, 32, ASSAY_MASK_CAUSAL},
    {"window 65 over 300 keys", 1, 67, 230, 300, 4, 1, 32, 32, ASSAY_MASK_WINDOW, 65}};

// Every third key, one left out (-1), one beyond what the mask lets see.
Values key_list(int64_t rows, int64_t n, int64_t slots) {
  Values list;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < n; ++i) list.push_back(i == 2 ? -1 : real((i * 3 + row) % slots));
  }
  return list;
}

OpCase attention(const DtypePlan& plan, const Attention& s) {
  Maker m(plan, s.pos);
  const int64_t rows = s.batch * s.tokens, q_col = 3;
  const uint32_t q = m.input({rows, q_col + s.heads * s.dk + 2});
  const int64_t wide = s.latent ? std::max(s.col_k + s.dk - s.rope, s.col_v + s.dv) : s.col_k + s.dk - s.rope;
  int64_t blocks = s.batch, length = s.slots;
  const uint32_t pages = s.page > 0 ? m.pages(s.batch, s.slots, length = s.page, &blocks) : kNoTensor;
  const uint32_t k = m.state({blocks, length, s.kv_heads, wide});
  const uint32_t v = s.latent ? k : m.state({blocks, length, s.kv_heads, s.col_v + s.dv});
  std::vector<uint32_t> in{q, k, v};
  std::vector<double> attr{
      real(s.batch),  real(s.heads), real(s.kv_heads), real(s.dk), real(s.dv), 0.3, static_cast<double>(s.mask),
      real(s.window), real(q_col)};
  if (s.rope > 0) in.push_back(m.state({s.batch, s.slots, 1, s.rope}));
  if (s.listed) in.insert(in.end(), {kNoTensor, m.integers({rows, 9}, key_list(rows, 9, s.slots))});
  if (s.page > 0) {
    in.resize(ASSAY_ATTENTION_IN_PAGES, kNoTensor);
    in.push_back(pages);
  }
  if (s.rope > 0 || s.latent) attr.insert(attr.end(), {real(s.rope), real(s.col_k), real(s.col_v)});
  m.op(ASSAY_OP_ATTENTION, in, {m.out({rows, s.heads * s.dv})}, attr, true);
  return m.take(s.name);
}

}  // namespace

void attention_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out) {
  static_assert(std::size(kAttention) == kQuickAttention);
  for (const Attention& s : kAttention) out->push_back(attention(plan, s));
  if (quick) return;
  for (const Attention& s : kMoreAttention) out->push_back(attention(plan, s));
}

void kv_append_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  struct Shape {
    int64_t batch, tokens, pos, slots, heads, dk, dv, page;
  };
  for (const Shape& s :
       {Shape{1, 1, 0, 1, 1, 4, 4, 0}, Shape{2, 1, 7, 9, 3, 6, 5, 0}, Shape{3, 5, 2, 11, 2, 7, 7, 0},
        Shape{2, 3, 4, 8, 1, 7, 0, 0}, Shape{3, 5, 2, 11, 2, 8, 6, 3}, Shape{2, 1, 9, 10, 1, 7, 0, 4}}) {
    Maker m(plan, s.pos);
    const int64_t k_col = 2, v_col = k_col + s.heads * s.dk + 1;
    const uint32_t x = m.input({s.batch * s.tokens, v_col + s.heads * s.dv + 3});
    int64_t blocks = s.batch, length = s.slots;
    const uint32_t pages = s.page > 0 ? m.pages(s.batch, s.slots, length = s.page, &blocks) : kNoTensor;
    const uint32_t k = m.state({blocks, length, s.heads, s.dk});
    const uint32_t v = s.dv == 0 ? k : m.state({blocks, length, s.heads, s.dv});
    std::vector<uint32_t> in{x, k, v};
    if (s.page > 0) in.push_back(pages);
    m.op(ASSAY_OP_KV_APPEND, in, {k, v},
         {real(s.batch), real(s.heads), real(s.dk), real(s.dv), real(k_col), s.dv == 0 ? 0 : real(v_col)}, true);
    out->push_back(m.take("batch " + std::to_string(s.batch) + ", " + std::to_string(s.tokens) + " tokens behind " +
                          std::to_string(s.pos) + (s.dv == 0 ? ", keys alone" : "") +
                          (s.page > 0 ? ", pages of " + std::to_string(s.page) : "")));
  }
}

void rope_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  struct Shape {
    const char* name;
    int64_t batch, tokens, pos, width;
    std::vector<double> attr;  // behind batch
  };
  const std::vector<Shape> shapes{
      {"one token", 1, 1, 0, 16, {16, 16, 10000, 0, 0, 16, 0, 0, 0, 0}},
      {"5 tokens behind 41, columns 3..51", 2, 5, 41, 55, {24, 16, 10000, 0, 3, 48, 0, 0, 0, 0}},
      {"interleaved", 3, 2, 7, 40, {20, 12, 500000, 1, 0, 40, 0, 0, 0, 0}},
      {"scaled (Llama 3.1)", 1, 3, 1000, 64, {32, 32, 500000, 0, 0, 64, 8, 1, 4, 8192}},
      {"last elements", 1, 7, 30, 48, {24, 10, 10000, 1, 0, 48, 0, 0, 0, 0, 14}},
      {"grid behind text", 2, 33, 9, 94, {30, 22, 256, 1, 4, 90, 0, 0, 0, 0, 6, 3, 5, 6, 8, 3}}};
  for (const Shape& s : shapes) {
    Maker m(plan, s.pos);
    const Dims dims{s.batch * s.tokens, s.width};
    std::vector<double> attr{real(s.batch)};
    attr.insert(attr.end(), s.attr.begin(), s.attr.end());
    m.op(ASSAY_OP_ROPE, {m.input(dims)}, {m.out(dims)}, attr, true);
    out->push_back(m.take(s.name));
  }
}

void kv_expand_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  struct Shape {
    int64_t batch, tokens, pos, slots, heads, dim, k, col;
  };
  for (const Shape& s : {Shape{1, 1, 0, 1, 1, 3, 4, 0}, Shape{2, 3, 5, 11, 3, 7, 18, 2}}) {
    Maker m(plan, s.pos);
    const uint32_t latent = m.state({s.batch, s.slots, 1, s.col + s.k + 1});
    const uint32_t w = m.weight({s.heads * s.dim, s.k});
    m.op(ASSAY_OP_KV_EXPAND, {latent, w}, {m.out({s.batch, s.slots, s.heads, s.dim})},
         {real(s.tokens), real(s.heads), real(s.col)}, true);
    out->push_back(m.take("batch " + std::to_string(s.batch) + ", " + std::to_string(s.heads) + " heads"));
  }
}

void index_topk_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out) {
  struct Shape {
    int64_t batch, tokens, pos, slots, n;
  };
  std::vector<Shape> shapes{{1, 1, 0, 1, 1}, {2, 1, 40, 50, 7}, {2, 5, 3, 11, 6}, {1, 3, 0, 3, 8}};
  if (!quick) shapes.push_back({1, 9, 700, 709, 64});
  for (const Shape& s : shapes) {
    Maker m(plan, s.pos);
    const int64_t heads = 5, dim = 24, rows = s.batch * s.tokens;
    const uint32_t q = m.input({rows, 2 + heads * dim});
    const uint32_t k = m.state({s.batch, s.slots, 1, dim});
    const uint32_t weight = m.input({rows, heads});
    m.op(ASSAY_OP_INDEX_TOPK, {q, k, weight}, {m.made(ASSAY_I32, {rows, s.n})},
         {real(s.batch), real(heads), real(dim), 2, 0.3}, true);
    out->push_back(m.take(std::to_string(s.n) + " of " + std::to_string(s.pos + s.tokens) + " keys, batch " +
                          std::to_string(s.batch)));
  }
}

}  // namespace assay::conformance
