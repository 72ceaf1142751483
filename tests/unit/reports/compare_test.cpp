#include "reports/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/reports/compare_run.h"

namespace assay {
namespace {

using comparing::run;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const MetricDifference& metric(const PairComparison& pair, const std::string& name) {
  for (const MetricDifference& d : pair.metrics) {
    if (d.metric == name) return d;
  }
  ADD_FAILURE() << "no metric " << name;
  return pair.metrics.front();
}

// 4 tokens in 10 ms and in 8 ms: 400 and 500 tokens/s.
TEST(Compare, TellsRateAndPercentilesInTheirOwnDirection) {
  const Comparison c = compare({"a", {run(10, 1)}}, {"b", {run(8, 2)}}, {});
  ASSERT_EQ(c.pairs.size(), 1U);
  const MetricDifference& rate = metric(c.pairs[0], "rate");
  EXPECT_NEAR(rate.a.value, 400, 2);
  EXPECT_NEAR(rate.b.value, 500, 2.5);
  EXPECT_NEAR(rate.ratio.value, 1.25, 0.01);
  EXPECT_EQ(rate.verdict, Difference::kFaster);
  EXPECT_NEAR(*rate.effect, 1, 1e-9) << "every step of B is shorter";
  EXPECT_EQ(metric(c.pairs[0], "step p50").verdict, Difference::kFaster);
  EXPECT_NEAR(metric(c.pairs[0], "step p50").ratio.value, 0.8, 0.01) << "the ratio of the times themselves";
  EXPECT_TRUE(c.unmatched.empty());
  EXPECT_EQ(compare({"b", {run(8, 2)}}, {"a", {run(10, 1)}}, {}).pairs[0].metrics[0].verdict, Difference::kSlower);
}

// An upper bound of p99 at 97.5 % takes ln 0.025 / ln 0.99 = 367 steps. The 297th of 300 sorted steps is p99; the three
// that are longer follow one another, so one of them tells of all: correlations of 2/3 and 1/3 at one and two steps'
// lag make 300 steps worth 300 / (1 + 2 x (2/3 + 1/3)) = 100.
TEST(Compare, ATailWithoutABoundDecidesNothing) {
  Record slow = run(10, 1, 300), fast = run(5, 2, 300);
  for (Record* r : {&slow, &fast}) {
    for (uint64_t i = 0; i < 6; ++i) r->samples.host_ns[100 + i] = 20'000'000 + i * 100'000;
  }
  const Comparison c = compare({"a", {slow}}, {"b", {fast}}, {});
  EXPECT_EQ(metric(c.pairs[0], "step p99").verdict, Difference::kAmbiguous);
  EXPECT_THAT(metric(c.pairs[0], "step p99").note,
              testing::MatchesRegex("too few independent steps for a bound: (9.|10.) of 300 and (9.|10.) of 300"));
  EXPECT_EQ(metric(c.pairs[0], "step p50").verdict, Difference::kFaster);
}

TEST(Compare, EqualRunsAreSame) {
  const Comparison c = compare({"a", {run(10, 1)}}, {"b", {run(10, 2)}}, {});
  EXPECT_EQ(metric(c.pairs[0], "rate").verdict, Difference::kSame);
  EXPECT_NEAR(*metric(c.pairs[0], "rate").effect, 0.5, 0.1);
  EXPECT_EQ(count_verdicts(c, Difference::kSlower), 0U);
}

// An option is a cause of what differs: told beside the pair, and no repeat of a run without it.
TEST(Compare, OptionsOfTheAdapterAreACause) {
  Record plain = run(10, 1), own = run(8, 2), other = run(9, 3);
  plain.adapter_options.emplace();
  own.adapter_options.emplace()["products"] = "own";
  other.adapter_options.emplace()["search"] = "1";
  const Comparison c = compare({"a", {plain}}, {"b", {own}}, {});
  ASSERT_EQ(c.pairs.size(), 1U);
  ASSERT_EQ(c.environment.size(), 1U);
  EXPECT_EQ(c.environment[0].name, "adapter options");
  EXPECT_EQ(c.environment[0].a, "none");
  EXPECT_EQ(c.environment[0].b, "products=own");

  const Comparison alike = compare({"a", {own}}, {"b", {plain, own}}, {});
  ASSERT_EQ(alike.pairs.size(), 1U);
  EXPECT_EQ(alike.pairs[0].runs_b, 1U);
  EXPECT_EQ(metric(alike.pairs[0], "rate").verdict, Difference::kSame) << "with the run of the same options";
  ASSERT_EQ(alike.unmatched.size(), 1U);
  EXPECT_EQ(alike.unmatched[0].side, "b");
  EXPECT_THAT(alike.unmatched[0].reason, HasSubstr("adapter options none"));

  const Comparison open = compare({"a", {plain}}, {"b", {own, other}}, {});
  EXPECT_TRUE(open.pairs.empty()) << "which of the two is meant isn't known";
  EXPECT_EQ(open.unmatched.size(), 3U);
}

// On the host's CPU runs with other threads are no repeats: 4 tokens in 10 ms and in 20 ms stay 400 and 200 tokens/s.
// Beside a device of its own threads are but the harness's helpers.
TEST(Compare, ThreadsOfACpuPartRuns) {
  const auto with = [](Record r, const char* adapter, int threads) {
    r.adapter = adapter;
    r.threads = threads;
    return r;
  };
  const Record two = with(run(10, 1), "cpu", 2), one = with(run(20, 2), "cpu", 1);
  const Comparison c = compare({"a", {two, one}}, {"b", {one, two}}, {});
  ASSERT_EQ(c.pairs.size(), 2U);
  for (const PairComparison& p : c.pairs) {
    EXPECT_EQ(p.runs_a, 1U);
    EXPECT_EQ(p.runs_b, 1U);
    EXPECT_NEAR(metric(p, "rate").a.value, p.setup == "threads=2" ? 400 : 200, 2);
  }
  const std::string text = render_sheet(comparison_sheet({c}), TableFormat::kText, {});
  EXPECT_THAT(text, HasSubstr("decode/m/bf16/b4/c512 (threads=1)"));
  EXPECT_THAT(text, HasSubstr("decode/m/bf16/b4/c512 (threads=2)"));

  const Comparison cause = compare({"a", {two}}, {"b", {one}}, {});
  ASSERT_EQ(cause.pairs.size(), 1U) << "as with options of the adapter: a cause, if nothing else is there";
  EXPECT_EQ(cause.pairs[0].setup, "threads=2 against threads=1");
  const Comparison missed = compare({"a", {two}}, {"b", {one, with(run(30, 3), "cpu", 3)}}, {});
  EXPECT_TRUE(missed.pairs.empty());
  EXPECT_EQ(missed.unmatched[0].reason.rfind("threads 2 against ", 0), 0U) << missed.unmatched[0].reason;

  const CompareSide gpu{"a", {with(run(10, 1), "cuda", 8), with(run(10, 2), "cuda", 16)}};
  const Comparison helpers = compare(gpu, gpu, {});
  ASSERT_EQ(helpers.pairs.size(), 1U);
  EXPECT_EQ(helpers.pairs[0].runs_a, 2U);
  EXPECT_EQ(helpers.pairs[0].setup, "");
}

// Repeats of A differ by 10 %: a change of 6 % is no news on such a machine.
TEST(Compare, RepeatsRaiseTheMargin) {
  const CompareSide noisy{"a", {run(10, 1), run(11, 2)}};
  const Comparison c = compare(noisy, {"b", {run(9.9, 3)}}, {});
  const MetricDifference& rate = metric(c.pairs[0], "rate");
  EXPECT_NEAR(rate.margin, 0.1, 0.005);
  EXPECT_NE(rate.verdict, Difference::kFaster);
  EXPECT_THAT(rate.note, HasSubstr("A/A"));
  EXPECT_EQ(c.pairs[0].runs_a, 2U);
}

TEST(Compare, PairsOnlyTheSameWorkAndSaysWhy) {
  Record other_dtype = run(10, 1), other_basis = run(10, 1), other_tier = run(10, 1), failed = run(10, 1),
         renamed = run(10, 1), part = run(10, 1);
  other_dtype.dtype = "int8";
  other_basis.basis = "simulated";
  other_tier.tier = "request";
  failed.status = "failed";
  failed.reason = "numerics: rope";
  renamed.case_hash = "another";
  part.extrapolation = Extrapolation{4, 32, {}, {}, 0, {}, "", ""};
  const auto reason = [&](const Record& r) {
    const Comparison c = compare({"a", {run(10, 1)}}, {"b", {r}}, {});
    EXPECT_TRUE(c.pairs.empty());
    EXPECT_EQ(c.unmatched.size(), 2U);
    for (const Unmatched& u : c.unmatched) {
      if (u.side == "b") return u.reason;
    }
    return std::string();
  };
  EXPECT_EQ(reason(other_dtype), "dtype int8 against bf16");
  EXPECT_EQ(reason(other_basis), "basis simulated against measured");
  EXPECT_EQ(reason(other_tier), "tier request against program");
  EXPECT_EQ(reason(failed), "failed: numerics: rope");
  EXPECT_EQ(reason(renamed), "same name, other case hash: model shape or lengths differ");
  EXPECT_EQ(reason(part), "layers run: 4 against 0");
  Record now = run(10, 1), before = run(10, 1);
  now.dtype = "int8", now.case_id = "decode/m/int8/b4/c512";
  before.dtype = "int8-f32", before.case_id = "decode/m/int8-f32/b4/c512", before.case_hash = "old";
  const Comparison c = compare({"a", {before}}, {"b", {now}}, {});
  EXPECT_EQ(c.unmatched[0].reason,
            "other work: int8-f32 (activations and KV cache in f32) against int8 (activations and KV cache in bf16)");
  EXPECT_EQ(reason(run(10, 1, 400, 8)), "the other side has no such case");
}

// What neither side can run is matched; where one side ran it, or failed, it is not.
TEST(Compare, UnsupportedOnBothSidesIsMatched) {
  Record refused = run(10, 1, 400, 8);
  refused.status = "unsupported";
  refused.reason = "no fp4 here";
  Record failed = refused;
  failed.status = "failed";
  const Comparison both = compare({"a", {run(10, 1), refused}}, {"b", {run(10, 2), refused, refused}}, {});
  EXPECT_TRUE(both.unmatched.empty());
  ASSERT_EQ(both.unsupported_on_both.size(), 1U) << "told once";
  EXPECT_EQ(both.unsupported_on_both[0].side, "both");
  EXPECT_EQ(both.unsupported_on_both[0].reason, "unsupported: no fp4 here");
  EXPECT_THAT(render_sheet(comparison_sheet({both}), TableFormat::kMarkdown, {}), HasSubstr("no fp4 here"));
  const Comparison one_ran = compare({"a", {refused}}, {"b", {refused, run(10, 2, 400, 8)}}, {});
  EXPECT_EQ(one_ran.unmatched.size(), 3U);
  EXPECT_TRUE(one_ran.unsupported_on_both.empty());
  EXPECT_EQ(compare({"a", {refused}}, {"b", {failed}}, {}).unmatched.size(), 2U);
}

// A denoising pass of 500 ms is 2 passes/s, and its sheet says so; a side whose numbers nobody checked is named.
TEST(Compare, RatesHaveUnitsAndUncheckedSidesAreNamed) {
  Record a = run(500, 1, 400, 1), b = run(500, 2, 400, 1);
  a.step_kind = b.step_kind = "dit";
  a.numerics.verdict = "pass";
  b.numerics.reason = "switched off";
  const Comparison c = compare({"a", {a}}, {"b", {b}}, {});
  EXPECT_THAT(c.pairs[0].unchecked, ElementsAre("B: numbers not checked: switched off"));
  const std::string sheet = render_sheet(comparison_sheet({c}), TableFormat::kMarkdown, {});
  EXPECT_THAT(sheet, HasSubstr(" passes/s ("));
  EXPECT_THAT(sheet, HasSubstr("B: numbers not checked: switched off"));
  EXPECT_THAT(sheet, HasSubstr("may be that of wrong numbers"));
}

// Chunks, a clip's parts and parts of a model are none of the whole, and all that was compared here.
TEST(Compare, PiecesAreNamed) {
  Record chunk = run(10, 1, 400, 1), tile = run(20, 2, 400, 1);
  chunk.step_kind = "prefill";
  chunk.tokens = chunk.tokens_per_step = 512;
  chunk.context = 4096;
  chunk.extrapolation = Extrapolation{2, 24, {}, {}, 0, {}, "", ""};
  tile.step_kind = "vae-tile";
  tile.case_hash = "tile";
  const Sheet sheet = comparison_sheet({compare({"a", {chunk, tile}}, {"b", {chunk, tile}}, {})});
  for (const TableFormat format : {TableFormat::kText, TableFormat::kMarkdown, TableFormat::kCsv, TableFormat::kJson})
    EXPECT_THAT(render_sheet(sheet, format, {}), HasSubstr("chunk of 512 tokens of a prompt, behind 4096"));
  const std::string text = render_sheet(sheet, TableFormat::kText, {});
  EXPECT_THAT(text, HasSubstr("2/24 layers ran; chunk of 512 tokens of a prompt, behind 4096; A: numbers not checked"));
  EXPECT_THAT(text, HasSubstr("- 1 of 2 cases are of a chunk of a prompt behind a context, measured apart: no rates"));
  EXPECT_THAT(text, HasSubstr("- 1 of 2 cases are of a part of a clip, measured apart: no times of a clip"));
  EXPECT_THAT(text, HasSubstr("- 1 of 2 cases are of a part of the model: no rates of the whole"));
  const Sheet whole = comparison_sheet({compare({"a", {run(10, 1)}}, {"b", {run(10, 2)}}, {})});
  EXPECT_THAT(render_sheet(whole, TableFormat::kText, {}), Not(HasSubstr(" cases are of a ")));
}

Record reported(double rate, double tpot, const std::string& definition) {
  Record r;
  r.basis = "reported";
  r.status = "ok";
  r.tier = "request";
  r.case_id = "vllm-serve/m";
  r.case_hash = "v";
  r.reported.emplace();
  r.reported->figures = {
      {"output_tokens_per_s", "tokens/s", "total", "output-tokens-per-s/wall", "x", rate, {}, {}, {}},
      {"tpot", "s", "p99", definition, "y", tpot, {}, {}, {}}};
  return r;
}

// What is priced side by side is what compares: B's failed b64 and A's b64 are left out, and so is another depth.
TEST(Compare, PairedRecordsAreThoseOfThePairs) {
  CompareSide a{"a", {run(10, 1), run(20, 2, 400, 64), run(5, 3, 400, 8)}};
  CompareSide b{"b", {run(8, 4), run(16, 5, 400, 64), run(4, 6, 400, 8)}};
  b.records[1].status = "failed";
  b.records[2].extrapolation.emplace().layers_run = 4;
  const std::vector<Record> of_a = paired_records(a, b), of_b = paired_records(b, a);
  ASSERT_EQ(of_a.size(), 1U);
  ASSERT_EQ(of_b.size(), 1U);
  EXPECT_EQ(of_a[0].batch, 4);
  EXPECT_EQ(of_b[0].batch, 4);
  EXPECT_EQ(compare(a, b, {}).pairs.size(), 1U);
}

// Options pair what is priced as they pair what is compared: b's run without any has no partner.
TEST(Compare, PairedRecordsHaveTheOptionsOfThePairs) {
  Record plain = run(10, 1), own = run(8, 2);
  plain.adapter_options.emplace();
  own.adapter_options.emplace()["products"] = "own";
  const CompareSide a{"a", {own}}, b{"b", {plain, own}};
  ASSERT_EQ(paired_records(b, a).size(), 1U);
  EXPECT_EQ(paired_records(b, a)[0].adapter_options, own.adapter_options);
  EXPECT_EQ(paired_records({"a", {plain}}, {"b", {own}}).size(), 1U) << "a cause of what differs";
}

// What is told of a file on one machine doesn't part its runs from those of another.
TEST(Compare, FoldersOfOptionsPartNoRepeats) {
  Record here = run(10, 1), there = run(10, 2);
  here.adapter_options = {{"cache_dir", "/tmp/a"}, {"kernels", "/home/a/kernels.cubin"}};
  there.adapter_options = {{"cache_dir", "off"}, {"kernels", "kernels.cubin"}};
  EXPECT_EQ(compare({"a", {here, there}}, {"b", {run(10, 3)}}, {}).unmatched.size(), 3U) << "one remembers nothing";
  there.adapter_options->at("cache_dir") = "/tmp/b/";
  const Comparison c = compare({"a", {here, there}}, {"b", {run(10, 3)}}, {});
  ASSERT_EQ(c.pairs.size(), 1U);
  EXPECT_EQ(c.pairs[0].runs_a, 2U);
}

// A curve is of one variant and one set of options; a side's only other options are named as a cause.
TEST(Compare, CurvesAreOfOneVariantAndOneSetOfOptions) {
  CompareSide a{"a", {run(10, 1), run(20, 2, 400, 64)}}, b{"b", {run(8, 3), run(16, 4, 400, 64)}};
  b.records.push_back(run(9, 5, 400, 16));
  b.records.back().case_id += "/zipf1.2";
  b.records.push_back(run(9, 6, 400, 32));
  b.records.back().adapter_options.emplace()["products"] = "own";
  const std::vector<LoadComparison> loads = compare_loads(a, b, {});
  ASSERT_EQ(loads.size(), 1U);
  EXPECT_EQ(loads[0].work.find("zipf"), std::string::npos);
  EXPECT_EQ(loads[0].front_b.size(), 2U) << "b4 and b64 alone";
  for (Record& r : b.records) r.adapter_options.emplace()["products"] = "own";
  ASSERT_EQ(compare_loads(a, b, {}).size(), 1U);
  EXPECT_THAT(compare_loads(a, b, {})[0].work, HasSubstr("adapter options none against products=own"));
}

// Decode at three loads; those with flushed caches are no part of the load axis.
TEST(Compare, ColdStepsAreNoLoadOfAWarmCurve) {
  CompareSide a{"a", {run(10, 1), run(20, 2, 400, 64)}}, b{"b", {run(8, 3), run(16, 4, 400, 64)}};
  ASSERT_EQ(compare_loads(a, b, {}).size(), 1U);
  EXPECT_EQ(compare_loads(a, b, {})[0].note, "");
  b.records.push_back(run(9, 5, 400, 16));
  b.records.back().case_id += "/cold";
  EXPECT_EQ(compare_loads(a, b, {})[0].note, "1 cold-cache records are left out of the curves");
  for (Record& r : b.records) r.case_id += "/cold";
  EXPECT_TRUE(compare_loads(a, b, {}).empty());
}

TEST(Compare, ReportedFiguresNeedEqualDefinitionsAndDecideNothing) {
  const Record a = reported(100, 0.02, "tpot/after-first-interpolated");
  const Comparison c = compare({"a", {a}}, {"b", {reported(150, 0.01, "tpot/after-first-interpolated")}}, {});
  ASSERT_EQ(c.pairs.size(), 1U);
  ASSERT_EQ(c.pairs[0].metrics.size(), 2U);
  EXPECT_EQ(c.pairs[0].metrics[0].verdict, Difference::kAmbiguous);
  EXPECT_DOUBLE_EQ(c.pairs[0].metrics[0].ratio.value, 1.5);
  EXPECT_FALSE(c.pairs[0].metrics[1].higher_is_better);
  const Comparison other = compare({"a", {a}}, {"b", {reported(150, 0.01, "tpot/after-first-rank")}}, {});
  EXPECT_EQ(other.pairs[0].metrics.size(), 1U) << "the same name by another formula";
  const std::string text = render_sheet(comparison_sheet({c}), TableFormat::kText, {});
  EXPECT_THAT(text, HasSubstr("reported †"));
  EXPECT_THAT(text, Not(HasSubstr("FASTER  ")));
  EXPECT_THAT(text, Not(HasSubstr("A12 of steps: "))) << "there are none";
}

// The distances to the bounds add in quadrature on the log scale: 1.5 e^-(ln(150/140)^2 + ln(1.05)^2)^(1/2) = 1.378 and
// 1.5 e^(ln(160/150)^2 + ln(100/95)^2)^(1/2) = 1.629.
TEST(Compare, EachSideHasItsOwnInterval) {
  Record a = reported(100, 0.02, "tpot/after-first-interpolated"),
         b = reported(150, 0.01, "tpot/after-first-interpolated");
  const auto bound = [](Record* r, size_t figure, double low, double high) {
    r->reported->figures[figure].low = low;
    r->reported->figures[figure].high = high;
  };
  bound(&a, 0, 95, 105);
  bound(&b, 0, 140, 160);
  bound(&a, 1, 0.019, 0.022);
  const Sheet sheet = comparison_sheet({compare({"a", {a}}, {"b", {b}}, {})});
  const std::string text = render_sheet(sheet, TableFormat::kText, {});
  EXPECT_THAT(text, testing::ContainsRegex(" 100\\.0 +150 +1\\.5 .*\n +95\\.0–105\\.0 +140–160 +1\\.378–1\\.629\n"));
  EXPECT_THAT(text, testing::ContainsRegex(" 20\\.00 ms +10\\.00 ms +0\\.5 .*\n +19\\.00–22\\.00\n"));
  EXPECT_THAT(text, HasSubstr("- ranges with A, B and B/A: their 95.0 % intervals"));
  EXPECT_THAT(render_sheet(sheet, TableFormat::kMarkdown, {}),
              HasSubstr("| 100.0 (95.0–105.0) | 150 (140–160) | 1.5 (1.378–1.629) |"));
  EXPECT_THAT(render_sheet(sheet, TableFormat::kCsv, {}), HasSubstr(",95,105,140,160,"));
  EXPECT_THAT(render_sheet(sheet, TableFormat::kJson, {}), HasSubstr("\"b_high\": 160.0"));
}

TEST(Compare, ReportedSystemsOfDifferentSizeAreTold) {
  Record a = reported(100, 0.02, "tpot/after-first-interpolated"), b = a;
  a.reported->stated = {{"a#", "8"}};
  b.reported->stated = {{"a#", "8"}, {"Nodes", "2"}};
  const Comparison c = compare({"a", {a}}, {"b", {b}}, {});
  EXPECT_THAT(c.pairs.at(0).metrics.at(0).note, HasSubstr("of 8 accelerators against 16"));
}

TEST(Compare, EnvironmentDifferencesAreListedOnce) {
  Record a = run(10, 1), b = run(10, 2);
  a.environment = {{"kernel", "6.1"}, {"loadavg", "0.1"}, {"cpu_model", "X"}};
  b.environment = {{"kernel", "6.6"}, {"loadavg", "9"}, {"cpu_model", "X"}, {"governor", "powersave"}};
  a.tool_commit = b.tool_commit = "abc";
  const Comparison c = compare({"a", {a}}, {"b", {b}}, {});
  ASSERT_EQ(c.environment.size(), 2U);
  EXPECT_EQ(c.environment[0].name, "governor");
  EXPECT_EQ(c.environment[0].a, "not stated");
  EXPECT_EQ(c.environment[1].a, "6.1");
  EXPECT_EQ(c.environment[1].b, "6.6");
}

// A at batch 4 and 16: 4 in 10 ms (100 per user, 400 in all) and 16 in 20 ms (50, 800). B at batch 8: 8 in 12.5 ms
// (80 per user, 640 in all). On A's line between (50, 800) and (100, 400) the rate at 80 is 800 - 30 x 8 = 560.
TEST(Compare, DecodeAtEqualInteractivityIsInterpolatedAndSaysSo) {
  const CompareSide a{"a", {run(10, 1), run(20, 2, 400, 16)}}, b{"b", {run(12.5, 3, 400, 8)}};
  const Comparison c = compare(a, b, {});
  ASSERT_EQ(c.loads.size(), 1U);
  ASSERT_EQ(c.loads[0].at.size(), 1U);
  const EqualLoad& equal = c.loads[0].at[0];
  EXPECT_NEAR(equal.per_user, 80, 0.5);
  EXPECT_TRUE(equal.a.interpolated);
  EXPECT_FALSE(equal.b.interpolated);
  EXPECT_NEAR(equal.a.rate.value, 560, 5);
  EXPECT_NEAR(equal.ratio.value, 640.0 / 560, 0.02);
  EXPECT_EQ(equal.verdict, Difference::kFaster);
  EXPECT_THAT(render_sheet(comparison_sheet({c}), TableFormat::kText, {}), HasSubstr("(interpolated)"));
}

TEST(Compare, LoadsThatDoNotMeetAreSaid) {
  const CompareSide a{"a", {run(10, 1), run(20, 2, 400, 16)}}, b{"b", {run(1, 3)}};
  const Comparison c = compare(a, b, {});
  ASSERT_EQ(c.loads.size(), 1U);
  EXPECT_TRUE(c.loads[0].at.empty());
  EXPECT_THAT(c.loads[0].note, HasSubstr("do not meet"));
}

}  // namespace
}  // namespace assay
