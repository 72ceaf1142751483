#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "results/prices/cost_inputs.h"

namespace assay {
namespace {

using testing::HasSubstr;

PriceBook shipped() { return *read_price_book(ASSAY_SOURCE_DIR "/results/prices/shipped.json"); }

// 1000 steps of step_ms and 1.2 x step_ms by turns: the p99 is the longer.
Record run(const std::string& kind, int64_t batch, int64_t tokens, double step_ms) {
  Record r;
  r.id = kind + std::to_string(batch);
  r.created = "2026-11-20T00:00:00Z";
  r.basis = "measured";
  r.status = "ok";
  r.numerics.verdict = "pass";
  r.step_kind = kind;
  r.token_class = kind == "prefill" ? "input" : "output";
  r.case_id = kind + "/m/bf16/b" + std::to_string(batch);
  r.model = "m";
  r.dtype = "bf16";
  r.device = "gpu:0";
  r.device_product = "NVIDIA H100 80GB HBM3";
  r.batch = batch;
  r.tokens_per_step = batch * tokens;
  r.step_flops = 1e12;
  r.step_weight_bytes = 3.35e9;
  uint64_t now = 0;
  for (int i = 0; i < 1000; ++i) {
    r.samples.start_ns.push_back(now);
    r.samples.host_ns.push_back(static_cast<uint64_t>((i % 2 == 0 ? 1 : 1.2) * step_ms * 1e6));
    now += r.samples.host_ns.back();
  }
  return r;
}

// Mean steps of 11, 22 and 44 ms: 90.9, 727 (16 in 22) and 1455 tokens/s.
TEST(CostSubjects, BestRateWithinTheLimitAndTheOneAtSaturation) {
  const std::vector<Record> records{run("decode", 1, 1, 10), run("decode", 16, 1, 20), run("decode", 64, 1, 40),
                                    run("prefill", 1, 4096, 100)};
  const std::vector<CostSubject> all = cost_subjects(records, {}, shipped());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_NEAR(all[0].output_rate->typical, 64 / 0.044, 1e-6);
  EXPECT_NEAR(all[0].input_rate->typical, 4096 / 0.110, 1e-6);
  LatencyLimits limits;
  limits.tpot_ms = 25;
  const std::vector<CostSubject> fast = cost_subjects(records, limits, shipped());
  EXPECT_NEAR(fast[0].output_rate->typical, 16 / 0.022, 1e-6);
  EXPECT_NEAR(fast[0].ladder.saturation.at(CostInput::kOutputRate), 64 / 0.044, 1e-6);
  EXPECT_EQ(fast[0].output_case, "decode/m/bf16/b16");
  limits.tpot_ms = 5;
  const std::vector<CostSubject> none = cost_subjects(records, limits, shipped());
  EXPECT_FALSE(none[0].output_rate);
  EXPECT_THAT(none[0].notes[0], HasSubstr("no case keeps TPOT <= 5 ms"));
}

// One step of each of two chips: their costs have a typical value, and nothing says which is the cheaper.
TEST(CostSubjects, OneStepIsPricedWithoutAnInterval) {
  const auto inputs = [](double step_ms) {
    Record r = run("decode", 1, 1, step_ms);
    r.samples.host_ns.resize(1);
    r.samples.start_ns.resize(1);
    const CostSubject s = cost_subjects({r}, {}, shipped()).at(0);
    EXPECT_THAT(s.notes.at(0), HasSubstr("one step has no interval"));
    CostInputs out;
    out.rented = true;
    out.at(CostInput::kRent) = exact_estimate(3.6, "reported", "");
    out.at(CostInput::kUtilisation) = exact_estimate(1, "assumed", "");
    out.at(CostInput::kOutputRate) = s.output_rate;
    return out;
  };
  const CostInputs fast = inputs(10), slow = inputs(20);
  const Cost c = cost(fast);
  EXPECT_NEAR(*c.of(TokenClass::kOutput).value, 3.6 / 3600 / 100, 1e-12);
  EXPECT_TRUE(std::isnan(c.of(TokenClass::kOutput).interval.low));
  EXPECT_FALSE(std::isnan(c.per_hour.interval.low));
  EXPECT_EQ(reached(c.of(TokenClass::kOutput), 1), Reached::kCannotTell);
  EXPECT_FALSE(probability_cheaper(fast, slow, TokenClass::kOutput));
}

// A quarter of the experts of each layer: no rate without a projection, and with one no interval and no peak that the
// record's own step would give.
TEST(CostSubjects, APartOfTheExpertsIsAPart) {
  Record r = run("decode", 1, 1, 10);
  r.extrapolation.emplace();
  r.extrapolation->layers_run = r.extrapolation->layers_total = 48;
  r.extrapolation->experts_run = 32;
  r.extrapolation->experts_total = 128;
  EXPECT_TRUE(cost_subjects({r}, {}, shipped()).empty());
  r.extrapolation->projected_step_ns = 20e6;
  const CostSubject s = cost_subjects({r}, {}, shipped()).at(0);
  EXPECT_DOUBLE_EQ(s.output_rate->typical, 50);
  EXPECT_EQ(s.output_rate->spread, Spread::kUnknown);
  EXPECT_EQ(s.output_rate->basis, "projected");
  EXPECT_THAT(s.notes.at(0), HasSubstr("projected from 32/128 experts, without an interval"));
  EXPECT_FALSE(s.ladder.peak.has(CostInput::kOutputRate));
}

// The newer and faster run of a case was disturbed: the older stands, 1 token in 22 ms, as in a report's table. Where
// none was quiet the newest stands, and its remark once.
TEST(CostSubjects, OfRepeatsTheUndisturbedOneIsPriced) {
  Record quiet = run("decode", 1, 1, 20), fast = run("decode", 1, 1, 10), prefill = run("prefill", 1, 4096, 100);
  quiet.id = "quiet";
  fast.created = "2026-11-21T00:00:00Z";
  fast.noise.disturbed = true;
  const CostSubject s = cost_subjects({fast, quiet, prefill}, {}, shipped()).at(0);
  EXPECT_NEAR(s.output_rate->typical, 1 / 0.022, 1e-6);
  EXPECT_THAT(s.records, testing::ElementsAre("quiet", "prefill1"));
  EXPECT_THAT(s.notes, testing::IsEmpty());
  quiet.noise.disturbed = true;
  const CostSubject none = cost_subjects({quiet, fast, prefill}, {}, shipped()).at(0);
  EXPECT_NEAR(none.output_rate->typical, 1 / 0.011, 1e-6);
  EXPECT_THAT(none.notes, testing::ElementsAre("decode/m/bf16/b1 was disturbed"));
}

// Nor is a run with other threads of a CPU: the newer, of one thread, takes no rate from that of two.
TEST(CostSubjects, ARunWithOtherThreadsOfACpuIsNoRepeat) {
  Record two = run("decode", 1, 1, 10), one = run("decode", 1, 1, 20), prefill = run("prefill", 1, 4096, 100);
  two.adapter = one.adapter = prefill.adapter = "cpu";
  two.threads = prefill.threads = 2;
  one.threads = 1;
  one.created = "2026-11-21T00:00:00Z";
  const CostSubject s = cost_subjects({two, one, prefill}, {}, shipped()).at(0);
  EXPECT_NEAR(s.output_rate->typical, 1 / 0.011, 1e-6);
  EXPECT_THAT(s.notes, testing::ElementsAre("decode/m/bf16/b1 ran with threads 2"));
}

// With other options of the adapter it is no repeat: the chip is priced at the better of the two, older as it is.
TEST(CostSubjects, ARunWithOtherOptionsOfTheAdapterIsNoRepeat) {
  Record tuned = run("decode", 1, 1, 10), plain = run("decode", 1, 1, 20), prefill = run("prefill", 1, 4096, 100);
  tuned.adapter_options.emplace()["attention"] = "own";
  plain.created = "2026-11-21T00:00:00Z";
  const CostSubject s = cost_subjects({tuned, plain, prefill}, {}, shipped()).at(0);
  EXPECT_NEAR(s.output_rate->typical, 1 / 0.011, 1e-6);
  EXPECT_THAT(s.notes, testing::ElementsAre("decode/m/bf16/b1 ran with adapter options attention=own"));
  EXPECT_EQ(s.output_cases, 1U) << "one case, two runs";
}

// Chunks alone make no subject, and are still spoken of.
TEST(CostSubjects, ChunksAloneAreLeftOut) {
  Record chunk = run("prefill", 1, 512, 1);
  chunk.context = 4096;
  std::vector<std::string> left_out;
  EXPECT_TRUE(cost_subjects({chunk}, {}, shipped(), &left_out).empty());
  EXPECT_THAT(left_out, testing::ElementsAre(HasSubstr("left out: prefill/m/bf16/b1: a chunk behind a context")));
}

Record reported(const std::string& tier, std::vector<ReportedFigure> figures,
                std::map<std::string, std::string> stated) {
  Record r;
  r.id = "reported";
  r.basis = "reported";
  r.status = "ok";
  r.tier = tier;
  r.model = "m";
  r.dtype = "fp8";
  r.device_product = "NVIDIA H100 80GB HBM3";
  r.reported.emplace();
  r.reported->producer = "a tool";
  r.case_id = figures.front().name;
  r.reported->figures = std::move(figures);
  r.reported->stated = std::move(stated);
  return r;
}

ReportedFigure figure(const std::string& name, const std::string& unit, const std::string& statistic, double value) {
  ReportedFigure f;
  f.name = name;
  f.unit = unit;
  f.statistic = statistic;
  f.value = value;
  return f;
}

// 23514.8 tokens/s of one node with 8 accelerators (MLPerf Inference v4.1, llama2-70b-99 Offline): 2939.35 of each.
TEST(CostSubjects, AReportedRateIsThatOfOneAccelerator) {
  const ReportedFigure system = figure("output_tokens_per_s", "tokens/s", "total", 23514.8);
  const std::vector<CostSubject> all =
      cost_subjects({reported("request", {system}, {{"a#", "8.0"}, {"Nodes", "1"}})}, {}, shipped());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].basis, "reported");
  EXPECT_DOUBLE_EQ(all[0].output_rate->typical, 2939.35);
  EXPECT_FALSE(all[0].input_rate) << "input was served in the same time";
  EXPECT_THAT(all[0].notes[0], HasSubstr("whole cost"));
  EXPECT_DOUBLE_EQ(cost_subjects({reported("request", {system}, {{"a#", "8"}, {"Nodes", "2"}})}, {}, shipped())[0]
                       .output_rate->typical,
                   23514.8 / 16);
  EXPECT_TRUE(cost_subjects({reported("request", {system}, {})}, {}, shipped()).empty()) << "of how many is not said";
}

TEST(CostSubjects, ReportedRatesPerChipAndTheirLimits) {
  const Record served =
      reported("request",
               {figure("output_tokens_per_s_per_chip", "tokens/s", "total", 100),
                figure("total_tokens_per_s_per_chip", "tokens/s", "total", 900), figure("tpot", "s", "p99", 0.05)},
               {});
  LatencyLimits limits;
  limits.tpot_ms = 60;
  const std::vector<CostSubject> kept = cost_subjects({served}, limits, shipped());
  EXPECT_EQ(kept[0].output_rate->typical, 100);
  EXPECT_EQ(kept[0].blended_rate->typical, 900);
  limits.tpot_ms = 40;
  EXPECT_FALSE(cost_subjects({served}, limits, shipped())[0].output_rate);
  // One test of prefill alone beside one of decode alone: each bears its own cost.
  const std::vector<CostSubject> apart = cost_subjects(
      {reported("program", {figure("input_tokens_per_s", "tokens/s", "mean", 4000)}, {{"gpu_info", "A"}}),
       reported("program", {figure("output_tokens_per_s", "tokens/s", "mean", 200)}, {{"gpu_info", "A, A"}})},
      {}, shipped());
  ASSERT_EQ(apart.size(), 1U);
  EXPECT_EQ(apart[0].input_rate->typical, 4000);
  EXPECT_EQ(apart[0].output_rate->typical, 100) << "two devices";
}

// conc64: 663 tokens/s of 8 at a p99 TTFT of 7.09 s; conc8: 200 of 8 at 0.9 s; a third states no TTFT. Within 1 s only
// the second counts: 25 tokens/s of one, and the third is named.
TEST(CostSubjects, ReportedServingResultsKeepTheLimitOfTtft) {
  const auto served = [](const std::string& id, double rate, std::optional<double> ttft_s) {
    std::vector<ReportedFigure> figures{figure("output_tokens_per_s", "tokens/s", "total", rate),
                                        figure("tpot", "s", "p99", 0.05)};
    if (ttft_s) figures.push_back(figure("ttft", "s", "p99", *ttft_s));
    Record r = reported("request", std::move(figures), {{"a#", "8"}, {"Nodes", "1"}});
    r.id = r.case_id = id;
    return r;
  };
  const std::vector<Record> records{served("conc64", 663, 7.094), served("conc8", 200, 0.9),
                                    served("no-ttft", 400, std::nullopt)};
  EXPECT_EQ(cost_subjects(records, {}, shipped())[0].output_case, "conc64");
  LatencyLimits limits;
  limits.ttft_ms = 1000;
  const CostSubject kept = cost_subjects(records, limits, shipped())[0];
  EXPECT_EQ(kept.output_case, "conc8");
  EXPECT_DOUBLE_EQ(kept.output_rate->typical, 25);
  EXPECT_DOUBLE_EQ(kept.ladder.saturation.at(CostInput::kOutputRate), 663.0 / 8);
  EXPECT_THAT(kept.notes, testing::Contains("no-ttft: left out, no p99 of TTFT is stated"));
  limits.tpot_ms = 40;
  const CostSubject none = cost_subjects(records, limits, shipped())[0];
  EXPECT_FALSE(none.output_rate);
  EXPECT_THAT(none.notes, testing::Contains("no case keeps TTFT <= 1000 ms and TPOT <= 40 ms"));
  limits = {};
  limits.ttft_ms = 500;
  const CostSubject nearest = cost_subjects(records, limits, shipped())[0];
  EXPECT_THAT(nearest.notes, testing::Contains("no case keeps TTFT <= 500 ms; the nearest p99 is 900 ms"));
  EXPECT_THAT(price_subject(nearest, {}, shipped()).error().message,
              HasSubstr("the cost of h100-sxm rests on no rate: no case keeps TTFT <= 500 ms"));
}

// A test of decode alone has no first token to wait for; one of prefill alone that states no time of it has.
TEST(CostSubjects, TheLimitOfTtftIsOfWhatHasAPrompt) {
  LatencyLimits limits;
  limits.ttft_ms = 1000;
  const CostSubject s = cost_subjects(
      {reported("program", {figure("input_tokens_per_s", "tokens/s", "mean", 4000)}, {{"gpu_info", "A"}}),
       reported("program", {figure("output_tokens_per_s", "tokens/s", "mean", 200)}, {{"gpu_info", "A"}})},
      limits, shipped())[0];
  EXPECT_FALSE(s.input_rate);
  EXPECT_EQ(s.output_rate->typical, 200);
  EXPECT_THAT(s.notes, testing::Contains("input_tokens_per_s: left out, no p99 of TTFT is stated"));
}

// Beside the case a GEMM of 500 TFLOP/s and a read of 2.5 TB/s: 1e12 FLOP take 2 ms, 3.35 GB 1.34 ms; 64 tokens in 2
// ms. With the GEMM alone the book's 3.35 TB/s count for the bytes, and the peak is the datasheet's in part.
TEST(CostSubjects, PeakIsTheRoofMeasuredBesideTheCase) {
  Record r = run("decode", 64, 1, 40);
  r.ceiling.flops_per_s = 500e12;
  r.ceiling.read_bytes_per_s = 2.5e12;
  const RateLadder measured = cost_subjects({r}, {}, shipped())[0].ladder;
  EXPECT_NEAR(measured.peak.at(CostInput::kOutputRate), 64 / 2e-3, 1e-6);
  EXPECT_TRUE(measured.of_datasheet.empty());
  EXPECT_NEAR(measured.bound.at(CostInput::kOutputRate), 64 / (1e12 / 989e12), 1e-3) << "the chip can do more";
  r.ceiling.read_bytes_per_s.reset();
  const RateLadder mixed = cost_subjects({r}, {}, shipped())[0].ladder;
  EXPECT_NEAR(mixed.peak.at(CostInput::kOutputRate), 64 / 2e-3, 1e-6);
  EXPECT_EQ(mixed.of_datasheet.count(CostInput::kOutputRate), 1U);
}

// H100 of the book: 1e12 FLOP at 989 TFLOPS are 1.011 ms, 3.35 GB at 3.35 TB/s 1 ms; 64 tokens at the roof take 1.011.
TEST(CostSubjects, PeakIsTheRoofOfTheDatasheet) {
  const std::vector<CostSubject> s = cost_subjects({run("decode", 64, 1, 40)}, {}, shipped());
  EXPECT_NEAR(s[0].ladder.peak.at(CostInput::kOutputRate), 64 / (1e12 / 989e12), 1e-3);
  EXPECT_EQ(s[0].ladder.of_datasheet.count(CostInput::kOutputRate), 1U);
}

TEST(CostSubjects, WhatNobodyCheckedIsSaid) {
  Record r = run("decode", 1, 1, 10);
  EXPECT_THAT(cost_subjects({r}, {}, shipped()).at(0).notes, testing::Not(testing::Contains(HasSubstr("checked"))));
  r.numerics.verdict = "not-run";
  EXPECT_THAT(
      cost_subjects({r}, {}, shipped()).at(0).notes,
      testing::Contains("decode/m/bf16/b1: nobody checked its numbers, so this may be the price of wrong ones"));
}

Record named(Record r, const std::string& case_id) {
  r.id = r.case_id = case_id;
  return r;
}

// Paged, flushed and unevenly routed steps are other work than the plain one, however fast they are; a chunk of 512
// tokens behind 4096 others is no prompt. Of the plain decode steps the faster is taken: 16 tokens in 22 ms.
TEST(CostSubjects, PlainPagedColdAndRoutedCasesAreNeverMixed) {
  Record chunk = named(run("prefill", 1, 512, 1), "long-context/prefill/m/bf16/b1/t512/c4096");
  chunk.context = 4096;
  const std::vector<CostSubject> all =
      cost_subjects({named(run("decode", 1, 1, 10), "decode/m/bf16/b1/c512/uniform"),
                     named(run("decode", 16, 1, 20), "decode/m/bf16/b16/c512/uniform"),
                     named(run("decode", 64, 1, 20), "decode/m/bf16/b64/c512/p16/uniform"),
                     named(run("decode", 64, 1, 10), "decode/m/bf16/b64/c512/k-hot"),
                     named(run("decode", 64, 1, 5), "decode/m/bf16/b64/c512/p16/uniform/cold"),
                     named(run("prefill", 1, 512, 100), "prefill/m/bf16/b1/t512/uniform"), chunk},
                    {}, shipped());
  ASSERT_EQ(all.size(), 4U);
  const std::array<const char*, 4> variants{"", "p16", "k-hot", "p16 cold"};
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(all[i].variant, variants[i]);
  EXPECT_NEAR(all[0].output_rate->typical, 16 / 0.022, 1e-6);
  EXPECT_EQ(all[0].output_case, "decode/m/bf16/b16/c512/uniform");
  EXPECT_EQ(all[0].output_cases, 2U);
  EXPECT_NEAR(all[0].input_rate->typical, 512 / 0.110, 1e-6) << "not the chunk's 512 / 0.0011";
  EXPECT_THAT(all[0].notes, testing::ElementsAre(HasSubstr("t512/c4096: a chunk behind a context is no prompt")));
  EXPECT_FALSE(all[1].input_rate) << "no paged prefill";
}

TEST(CostSubjects, BasesAreNeverMixed) {
  Record simulated = run("prefill", 1, 4096, 100);
  simulated.basis = "simulated";
  const std::vector<CostSubject> s = cost_subjects({run("decode", 1, 1, 10), simulated}, {}, shipped());
  ASSERT_EQ(s.size(), 2U);
  EXPECT_FALSE(s[0].input_rate);
  EXPECT_EQ(s[1].basis, "simulated");
  Record failed = run("decode", 1, 1, 10);
  failed.status = "failed";
  EXPECT_TRUE(cost_subjects({failed}, {}, shipped()).empty());
}

CostChoices at_cn_west() {
  CostChoices c;
  c.tariff = "cn-west";
  return c;
}

// The book's all-in 1.73 kW has the facility's overhead in it, so that no PUE comes on top.
TEST(PriceSubject, TakesTheBookAndSaysWhatItDid) {
  const PriceBook book = shipped();
  const CostSubject subject = cost_subjects({run("decode", 64, 1, 40)}, {}, book)[0];
  const Result<PricedSubject> p = price_subject(subject, at_cn_west(), book);
  ASSERT_TRUE(p.ok()) << p.error().message;
  EXPECT_EQ(p->chip->id, "h100-sxm");
  EXPECT_FALSE(p->inputs.rented);
  EXPECT_DOUBLE_EQ(p->inputs.at(CostInput::kWallKw)->typical, 1.73);
  EXPECT_DOUBLE_EQ(p->inputs.at(CostInput::kPue)->typical, 1);
  EXPECT_FALSE(p->inputs.at(CostInput::kRent)) << "what is not used is not listed";
  CostChoices gansu = at_cn_west();
  gansu.tariff = "cn-gansu";
  EXPECT_THAT(price_subject(subject, gansu, book)->notes[0], HasSubstr("domestic"));
  CostChoices other = at_cn_west();
  other.chip = "ascend-910b";
  EXPECT_THAT(price_subject(subject, other, book)->notes[0], HasSubstr("rates of NVIDIA H100"));
}

TEST(PriceSubject, MeasuredPowerAtTheWallComesBeforeTheBook) {
  const PriceBook book = shipped();
  Record r = run("decode", 64, 1, 40);
  r.energy.joules = 1000;
  r.energy.watts_mean = 900;
  r.energy.source = "adapter telemetry (node), integrated power";
  const Result<PricedSubject> p = price_subject(cost_subjects({r}, {}, book)[0], at_cn_west(), book);
  EXPECT_DOUBLE_EQ(p->inputs.at(CostInput::kWallKw)->typical, 0.9);
  EXPECT_EQ(p->inputs.at(CostInput::kWallKw)->basis, "measured");
  EXPECT_DOUBLE_EQ(p->inputs.at(CostInput::kPue)->typical, 1.2);
  r.energy.source = "adapter telemetry (chip), integrated power";
  EXPECT_DOUBLE_EQ(
      price_subject(cost_subjects({r}, {}, book)[0], at_cn_west(), book)->inputs.at(CostInput::kWallKw)->typical, 1.73);
}

TEST(PriceSubject, WhatIsMissingIsNamed) {
  const PriceBook book = shipped();
  Record r = run("decode", 64, 1, 40);
  r.device_product = "AMD EPYC";
  const Result<PricedSubject> p = price_subject(cost_subjects({r}, {}, book)[0], at_cn_west(), book);
  ASSERT_FALSE(p.ok());
  EXPECT_THAT(p.error().message, HasSubstr("chip_price"));
  EXPECT_THAT(p.error().message, HasSubstr("--chip"));
  CostChoices wrong = at_cn_west();
  wrong.tariff = "cn-gansoo";
  EXPECT_THAT(price_subject(cost_subjects({run("decode", 1, 1, 9)}, {}, book)[0], wrong, book).error().message,
              HasSubstr("--tariff"));
}

}  // namespace
}  // namespace assay
