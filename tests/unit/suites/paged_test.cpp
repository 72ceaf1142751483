// Cases whose KV cache lies in pages: their file, their graph, what they cost.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "suites/base/rng.h"
#include "suites/suite.h"

namespace assay {
namespace {

const Catalogue& shipped_suites() {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  return kCatalogue;
}

Result<Suite> paged_suite(const std::string& block) {
  return shipped_suites().suite_from(
      "{\"name\": \"mine\", \"extends\": \"decode\", \"full\": {\"cases\": [\n{" + block + "}]}}", "mine.json");
}

const std::string kPagedDecode = R"("kind": "decode", "models": ["smollm2-135m"], "dtypes": ["f32"], "batch": [2],
"context": [40])";

TEST(PagedCase, EachPageSizeIsACaseOfItsOwn) {
  const Result<Suite> suite =
      paged_suite(kPagedDecode + R"(, "kv_layout": "paged", "page_tokens": [16, 64], "page_seed": 3)");
  ASSERT_TRUE(suite.ok()) << suite.error().message;
  ASSERT_EQ(suite->full_cases.size(), 2u);
  EXPECT_EQ(suite->full_cases[0].id(), "mine/decode/smollm2-135m/f32/b2/c40/p16-seed3");
  EXPECT_EQ(suite->full_cases[1].page_tokens, 64);
  const Result<Case> sent = case_from_json(suite->full_cases[1].to_json(), "job");
  ASSERT_TRUE(sent.ok()) << sent.error().message;
  EXPECT_EQ(sent->hash(), suite->full_cases[1].hash());
  EXPECT_EQ(sent->page_seed, 3u);
  std::set<std::string> hashes;
  for (const char* layout : {"", R"(, "kv_layout": "paged")", R"(, "kv_layout": "paged", "page_seed": 2)"}) {
    hashes.insert(paged_suite(kPagedDecode + layout)->full_cases[0].hash());
  }
  EXPECT_EQ(hashes.size(), 3u);
  const Result<Suite> plain = paged_suite(kPagedDecode),
                      said = paged_suite(kPagedDecode + R"(, "kv_layout": "contiguous")");
  EXPECT_EQ(plain->full_cases[0].hash(), said->full_cases[0].hash());
  EXPECT_EQ(plain->full_cases[0].to_json().find("page"), std::string::npos);
}

TEST(PagedCase, BadValuesAreToldWithTheirPlace) {
  const auto fault = [](const std::string& block) {
    const Result<Suite> suite = paged_suite(block);
    return suite.ok() ? "" : suite.error().message;
  };
  EXPECT_EQ(fault(kPagedDecode + ",\n\"kv_layout\": \"pagd\""),
            "mine.json: full.cases[0].kv_layout: unknown value 'pagd'; did you mean 'paged'?");
  EXPECT_EQ(fault(kPagedDecode + ",\n\"page_tokens\": [16]"),
            "mine.json: full.cases[0].page_tokens: page_tokens needs \"kv_layout\": \"paged\"");
  EXPECT_EQ(fault(kPagedDecode + ", \"kv_layout\": \"paged\",\n\"page_tokens\": [0]"),
            "mine.json: full.cases[0].page_tokens[0]: expected an integer from 1 to 65536, found 0");
  const std::string latent = R"("kind": "prefill", "models": ["deepseek-v2-lite"], "dtypes": ["f32"], "batch": [1],
"tokens": [8], "kv_layout": "paged")";
  EXPECT_NE(fault(latent).find("mine.json: full.cases[0].kv_layout: case mine/prefill/deepseek-v2-lite/f32/b1/t8/p16"),
            std::string::npos)
      << fault(latent);
  EXPECT_NE(fault(R"("kind": "decode", "models": ["deepseek-v3.2"], "dtypes": ["bf16"], "batch": [1], "context": [8],
"kv_layout": "paged")")
                .find("chooses tokens by an index"),
            std::string::npos);
}

TEST(PagedCase, PagesComeInAnOrderThatTheSeedFixes) {
  for (const uint32_t n : {1u, 2u, 5u, 16u, 17u, 1000u, 16448u}) {
    std::vector<bool> used(n);
    uint32_t neighbours = 0;
    for (uint32_t i = 0; i < n; ++i) {
      const uint32_t page = page_at(1, n, i);
      ASSERT_LT(page, n);
      ASSERT_FALSE(used[page]) << page << " of " << n;
      used[page] = true;
      if (i > 0 && page == page_at(1, n, i - 1) + 1) ++neighbours;
    }
    // Of a random order one pair in n is expected behind one another: 1 in all, at most 8 but once in 10^6.
    if (n >= 1000) {
      EXPECT_LE(neighbours, 8u) << n;
    }
  }
  EXPECT_EQ(page_at(1, 1u << 31, 5), page_at(1, 1u << 31, 5));
  uint32_t equal = 0;
  for (uint32_t i = 0; i < 1000; ++i) equal += page_at(1, 1000, i) == page_at(2, 1000, i) ? 1 : 0;
  EXPECT_LE(equal, 10u);
}

// 41 tokens of 2 sequences in pages of 16: 3 pages each, 6 in all; the model has 30 layers, 3 KV heads of 64.
TEST(PagedGraph, CachesAreWholePagesAndTheTableIsCounted) {
  const Suite suite = paged_suite(kPagedDecode + R"(, "kv_layout": "paged")").value();
  Case paged = suite.full_cases[0], plain = paged;
  plain.page_tokens = 0;
  const Graph a = lower(plain, {}).value(), b = lower(paged, {}).value();
  ASSERT_EQ(a.ops.size(), b.ops.size());
  uint32_t table = kNoTensor;
  for (size_t i = 0; i < b.ops.size(); ++i) {
    const Op& op = b.ops[i];
    EXPECT_EQ(op.name, a.ops[i].name);
    EXPECT_EQ(op.attr, a.ops[i].attr);
    EXPECT_EQ(page_table_of(a.ops[i]), kNoTensor);
    if (op.kind != ASSAY_OP_ATTENTION && op.kind != ASSAY_OP_KV_APPEND) continue;
    EXPECT_EQ(b.tensors[op.in[1]].dims, (std::vector<int64_t>{6, 16, 3, 64}));
    if (table == kNoTensor) table = page_table_of(op);
    EXPECT_EQ(page_table_of(op), table);
  }
  ASSERT_NE(table, kNoTensor);
  EXPECT_EQ(b.tensors[table].dims, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(b.tensors[table].role, static_cast<uint32_t>(ASSAY_ROLE_INPUT));
  int32_t pages[6];
  fill_elements(b.tensors[table], table, 77, 0, 6, pages);
  for (uint32_t i = 0; i < 6; ++i) EXPECT_EQ(pages[i], static_cast<int32_t>(page_at(1, 6, i)));

  EXPECT_EQ(graph_memory(a).state_bytes, 30u * 2 * 2 * 41 * 3 * 64 * 4);
  EXPECT_EQ(graph_memory(b).state_bytes, 30u * 2 * 6 * 16 * 3 * 64 * 4);
  EXPECT_EQ(graph_memory(b).io_bytes, graph_memory(a).io_bytes + 24u);
  const GraphCost before = graph_cost(a, {40}), after = graph_cost(b, {40});
  EXPECT_EQ(after.flops, before.flops);
  EXPECT_EQ(after.kv_bytes, before.kv_bytes);
  EXPECT_EQ(after.activation_bytes, before.activation_bytes + 30 * (2 * 3 * 4 + 2 * 1 * 4));  // read; written to
}

// 7 tokens kept of a window of 8 and the step's: 2 pages of 4; 21 in all of the other layers: 6.
TEST(PagedGraph, WindowsHaveATableOfTheirOwn) {
  Case c = paged_suite(kPagedDecode + R"(, "kv_layout": "paged", "page_tokens": [4])")->full_cases[0];
  c.context = 20;
  c.model.window = 8;
  c.model.window_period = 2;
  c.model.layers = 2;
  const Graph g = lower(c, {}).value();
  std::vector<std::vector<int64_t>> tables;
  for (const Op& op : g.ops) {
    if (op.kind == ASSAY_OP_ATTENTION) tables.push_back(g.tensors[page_table_of(op)].dims);
  }
  EXPECT_EQ(tables, (std::vector<std::vector<int64_t>>{{2, 2}, {2, 6}}));
}

}  // namespace
}  // namespace assay
