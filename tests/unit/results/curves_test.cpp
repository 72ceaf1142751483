// Curves over records, each figure worked out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "results/metrics/context_curve.h"
#include "results/metrics/skew.h"
#include "suites/suite.h"

namespace assay {
namespace {

const Catalogue& catalogue() {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  return kCatalogue;
}

// A decode of `batch` sequences whose three steps took step_ms each.
Record decode_record(const std::string& model, int64_t batch, int64_t context, double step_ms) {
  Case c;
  c.suite = "long-context";
  c.kind = StepKind::kDecode;
  c.model = *catalogue().model(model);
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

TEST(ContextCurve, LineByHand) {
  // x 1, 2, 3, 4 against y 1, 3, 2, 5: means 2.5 and 2.75, Sxy 5.5, Sxx 5, slope 1.1, intercept 0. Residuals -0.1, 0.8,
  // -1.3, 0.6 have the sum of squares 2.70; with two degrees of freedom the error of the slope is
  // sqrt(1.35 / 5) = 0.5196 and t = 4.3027.
  const std::optional<Line> line = fit_line({1, 2, 3, 4}, {1, 3, 2, 5});
  ASSERT_TRUE(line && line->slope_interval);
  EXPECT_NEAR(line->slope, 1.1, 1e-12);
  EXPECT_NEAR(line->intercept, 0, 1e-12);
  EXPECT_NEAR(line->slope_interval->high - line->slope, 4.3027 * 0.51962, 1e-3);
  EXPECT_FALSE(fit_line({1, 2}, {1, 3})->slope_interval.has_value());
  EXPECT_FALSE(fit_line({2, 2}, {1, 3}).has_value());
  EXPECT_FALSE(fit_line({}, {}).has_value());
}

// Qwen2.5-0.5B, f32, batch 8. KV: 24 layers x 2 x 2 heads x 64 x 4 B = 24,576 B a token.
// FLOPs: per token 24 x 29,818,880 + 2 x 896 x 151,936 = 987,922,432 against 24 x 4 x 14 x 64 = 86,016 a key:
// 11,485.3 keys, so context 11,485 and the new token. Bytes: 4 (494,032,768 + 8 x 896) of weights against
// 8 x 24,576 (context + 1 read + 1 written): 10,051.3, so context 10,050. Time 8 ms + 2 us a token: 4000.
TEST(ContextCurve, KneesAndCacheByHand) {
  std::vector<Record> records;
  for (const int64_t context : {3000, 1000, 2000}) {
    records.push_back(decode_record("qwen2.5-0.5b", 8, context, 8 + 0.002 * static_cast<double>(context)));
  }
  const uint64_t memory = 4'000'000'000;
  for (Record& r : records) r.device_memory_bytes = memory;
  const std::vector<ContextCurve> curves = context_curves(records);
  ASSERT_EQ(curves.size(), 1u);
  const ContextCurve& c = curves[0];
  ASSERT_EQ(c.points.size(), 3u);
  EXPECT_EQ(c.points[0].context, 1000);
  EXPECT_NEAR(c.points[2].step_ns, 14e6, 1);
  EXPECT_NEAR(c.time->slope, 2000, 1e-6);
  EXPECT_NEAR(c.time->intercept, 8e6, 1e-3);
  EXPECT_EQ(c.kv_bytes_per_token, 24576);
  EXPECT_EQ(c.knee_flops.context, 11485);
  EXPECT_EQ(c.knee_bytes.context, 10050);
  EXPECT_NEAR(static_cast<double>(*c.knee_time.context), 4000, 1);
  EXPECT_EQ(c.basis, "measured");
  EXPECT_EQ(c.form, "whole model");
  // Weights 1.976 GB; what is left of 97 % of the memory, at 196,608 B a position, but for activations of a few MB.
  const double positions = (static_cast<double>(memory) * (1 - 1.0 / 33) - 1'976'131'072) / 196'608;
  EXPECT_NEAR(static_cast<double>(*c.largest.context), positions, 100);
  EXPECT_LT(static_cast<double>(*c.largest.context), positions);
}

TEST(ContextCurve, OtherShapesAreOtherCurvesAndOneContextIsNone) {
  std::vector<Record> records{decode_record("qwen2.5-0.5b", 1, 100, 5), decode_record("qwen2.5-0.5b", 2, 200, 5)};
  EXPECT_TRUE(context_curves(records).empty());
  records.push_back(decode_record("qwen2.5-0.5b", 2, 400, 5));
  records.push_back(decode_record("qwen2.5-0.5b", 2, 800, 50));
  records.back().status = "failed";
  const std::vector<ContextCurve> curves = context_curves(records);
  ASSERT_EQ(curves.size(), 1u);
  EXPECT_EQ(curves[0].points.size(), 2u);
  EXPECT_FALSE(curves[0].knee_time.context.has_value());
  EXPECT_EQ(curves[0].knee_time.note, "the step does not grow with the context");
  EXPECT_EQ(curves[0].knee_bytes.note, "not up to the model's limit of 32767");
}

// Three points that no line fits well: its slope is above 0, its interval is not.
// Four runs, two of them with an option of the adapter: 1 us a token of context by the one, 2 by the other.
TEST(ContextCurve, NoCurveMixesOptionsOfTheAdapter) {
  std::vector<Record> records;
  for (const int64_t context : {1000, 2000}) {
    records.push_back(decode_record("qwen2.5-0.5b", 8, context, 8 + 0.001 * static_cast<double>(context)));
    records.push_back(decode_record("qwen2.5-0.5b", 8, context, 8 + 0.002 * static_cast<double>(context)));
    records.back().adapter_options.emplace()["attention"] = "own";
    records.back().id = "own at " + std::to_string(context);
  }
  const std::vector<ContextCurve> curves = context_curves(records);
  ASSERT_EQ(curves.size(), 2u);
  EXPECT_EQ(curves[0].options, "");
  EXPECT_NEAR(curves[0].time->slope, 1000, 1);
  EXPECT_EQ(curves[1].options, "attention=own");
  EXPECT_NEAR(curves[1].time->slope, 2000, 1);
  // A point names the record that it is of.
  EXPECT_EQ(curves[0].points[1].record, "");
  EXPECT_EQ(curves[1].points[1].record, "own at 2000");
}

TEST(ContextCurve, NoCurveMixesThreadsOfACpu) {
  std::vector<Record> records;
  for (const int64_t context : {1000, 2000}) {
    for (const int threads : {1, 2}) {
      records.push_back(decode_record("qwen2.5-0.5b", 8, context, 8 + 0.002 / threads * static_cast<double>(context)));
      records.back().adapter = "cpu";
      records.back().threads = threads;
    }
  }
  const std::vector<ContextCurve> curves = context_curves(records);
  ASSERT_EQ(curves.size(), 2u);
  EXPECT_EQ(curves[0].options, "threads=1");
  EXPECT_NEAR(curves[0].time->slope, 2000, 1);
  EXPECT_EQ(curves[1].options, "threads=2");
  EXPECT_NEAR(curves[1].time->slope, 1000, 1);
}

TEST(ContextCurve, ASlopeThatMayBeNoneTellsNoKneeInTime) {
  const std::vector<ContextCurve> curves =
      context_curves({decode_record("qwen2.5-0.5b", 1, 100, 5), decode_record("qwen2.5-0.5b", 1, 200, 9),
                      decode_record("qwen2.5-0.5b", 1, 300, 6)});
  ASSERT_EQ(curves.size(), 1u);
  EXPECT_FALSE(curves[0].knee_time.context.has_value());
  EXPECT_EQ(curves[0].knee_time.note, "can't be told: the slope's interval holds 0");
}

TEST(ContextCurve, ColdStepsAreLeftOutAndOneStepHasNoInterval) {
  std::vector<Record> records{decode_record("qwen2.5-0.5b", 1, 100, 5), decode_record("qwen2.5-0.5b", 1, 200, 6),
                              decode_record("qwen2.5-0.5b", 1, 200, 60)};
  records[1].samples.host_ns.resize(1);
  records[1].samples.start_ns.resize(1);
  records[2].case_id += "/cold";
  const std::vector<ContextCurve> curves = context_curves(records);
  ASSERT_EQ(curves.size(), 1u);
  ASSERT_EQ(curves[0].points.size(), 2u);
  EXPECT_TRUE(curves[0].points[0].step_interval_ns.has_value());
  EXPECT_FALSE(curves[0].points[1].step_interval_ns.has_value());
}

TEST(ContextCurve, ProjectedStepsAreMarked) {
  std::vector<Record> records{decode_record("qwen2.5-0.5b", 1, 100, 5), decode_record("qwen2.5-0.5b", 1, 1100, 5)};
  for (Record& r : records) {
    r.extrapolation.emplace();
    r.extrapolation->layers_run = 2;
    r.extrapolation->layers_total = 24;
    r.extrapolation->projected_step_ns = 20e6 + static_cast<double>(r.context) * 1e3;
  }
  ContextCurve c = context_curves(records).at(0);
  EXPECT_EQ(c.basis, "projected");
  EXPECT_NEAR(c.time->slope, 1e3, 1e-6);
  EXPECT_FALSE(c.points[0].step_interval_ns.has_value());
  for (Record& r : records) r.extrapolation->projected_step_ns.reset();
  c = context_curves(records).at(0);
  EXPECT_EQ(c.basis, "measured");
  EXPECT_EQ(c.form, "2/24 layers");
  EXPECT_NEAR(c.points[0].step_ns, 5e6, 1);
}

TEST(Skew, ImbalanceByHand) {
  EXPECT_EQ(rank_imbalance({{4, 0, 0, 0}}, 2, 50, 1).mean, 2);       // one rank has it all
  EXPECT_EQ(rank_imbalance({{1, 2, 3, 4}}, 4, 50, 1).p95, 4 / 2.5);  // one expert a rank
  EXPECT_NEAR(rank_imbalance({std::vector<double>(64, 3)}, 8, 50, 1).mean, 1, 1e-12);
  EXPECT_EQ(rank_imbalance({{4, 0, 0, 0}}, 1, 50, 1).mean, 1);
  EXPECT_EQ(rank_imbalance({{0, 0}}, 2, 50, 1).mean, 1);
  EXPECT_EQ(rank_imbalance({}, 8, 50, 1).mean, 1);
  // Two hot of four experts on two ranks: together in 1 of 3 placements (gamma 2), apart in 2 of 3 (gamma 1).
  EXPECT_NEAR(rank_imbalance({{1, 1, 0, 0}}, 2, 20000, 1).mean, 4.0 / 3, 0.02);
}

// Facts: gamma (mean / p95) under random placement, 256/8, loads as expected by the distribution.
TEST(Skew, ImbalanceIsTheTables) {
  struct Row {
    const char* routing;
    int64_t ranks;
    double mean, p95;
  };
  for (const Row& row :
       {Row{"zipf:0.5", 8, 1.23, 1.37}, Row{"zipf:0.8", 8, 1.50, 1.84}, Row{"zipf:1.2", 8, 1.84, 2.45},
        Row{"zipf:0.5", 32, 1.83, 2.20}, Row{"zipf:0.8", 32, 3.07, 4.03}, Row{"zipf:1.2", 32, 4.66, 6.69},
        Row{"zipf:0.5", 64, 2.64, 3.19}, Row{"zipf:0.8", 64, 5.16, 6.45}, Row{"zipf:1.2", 64, 8.27, 10.3}}) {
    const RoutingPlan plan(*parse_routing(row.routing), {256, 8, 1, 1}, 0);
    const RankImbalance gamma = rank_imbalance({inclusion_probabilities(plan)}, row.ranks, 4000, 1);
    EXPECT_NEAR(gamma.mean, row.mean, 0.03 * row.mean) << row.routing << " " << row.ranks;
    EXPECT_NEAR(gamma.p95, row.p95, 0.08 * row.p95) << row.routing << " " << row.ranks;
  }
}

Record routed_record(const std::string& routing, std::vector<uint64_t> rows, double step_ms) {
  Record r = decode_record("qwen3-30b-a3b", 8, 64, step_ms);
  r.id = "of " + routing;
  r.routing.emplace();
  r.routing->distribution = routing;
  r.routing->experts = 4;
  r.routing->top_k = 2;
  r.routing->tokens = 8;
  r.routing->expert_bytes = 100;
  r.routing->expected_active = 3.5;
  r.routing->expert_rows = std::move(rows);
  return r;
}

// Two layers of four experts. Uniform: 4 and 4 active, 8 tokens in 10 ms = 800/s, gamma 1 on two ranks. Hot: 2 and 2
// active, 5 ms = 1600/s; gamma is 2 when both hot experts share a rank, 1 else: 4/3 in the mean, so 1200/s.
TEST(Skew, CurveByHand) {
  const std::vector<Record> records{routed_record("uniform", {4, 4, 4, 4, 4, 4, 4, 4}, 10),
                                    routed_record("k-hot", {8, 8, 0, 0, 0, 8, 0, 8}, 5)};
  const std::vector<SkewCurve> curves = skew_curves(records, 2);
  ASSERT_EQ(curves.size(), 1u);
  const SkewCurve& c = curves[0];
  ASSERT_EQ(c.points.size(), 2u);
  EXPECT_EQ(c.layers_run, 2);
  EXPECT_NEAR(c.points[0].per_s, 800, 1e-6);
  EXPECT_EQ(c.points[0].active, 4);
  EXPECT_EQ(c.points[0].expert_bytes, 800);
  EXPECT_NEAR(c.points[0].imbalance.mean, 1, 1e-12);
  EXPECT_EQ(c.points[1].active, 2);
  EXPECT_EQ(c.points[1].record, "of k-hot");
  EXPECT_EQ(c.points[1].expert_bytes, 400);
  EXPECT_NEAR(c.points[1].imbalance.mean, 4.0 / 3, 0.06);
  EXPECT_EQ(*c.points[1].expected, 3.5);
  EXPECT_EQ(c.rated_routing, "uniform");
  EXPECT_NEAR(c.rated_per_s, 800, 1e-6);
  EXPECT_EQ(c.rated_one_rank_routing, "uniform");
  EXPECT_TRUE(skew_curves({records[0]}, 2).empty());
  std::vector<Record> one = records;
  one[1].samples.host_ns.resize(1);
  one[1].samples.start_ns.resize(1);
  EXPECT_TRUE(skew_curves(one, 2)[0].points[0].interval);
  EXPECT_FALSE(skew_curves(one, 2)[0].points[1].interval);
  one[1].case_id += "/cold";
  EXPECT_TRUE(skew_curves(one, 2).empty());
}

TEST(Skew, TheLeastRateOverGammaIsTheRatedOne) {
  const std::vector<Record> records{routed_record("uniform", {4, 4, 4, 4}, 10),
                                    routed_record("zipf:1.8", {16, 0, 0, 0}, 8)};
  const SkewCurve c = skew_curves(records, 2).at(0);  // 1000/s but one rank has everything: gamma 2
  EXPECT_EQ(c.rated_routing, "zipf:1.8");
  EXPECT_NEAR(c.rated_per_s, 500, 1e-6);
  EXPECT_EQ(c.rated_one_rank_routing, "uniform");
  EXPECT_NEAR(c.rated_one_rank_per_s, 800, 1e-6);
}

}  // namespace
}  // namespace assay
