// A KV cache in pages gives what the same cache gives in one block a sequence, and a wrong page table nothing.
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {
namespace {

struct Shape {
  int64_t batch, tokens, pos, heads, kv_heads, dk, dv, page;
  int mask = ASSAY_MASK_CAUSAL;
  int64_t window = 0;
  bool latent = false;  // keys and values are columns of one cache
};

size_t at(int64_t value) { return static_cast<size_t>(value); }
double number(int64_t value) { return static_cast<double>(value); }

// Entry i of the table of n pages, of which the cache has one more: neighbours are never behind one another.
int64_t page_of(int64_t i, int64_t n) { return n - i; }

class Paged : public EveryLevel {
 protected:
  // Attention behind the appending of the step's keys and values, on caches that hold the same values by sequence and
  // token, in one block a sequence (page 0) or in pages; y, then the caches, by sequence and token.
  std::vector<Doubles> step(const Shape& s, uint32_t dtype, int64_t page) {
    Program p;
    const int64_t length = s.pos + s.tokens, each = page == 0 ? 1 : (length + page - 1) / page;
    const int64_t n = s.batch * each, width_k = s.kv_heads * s.dk, width_v = s.latent ? 0 : s.kv_heads * s.dv;
    const int64_t q_cols = s.heads * s.dk, rows = s.batch * s.tokens;
    const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {rows, q_cols + width_k + width_v});
    const int64_t blocks = page == 0 ? n : n + 1, slots = page == 0 ? length : page;
    const uint32_t k = p.tensor(dtype, ASSAY_ROLE_STATE, {blocks, slots, s.kv_heads, s.dk});
    const uint32_t v = s.latent ? k : p.tensor(dtype, ASSAY_ROLE_STATE, {blocks, slots, s.kv_heads, s.dv});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {rows, s.heads * s.dv});
    std::vector<uint32_t> append{x, k, v}, attend{x, k, v};
    uint32_t table = 0;
    if (page > 0) {
      table = p.tensor(ASSAY_I32, ASSAY_ROLE_INPUT, {s.batch, each});
      append.push_back(table);
      attend.insert(attend.end(), {0xffffffffu, 0xffffffffu, table});
    }
    p.op(ASSAY_OP_KV_APPEND, append, {k, v},
         {number(s.batch), number(s.kv_heads), number(s.dk), number(s.latent ? 0 : s.dv), number(q_cols),
          number(s.latent ? 0 : q_cols + width_k)},
         true);
    p.op(ASSAY_OP_ATTENTION, attend, {y},
         {number(s.batch), number(s.heads), number(s.kv_heads), number(s.dk), number(s.dv), 0.3, number(s.mask),
          number(s.window), 0},
         true);
    p.prepare(adapter_);
    if (p.handle() == nullptr) return {};
    p.write_normal(x, 1);
    if (page > 0) {
      Doubles pages;
      for (int64_t i = 0; i < n; ++i) pages.push_back(number(page_of(i, n)));
      p.write(table, pages);
    }
    const auto place = [&](int64_t b, int64_t j) {
      return page == 0 ? b * length + j : page_of(b * each + j / page, n) * page + j % page;
    };
    const auto caches = s.latent ? std::vector<uint32_t>{k} : std::vector<uint32_t>{k, v};
    for (const uint32_t cache : caches) {
      std::mt19937 engine(7 + cache);
      std::normal_distribution<double> normal(0, 1);
      const size_t width = p.elements(cache) / at(blocks * slots);
      Doubles values(p.elements(cache), 99);  // what no token of the step's reach may read
      for (int64_t b = 0; b < s.batch; ++b) {
        for (int64_t j = 0; j < length; ++j) {
          for (size_t d = 0; d < width; ++d) values[at(place(b, j)) * width + d] = normal(engine);
        }
      }
      p.write(cache, values);
    }
    EXPECT_EQ(p.step(s.pos), ASSAY_OK) << Adapter::error();
    std::vector<Doubles> out{p.read(y)};
    for (const uint32_t cache : caches) {
      const Doubles held = p.read(cache);
      const size_t width = held.size() / at(blocks * slots);
      Doubles ordered;
      for (int64_t b = 0; b < s.batch; ++b) {
        for (int64_t j = 0; j < length; ++j) {
          const auto from = held.begin() + static_cast<std::ptrdiff_t>(at(place(b, j)) * width);
          ordered.insert(ordered.end(), from, from + static_cast<std::ptrdiff_t>(width));
        }
      }
      out.push_back(std::move(ordered));
    }
    return out;
  }
  void check(const Shape& s, uint32_t dtype) {
    const std::vector<Doubles> whole = step(s, dtype, 0), paged = step(s, dtype, s.page);
    ASSERT_EQ(whole.size(), paged.size());
    ASSERT_FALSE(whole.empty());
    EXPECT_LT(relative_error(paged[0], whole[0]), 1e-6) << "pages of " << s.page << ", dtype " << dtype;
    for (size_t i = 1; i < whole.size(); ++i) EXPECT_EQ(paged[i], whole[i]) << "pages of " << s.page;
  }
};

TEST_P(Paged, DecodeGivesWhatOneBlockGives) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16}) {
    check({3, 1, 36, 8, 2, 32, 24, 5}, dtype);
    check({1, 1, 0, 2, 2, 16, 16, 16}, dtype);
    check({2, 1, 95, 14, 2, 64, 64, 16}, dtype);
    check({1, 1, 611, 8, 4, 128, 128, 64}, dtype);
    check({2, 1, 29, 5, 1, 40, 32, 8, ASSAY_MASK_CAUSAL, 0, true}, dtype);
    check({1, 1, 60, 40, 1, 48, 32, 16, ASSAY_MASK_CAUSAL, 0, true}, dtype);
    check({2, 1, 45, 4, 2, 16, 16, 1}, dtype);
  }
}

TEST_P(Paged, PrefillAndWindowGiveWhatOneBlockGives) {
  check({2, 35, 30, 4, 2, 64, 64, 16}, ASSAY_F32);
  check({2, 19, 31, 6, 3, 16, 16, 4}, ASSAY_BF16);
  check({2, 5, 40, 4, 2, 16, 16, 3, ASSAY_MASK_WINDOW, 6}, ASSAY_F32);
  check({2, 1, 40, 4, 2, 16, 16, 3, ASSAY_MASK_WINDOW, 6}, ASSAY_F32);
}

TEST_P(Paged, AWrongTableIsRefusedBeforeAnythingRuns) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {2, 8});
  const uint32_t k = p.tensor(ASSAY_F32, ASSAY_ROLE_STATE, {5, 4, 1, 4});
  const uint32_t v = p.tensor(ASSAY_F32, ASSAY_ROLE_STATE, {5, 4, 1, 4});
  const uint32_t table = p.tensor(ASSAY_I32, ASSAY_ROLE_INPUT, {2, 2});
  p.op(ASSAY_OP_KV_APPEND, {x, k, v, table}, {k, v}, {2, 1, 4, 4, 0, 4}, true);
  p.prepare(adapter_);
  p.write_normal(x, 1);
  const Doubles before = p.write_normal(k, 2);
  const auto refused = [&](const Doubles& pages, const std::string& why) {
    p.write(table, pages);
    EXPECT_EQ(p.step(5), ASSAY_INVALID_ARGUMENT) << why;
    EXPECT_EQ(Adapter::error(), why);
    EXPECT_EQ(p.read(k), before) << why;
  };
  EXPECT_EQ(p.step(5), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter::error(), "submit: page table 3, entry 0: never written");
  refused({0, 5, 1, 2}, "submit: page table 3, entry 1: page 5 of a cache of 5 pages");
  refused({0, 1, 2, -1}, "submit: page table 3, entry 3: page -1 of a cache of 5 pages");
  refused({3, 1, 2, 3}, "submit: page table 3, entry 3: page 3 stands in the table twice");
  p.write(table, {3, 1, 2, 4});
  EXPECT_EQ(p.step(8), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter::error(), "submit: op 0: pos 8 and 1 tokens do not fit a KV cache of 8");
  EXPECT_EQ(p.step(5), ASSAY_OK) << Adapter::error();
  EXPECT_NE(p.read(k), before);
}

// What memory holds before it is written may look like a good table: one page of a cache of one.
TEST_P(Paged, ATableOfOneEntryNeverWrittenIsRefused) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, 8});
  const uint32_t k = p.tensor(ASSAY_F32, ASSAY_ROLE_STATE, {1, 4, 1, 4});
  const uint32_t v = p.tensor(ASSAY_F32, ASSAY_ROLE_STATE, {1, 4, 1, 4});
  const uint32_t table = p.tensor(ASSAY_I32, ASSAY_ROLE_INPUT, {1, 1});
  p.op(ASSAY_OP_KV_APPEND, {x, k, v, table}, {k, v}, {1, 1, 4, 4, 0, 4}, true);
  p.prepare(adapter_);
  p.write_normal(x, 1);
  EXPECT_EQ(p.step(0), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter::error(), "submit: page table 3, entry 0: never written");
  p.write(table, {0});
  EXPECT_EQ(p.step(0), ASSAY_OK) << Adapter::error();
}

TEST_P(Paged, GraphsThatContradictTheSpecAreRefused) {
  const auto why_not = [this](const std::vector<int64_t>& cache, const std::vector<int64_t>& pages, uint32_t role,
                              int mask) {
    Program p;
    const uint32_t q = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {2, 4});
    const uint32_t k = p.tensor(ASSAY_F32, ASSAY_ROLE_STATE, cache);
    const uint32_t table = p.tensor(ASSAY_I32, role, pages);
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {2, 4});
    p.op(ASSAY_OP_ATTENTION, {q, k, k, 0xffffffffu, 0xffffffffu, table}, {y}, {2, 1, 1, 4, 4, 0.5, number(mask), 0, 0},
         true);
    char why[256] = "";
    EXPECT_EQ(adapter_.program().supports(adapter_.ctx(), p.desc(), why, sizeof(why)), ASSAY_INVALID_ARGUMENT) << why;
    return std::string(why);
  };
  const std::string op = "op 0 (attention): ";
  EXPECT_EQ(why_not({3, 4, 1, 4}, {2, 2}, ASSAY_ROLE_INPUT, ASSAY_MASK_CAUSAL),
            op + "the table has more pages than the KV cache");
  EXPECT_EQ(why_not({4, 4, 1, 4}, {4, 1}, ASSAY_ROLE_INPUT, ASSAY_MASK_CAUSAL), op + "pages is not [B,P]");
  EXPECT_EQ(why_not({4, 4, 1, 4}, {2, 2}, ASSAY_ROLE_STATE, ASSAY_MASK_CAUSAL), op + "pages must be an INPUT of i32");
  EXPECT_EQ(why_not({4, 4, 1, 4}, {2, 2}, ASSAY_ROLE_INPUT, ASSAY_MASK_CROSS), op + "pages do not go with mask CROSS");
}

INSTANTIATE_TEST_SUITE_P(Adapter, Paged, testing::ValuesIn(levels()), level_name);

}  // namespace
}  // namespace assay::cpu_test
