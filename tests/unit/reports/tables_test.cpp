#include "reports/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <regex>
#include <sstream>

namespace assay {
namespace {

using testing::HasSubstr;
using testing::Not;

// 100 steps of 10 ms at 2 tokens: 200 tokens/s exactly, with an interval of no width.
Record steady() {
  Record r;
  r.basis = "measured";
  r.status = "ok";
  r.case_id = "decode/m/f32/b2/c128";
  r.step_kind = "decode";
  r.tokens_per_step = 2;
  r.step_flops = 1e9;
  r.step_weight_bytes = 1e8;
  for (uint64_t i = 0; i < 100; ++i) {
    r.samples.start_ns.push_back(i * 10'000'000);
    r.samples.host_ns.push_back(10'000'000);
  }
  r.ceiling.flops_per_s = 1e12;
  r.ceiling.read_bytes_per_s = 2e10;
  r.energy.reason = "no energy source";
  r.numerics.verdict = "pass";
  return r;
}

std::string text_of(const std::vector<Record>& records, int width = 0) {
  return render_table(records, TableFormat::kText, {width, false});
}

TEST(Tables, ARowSaysWhatWasMeasuredAndNeverMore) {
  const std::string text = text_of({steady()});
  EXPECT_THAT(text, HasSubstr("decode/m/f32/b2/c128"));
  EXPECT_THAT(text, HasSubstr("200.0"));
  EXPECT_THAT(text, HasSubstr("10.00 ms?")) << "p99 has no bound with 100 steps";
  EXPECT_THAT(text, HasSubstr("p99 needs 459 independent steps"));
  EXPECT_THAT(text, HasSubstr("10.0 %")) << "1e9 / 0.01 s = 1e11 of 1e12";
  EXPECT_THAT(text, HasSubstr("50.0 %")) << "1e8 / 0.01 s = 1e10 of 2e10";
  EXPECT_THAT(text, HasSubstr("measured"));
  EXPECT_THAT(text, HasSubstr("J/token: no energy source"));
}

TEST(Tables, WhatIsNotOkIsARowWithItsReason) {
  Record r = steady();
  r.status = "failed";
  r.reason = "numerics: op rope";
  const std::string text = text_of({r});
  EXPECT_THAT(text, HasSubstr("failed: numerics: op rope"));
  EXPECT_THAT(text, Not(HasSubstr("200.0")));
  EXPECT_THAT(text, Not(HasSubstr("measured"))) << "nothing was";
}

TEST(Tables, WhereOnlyTheOpsWereCheckedTheTableSaysSo) {
  Record r = steady();
  EXPECT_THAT(text_of({r}), Not(HasSubstr("op by op")));
  r.numerics.reason = "whole model not compared with the reference: it would take about 3 s";
  EXPECT_THAT(text_of({r}), HasSubstr("decode/m/f32/b2/c128: numbers checked op by op; whole model not compared"));
  EXPECT_THAT(render_table({r}, TableFormat::kJson, {}),
              HasSubstr("\"numerics_note\": \"whole model not compared with the reference: it would take about 3 s\""));
}

TEST(Tables, OneStepHasNoInterval) {
  Record r = steady();
  r.samples.start_ns.resize(1);
  r.samples.host_ns.resize(1);
  EXPECT_THAT(text_of({r}), HasSubstr("– 95 %: one step has no interval"));
  const std::string json = render_table({r}, TableFormat::kJson, {});
  EXPECT_THAT(json, HasSubstr("\"rate_per_s\": 200"));
  EXPECT_THAT(json, HasSubstr("\"rate_low_per_s\": null"));
}

// Ten steps each take the same time, drawn anew for the next ten: correlations fall from 1 to 0 over ten steps, so
// 100000 steps are worth 100000 / (1 + 2 x (0.9 + 0.8 + ... + 0.1)) = 10000.
TEST(Tables, StepsOfACorrelatedRunAreCountedByWhatTheyAreWorth) {
  Record r = steady();
  r.samples = {};
  std::mt19937_64 random(1);
  for (uint64_t i = 0, ns = 0; i < 100'000; ++i) {
    if (i % 10 == 0) ns = 10'000'000 + random() % 1'000'000;
    r.samples.start_ns.push_back(i * 11'000'000);
    r.samples.host_ns.push_back(ns);
  }
  const std::string text = text_of({r});
  std::smatch found;
  ASSERT_TRUE(std::regex_search(text, found, std::regex(R"( 100000 \(([0-9]+)\) )"))) << text;
  EXPECT_NEAR(std::stod(found[1].str()), 10'000, 1000);
  EXPECT_THAT(render_table({r}, TableFormat::kJson, {0, false}), HasSubstr("\"independent_steps\": " + found[1].str()));
  EXPECT_THAT(text_of({steady()}), Not(HasSubstr("100 ("))) << "steps of one time are worth themselves";
}

// As device_condition.cpp warns of a card at its power limit.
TEST(Tables, ClocksThatWereHeldDownAreTold) {
  Record r = steady();
  r.warnings = {"clocks held down by power cap 91.0 % of the timed part"};
  const std::string text = text_of({r});
  EXPECT_THAT(text, HasSubstr("clocks held down: decode/m/f32/b2/c128: power cap 91.0 % of the timed part"));
  EXPECT_THAT(text, Not(HasSubstr("disturbed")));
}

TEST(Tables, DisturbedAndProjectedAreMarked) {
  Record r = steady();
  r.noise.disturbed = true;
  r.noise.causes = {"steal 4.1 %", "gaps 3 %"};
  r.extrapolation = Extrapolation{4, 32, 10e6, 5e6, 2, 80e6, "linear", "memory"};
  Record other = r;
  other.case_id = "decode/m/f32/b4/c128";
  other.noise.causes = {"steal 2 %"};
  const std::string text = text_of({r, other});
  EXPECT_THAT(text, HasSubstr("decode/m/f32/b2/c128 *"));
  EXPECT_THAT(text, HasSubstr("* disturbed: decode/m/f32/b2/c128: steal 4.1 %, gaps 3 %; decode/m/f32/b4/c128: steal 2 "
                              "%\n"))
      << "one line for all";
  EXPECT_THAT(text, HasSubstr("measured, 4/32 layers"));
  EXPECT_THAT(text, HasSubstr("the whole projected (by two points, so without an interval): decode/m/f32/b2/c128: 25"))
      << "2 tokens in 80 ms";
}

// 812.5 tokens/s that a source states, and a median of 20 ms that is no step time.
Record reported() {
  Record r;
  r.basis = "reported";
  r.status = "ok";
  r.case_id = "vllm-serve/m/conc8";
  r.device_product = "Chip A";
  r.reported.emplace();
  r.reported->producer = "vLLM bench serve";
  r.reported->source_file = "a.json";
  r.reported->figures = {
      {"output_tokens_per_s", "tokens/s", "total", "output-tokens-per-s/wall", "output_throughput", 812.5, {}, {}, 40},
      {"tpot", "s", "median", "tpot/after-first-interpolated", "median_tpot_ms", 0.02, {}, {}, 40}};
  return r;
}

// Two rates of one case and chip: of 2 nodes of 8, and of a system whose size the source leaves out.
TEST(Tables, ReportedRatesSayOfHowManyAcceleratorsTheyAre) {
  Record large = reported();
  large.reported->stated = {{"a#", "8.0"}, {"Nodes", "2"}};
  const std::string text = text_of({large, reported()});
  EXPECT_THAT(text, HasSubstr("reported, 16 accelerators\n"));
  EXPECT_THAT(text, HasSubstr("reported\n"));
  const std::string json = render_table({large, reported()}, TableFormat::kJson, {});
  EXPECT_THAT(json, HasSubstr("\"reported_accelerators\": 16"));
  EXPECT_THAT(json, HasSubstr("\"reported_accelerators\": null"));
}

// Chips of one case stand below one another, each named; of one product no column is spent on it.
TEST(Tables, RecordsOfSeveralProductsNameTheirChip) {
  Record b = steady(), a = steady(), late = steady(), unnamed = reported();
  a.device_product = "AMD EPYC(TM) 9B14 96-Core Processor";
  b.device_product = late.device_product = "NVIDIA H200";
  late.case_id = "decode/m/f32/b8/c128";
  unnamed.device_product = "";
  const std::vector<Record> records{late, b, unnamed, a};
  const std::string text = text_of(records), markdown = render_table(records, TableFormat::kMarkdown, {});
  EXPECT_THAT(markdown, HasSubstr("| decode/m/f32/b2/c128 | AMD EPYC 9B14 |"));
  EXPECT_THAT(markdown, HasSubstr("| decode/m/f32/b8/c128 | NVIDIA H200 |"));
  EXPECT_THAT(markdown, HasSubstr("| vllm-serve/m/conc8 | not named |"));
  for (const std::string& form :
       {text, markdown, render_table(records, TableFormat::kCsv, {}), render_table(records, TableFormat::kJson, {})}) {
    const size_t first = form.find("b2/c128"), second = form.find("b2/c128", first + 1), third = form.find("b8/c128");
    const size_t cpu = form.find("AMD EPYC"), gpu = form.find("NVIDIA H200");
    EXPECT_LT(second, third) << form;
    EXPECT_TRUE(cpu > first && cpu < second && gpu > second && gpu < third) << form;
  }
  EXPECT_THAT(text_of({b, late}), Not(HasSubstr("chip")));
  EXPECT_THAT(text_of({late, b}).find("b8/c128"), testing::Lt(text_of({late, b}).find("b2/c128"))) << "as given";
}

// As llama-bench has it: 13827.16 +- 91.05.
TEST(Tables, AReportedIntervalIsInTheNotationOfItsFigure) {
  Record r = reported();
  r.reported->figures.front().value = 13827.157;
  r.reported->figures.front().low = 13736.107;
  r.reported->figures.front().high = 13918.208;
  EXPECT_THAT(text_of({r}), HasSubstr("13827.2 tokens/s †  13736.1–13918.2  "));
  r.reported->figures = {{"time", "s", "mean", "time/mean-of-repetitions", "avg_ns", 0.037, 0.0369, 0.0371, 5}};
  EXPECT_THAT(text_of({r}), HasSubstr("37.00 ms †  36.90 ms–37.10 ms  "));
}

TEST(Tables, ReportedFiguresCarryTheirMarkAndDefinition) {
  const std::string text = text_of({steady(), reported()});
  EXPECT_THAT(text, HasSubstr("812.5 tokens/s †"));
  EXPECT_THAT(text, HasSubstr("† reported: as its source states it, neither measured nor checked here"));
  EXPECT_THAT(text, HasSubstr("on Chip A: vLLM bench serve, a.json"));
  EXPECT_THAT(text, HasSubstr("tpot median 20.00 ms (tpot/after-first-interpolated)"));
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.rfind("vllm-serve", 0) == 0) {
      EXPECT_THAT(line, Not(HasSubstr("ms"))) << "no step time";
      EXPECT_THAT(line, HasSubstr("reported"));
    }
  }
}

TEST(Tables, ReportedRawValuesInventNothing) {
  const std::string json = render_table({reported()}, TableFormat::kJson, {});
  EXPECT_THAT(json, HasSubstr("\"rate_per_s\": null"));
  EXPECT_THAT(json, HasSubstr("\"batch\": null"));
  EXPECT_THAT(json, HasSubstr("\"reported_value\": 812.5"));
  EXPECT_THAT(json, HasSubstr("\"reported_definition\": \"output-tokens-per-s/wall\""));
}

TEST(Page, AReportedRecordShowsItsDefinitions) {
  const std::string page = render_record_page(reported(), {});
  EXPECT_THAT(page, HasSubstr("neither measured nor checked here"));
  EXPECT_THAT(page, HasSubstr("output tokens of completed requests / duration of the benchmark"));
  EXPECT_THAT(page, Not(HasSubstr("MFU")));
}

TEST(Tables, NarrowTerminalsLoseColumnsNotDigits) {
  const std::string text = text_of({steady()}, 70);
  std::istringstream lines(text);
  std::string heading, row;
  std::getline(lines, heading);
  std::getline(lines, row);
  EXPECT_LE(heading.size(), 70U);
  EXPECT_THAT(row, HasSubstr("200.0"));
  EXPECT_THAT(row, HasSubstr("measured"));
  EXPECT_THAT(text, HasSubstr("left out, the terminal is narrow: J/token"));
}

TEST(Tables, ThreadsOfACpuAreNamedWhereTheyDiffer) {
  Record one = steady(), two = steady();
  one.adapter = two.adapter = "cpu";
  one.threads = 1;
  two.threads = 2;
  EXPECT_THAT(text_of({one, two}), HasSubstr("decode/m/f32/b2/c128 (threads=2)"));
  EXPECT_THAT(text_of({two, two}), Not(HasSubstr("threads=")));
  one.adapter = two.adapter = "cuda";
  EXPECT_THAT(text_of({one, two}), Not(HasSubstr("threads=")));
}

// 30 nights are 30 rows of one name: each says when it was.
TEST(Tables, RowsOfOneCaseAndChipHaveADate) {
  Record monday = steady(), tuesday = steady();
  monday.created = "2026-11-23T03:12:59Z";
  tuesday.created = "2026-11-24T03:13:00Z";
  const std::string text = text_of({monday, tuesday}, 70);
  EXPECT_THAT(text, testing::StartsWith("case                  date, UTC"));
  EXPECT_THAT(text, HasSubstr("decode/m/f32/b2/c128  2026-11-23 03:12 "));
  EXPECT_THAT(text, HasSubstr("decode/m/f32/b2/c128  2026-11-24 03:13 "));
  EXPECT_THAT(render_table({monday, tuesday}, TableFormat::kMarkdown, {}), HasSubstr("| case | date, UTC | rate /s |"));
  tuesday.device_product = "another";
  EXPECT_THAT(text_of({monday, tuesday}), Not(HasSubstr("2026-11-23")));
}

// J/token and p99.9 are empty, though p50 and the interval are what one looks at.
TEST(Tables, EmptyColumnsGoFirstAndTheIntervalLast) {
  const auto left_out = [](int width) {
    const std::string text = text_of({steady()}, width);
    const size_t at = text.find("left out, the terminal is narrow: ");
    return at == std::string::npos ? "" : text.substr(at + 34, text.find('\n', at) - at - 34);
  };
  // case 20, rate 7, interval 13, p50 8, p99 9, p99.9 5, MFU 6, MBU 6, J/token 7, n 3, basis 8: 92 and 20 between.
  EXPECT_EQ(left_out(112), "");
  EXPECT_EQ(left_out(111), "J/token");
  EXPECT_EQ(left_out(102), "J/token, p99.9");
  EXPECT_EQ(left_out(95), "J/token, p99.9, n");
  EXPECT_EQ(left_out(90), "J/token, p99.9, n, MFU, MBU");
  EXPECT_EQ(left_out(74), "J/token, p99.9, n, MFU, MBU, p99");
  EXPECT_EQ(left_out(63), "J/token, p99.9, n, MFU, MBU, p99, p50");
  EXPECT_EQ(left_out(53), "J/token, p99.9, n, MFU, MBU, p99, p50, basis (measured)") << "one basis is named once";
  EXPECT_EQ(left_out(43), "J/token, p99.9, n, MFU, MBU, p99, p50, basis (measured), 95 %");
}

TEST(Tables, CsvIsQuotedAndRunsNoFormula) {
  Record r = steady();
  r.reason = "=cmd(\"x\"), and more";
  const std::string csv = render_table({r}, TableFormat::kCsv, {});
  EXPECT_THAT(csv, HasSubstr("\"'=cmd(\"\"x\"\"), and more\""));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\r'), 2);
  EXPECT_THAT(csv, HasSubstr(",rate_per_s,"));
  EXPECT_THAT(csv, HasSubstr(",200,"));
}

// Order and names are a contract: what is added stands behind. 100 steps bound p50 by order statistics of equal values.
TEST(Tables, RawColumnsSayWhatTheRunWas) {
  Record r = steady();
  r.adapter = "cpu";
  r.adapter_options.emplace()["attention"] = "own";
  r.form = "quick";
  r.tier = "program";
  r.tool_commit = "abc123";
  r.environment["hostname_hash"] = "08cf";
  const std::string csv = render_table({r}, TableFormat::kCsv, {});
  EXPECT_THAT(csv, HasSubstr(",numerics_note,adapter,adapter_options,form,tier,tool_commit,hostname_hash,"
                             "step_p50_low_ns,step_p50_high_ns\r\n"));
  EXPECT_THAT(csv, testing::EndsWith(",cpu,attention=own,quick,program,abc123,08cf,1e+07,1e+07\r\n"));
  const std::string json = render_table({r}, TableFormat::kJson, {});
  EXPECT_THAT(json, HasSubstr("\"adapter_options\": \"attention=own\""));
}

TEST(Tables, JsonHasNullForWhatIsAbsent) {
  const std::string json = render_table({steady()}, TableFormat::kJson, {});
  EXPECT_THAT(json, HasSubstr("\"rate_per_s\": 200"));
  EXPECT_THAT(json, HasSubstr("\"joules_per_token\": null"));
  EXPECT_THAT(json, HasSubstr("\"step_p99_9_ns\": null"));
}

TEST(Tables, MarkdownEscapesBars) {
  Record r = steady();
  r.case_id = "a|b";
  EXPECT_THAT(render_table({r}, TableFormat::kMarkdown, {}), HasSubstr("| a\\|b |"));
}

TEST(Tables, NoRecordsIsSaid) { EXPECT_EQ(text_of({}), "no records\n"); }

// Two layers of four experts: 2 and 3 of them have a token.
TEST(Page, SaysHowTokensWereRouted) {
  Record r = steady();
  RoutingReport routing;
  routing.distribution = "zipf:1.2";
  routing.seed = 7;
  routing.experts = 4;
  routing.top_k = 2;
  routing.expert_bytes = 4.5e6;
  routing.expected_active = 2.75;
  routing.expert_rows = {5, 0, 3, 0, 1, 2, 0, 5};
  r.routing = routing;
  EXPECT_THAT(
      render_record_page(r, {}),
      HasSubstr("zipf:1.2, seed 7: 2.5 of 4 experts with a token (2.75 expected), 2 a token; an expert's weights "
                "4.5 MB a layer"));
}

// The rate of each launch beside it; of what one of three lacks, the first's, and why it lacks it.
TEST(Page, ShowsTheCeilingsBesideEachLaunch) {
  Record r = steady();
  r.ceiling.read_bytes_per_s = 50e9;
  r.ceiling.measured = "2026-11-26T18:00:00Z";
  r.run_launches.emplace().planned = 2;
  for (int i = 0; i < 2; ++i) r.run_launches->each.push_back({50, 0, 1e7, 0.0, 49});
  r.ceiling.of_launches = {{1e12, 50e9, "2026-11-26T18:00:00Z"}, {2e12, 25e9, "2026-11-26T18:01:00Z"}};
  std::string page = render_record_page(r, {});
  EXPECT_THAT(page, HasSubstr("launch 1: 1.000 TFLOP/s, 50.00 GB/s, 2026-11-26T18:00:00Z"));
  EXPECT_THAT(page, HasSubstr("launch 2: 2.000 TFLOP/s, 25.00 GB/s, 2026-11-26T18:01:00Z"));
  EXPECT_THAT(page, Not(HasSubstr("not measured beside")));
  r.run_launches->each.push_back({50, 0, 1e7, 0.0, 49});
  r.ceiling.reason = "launch 3: read: no memory";
  page = render_record_page(r, {});
  EXPECT_THAT(page, HasSubstr("not measured beside each of 3 launches: of what one lacks, the first's counts for all"));
  EXPECT_THAT(page, HasSubstr("launch 3: read: no memory"));
}

TEST(Page, ShowsStepTimesDrawnAndWhyToBelieveIt) {
  Record r = steady();
  r.samples.host_ns[50] = 40'000'000;
  const std::string page = render_record_page(r, {});
  EXPECT_THAT(page, HasSubstr("10.00 ms to 40.00 ms"));
  EXPECT_THAT(page, HasSubstr("█"));
  EXPECT_THAT(page, HasSubstr("1 over 2 x median"));
  EXPECT_THAT(page, HasSubstr("numbers             pass"));
  EXPECT_THAT(page, HasSubstr("absent: no energy source"));
}

}  // namespace
}  // namespace assay
