// The curves over context and routing in each form, with figures worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/curves.h"
#include "suites/suite.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Three steps of a decode of `batch` sequences, step_ms each.
Record decode_record(const std::string& model, int64_t batch, int64_t context, double step_ms) {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  Case c;
  c.suite = "long-context";
  c.kind = StepKind::kDecode;
  c.model = *kCatalogue.model(model);
  c.batch = batch;
  c.context = context;
  Record r;
  r.status = "ok";
  r.basis = "measured";
  r.suite = c.suite;
  r.case_id = c.id();
  r.case_json = c.to_json();
  r.model = model;
  r.dtype = "f32";
  r.step_kind = "decode";
  r.batch = batch;
  r.tokens = 1;
  r.context = context;
  r.tokens_per_step = batch;
  r.device = "cpu:0";
  const auto ns = static_cast<uint64_t>(step_ms * 1e6);
  r.samples.start_ns = {0, ns, 2 * ns};
  r.samples.host_ns = {ns, ns, ns};
  return r;
}

// 10 ms at 1000 tokens and 14 ms at 3000: 2 ms per 1000, by a line through 12 ms at 2000.
std::vector<Record> by_context() {
  std::vector<Record> records;
  for (const int64_t context : {1000, 2000, 3000}) {
    records.push_back(decode_record("qwen2.5-0.5b", 1, context, 8 + 0.002 * static_cast<double>(context)));
  }
  return records;
}

TEST(CurveTables, SayHowManyColdRecordsTheyLeaveOut) {
  std::vector<Record> records = by_context();
  EXPECT_THAT(render_context_curves(records, TableFormat::kText, {}), testing::Not(HasSubstr("cold")));
  records.push_back(decode_record("qwen2.5-0.5b", 1, 4000, 90));
  records.back().case_id += "/cold";
  EXPECT_THAT(render_context_curves(records, TableFormat::kText, {}), HasSubstr("1 cold-cache records of decode"));
}

TEST(CurveTables, DisturbedRunsAreMarked) {
  std::vector<Record> records = by_context();
  records[1].noise.disturbed = true;
  records[1].noise.causes = {"steal 9 %", "gaps 4 %"};
  const std::string md = render_context_curves(records, TableFormat::kMarkdown, {});
  EXPECT_THAT(md, HasSubstr("| 2000 | 12.00 ms \\* |"));
  EXPECT_THAT(md, HasSubstr("| 1000 | 10.00 ms |"));
  EXPECT_THAT(md, HasSubstr("- \\* disturbed: long-context/decode/qwen2.5-0.5b/f32/b1/c2000: steal 9 %, gaps 4 %"));
}

// gpt-oss: 36 layers x 2 x 8 heads x 64 x 4 B, of which half stop growing at 128 tokens.
TEST(CurveTables, CacheBehindAWindow) {
  std::vector<Record> records;
  for (const int64_t context : {1000, 2000}) records.push_back(decode_record("gpt-oss-120b", 1, context, 5));
  EXPECT_THAT(
      render_context_curves(records, TableFormat::kMarkdown, {}),
      HasSubstr("KV cache: 147456 bytes per token and sequence, whole model; behind the window of 128 tokens 73728"));
}

TEST(CurveTables, ContextInEachForm) {
  const json rows = json::parse(render_context_curves(by_context(), TableFormat::kJson, {}));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1]["case"], "long-context/decode/qwen2.5-0.5b/f32/b1/c2000");
  EXPECT_EQ(rows[1]["context"], 2000);
  EXPECT_NEAR(rows[1]["step_ns"].get<double>(), 12e6, 1);
  EXPECT_NEAR(rows[2]["line_ns"].get<double>(), 14e6, 1);
  EXPECT_EQ(rows[2]["basis"], "measured");
  EXPECT_EQ(rows[2]["form"], "whole model");
  const std::string csv = render_context_curves(by_context(), TableFormat::kCsv, {});
  EXPECT_THAT(csv,
              testing::StartsWith("case,context,step_ns,step_low_ns,step_high_ns,line_ns,basis,form,disturbed_by\r\n"));
  EXPECT_THAT(csv, HasSubstr("\r\nlong-context/decode/qwen2.5-0.5b/f32/b1/c1000,1000,1e+07,"));
  const std::string md = render_context_curves(by_context(), TableFormat::kMarkdown, {});
  EXPECT_THAT(md, HasSubstr("**context: qwen2.5-0.5b f32, decode, batch 1, cpu:0**"));
  EXPECT_THAT(md, HasSubstr("| long-context/decode/qwen2.5-0.5b/f32/b1/c1000 | 1000 | 10.00 ms |"));
  EXPECT_THAT(md, HasSubstr("- slope 2.000 ms per 1000 tokens of context"));
  EXPECT_THAT(md, HasSubstr("- KV cache: 24576 bytes per token and sequence"));  // 24 layers x 2 x 2 heads x 64 x 4 B
}

Record routed_record(const std::string& routing, std::vector<uint64_t> rows, double step_ms) {
  Record r = decode_record("qwen3-30b-a3b", 8, 64, step_ms);
  r.routing.emplace();
  r.routing->distribution = routing;
  r.routing->seed = 7;
  r.routing->experts = 4;
  r.routing->top_k = 2;
  r.routing->tokens = 8;
  r.routing->expert_bytes = 100;
  r.routing->expected_active = 3.5;
  r.routing->expert_rows = std::move(rows);
  return r;
}

// 8 tokens in 10 ms, all experts active; in 8 ms with all rows on one: gamma 2 on two ranks, so 500/s are rated.
TEST(CurveTables, SkewInEachForm) {
  const std::vector<Record> records{routed_record("uniform", {4, 4, 4, 4}, 10),
                                    routed_record("k-hot", {16, 0, 0, 0}, 8)};
  const json rows = json::parse(render_skew_curves(records, 2, TableFormat::kJson, {}));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["routing"], "uniform");
  EXPECT_NEAR(rows[0]["rate_per_s"].get<double>(), 800, 1e-6);
  EXPECT_EQ(rows[0]["active_experts"], 4);
  EXPECT_EQ(rows[0]["expert_bytes"], 400);
  EXPECT_EQ(rows[1]["active_experts"], 1);
  EXPECT_EQ(rows[1]["gamma_mean"], 2);
  EXPECT_EQ(rows[1]["expected_active_experts"], 3.5);
  const std::string csv = render_skew_curves(records, 2, TableFormat::kCsv, {});
  EXPECT_THAT(csv, testing::StartsWith("routing,seed,rate_per_s,rate_low_per_s,rate_high_per_s,active_experts,"));
  EXPECT_THAT(csv, HasSubstr("\r\nk-hot,7,1000"));
  const std::string md = render_skew_curves(records, 2, TableFormat::kMarkdown, {});
  EXPECT_THAT(md, HasSubstr("**skew: qwen3-30b-a3b f32, decode, batch 8, 2 of 4 experts, cpu:0**"));
  EXPECT_THAT(md, HasSubstr("| routing | seed | tokens/s | 95 % |"));
  EXPECT_THAT(md, HasSubstr("| 0.0004 MB |"));
  EXPECT_THAT(md, HasSubstr("gamma 2 ranks"));
  EXPECT_THAT(md, HasSubstr("skew-rated throughput with experts on 2 ranks: 500"));
}

TEST(CurveTables, NothingToDrawIsEmpty) {
  const std::vector<Record> one{decode_record("qwen2.5-0.5b", 1, 1000, 5)};
  EXPECT_EQ(render_context_curves(one, TableFormat::kMarkdown, {}), "");
  EXPECT_EQ(render_context_curves(one, TableFormat::kCsv, {}), "");
  EXPECT_EQ(json::parse(render_skew_curves(one, 8, TableFormat::kJson, {})), json::array());
}

}  // namespace
}  // namespace assay
