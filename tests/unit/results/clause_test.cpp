#include "results/metrics/clause.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ClauseGrammar, ReadsWhatAContractWrites) {
  const Result<Clause> c = parse_clause("p99.9(step) <= 60 ms @ 99 %");
  ASSERT_TRUE(c.ok()) << c.error().message;
  EXPECT_EQ(c->subject.quantity, Quantity::kPercentile);
  EXPECT_DOUBLE_EQ(c->subject.p, 0.999);
  EXPECT_EQ(c->compare, Compare::kAtMost);
  EXPECT_DOUBLE_EQ(c->limit, 6e7);
  EXPECT_DOUBLE_EQ(*c->confidence, 0.99);
  const Result<Clause> rate = parse_clause("rate>=100.5tokens/s@95%");
  ASSERT_TRUE(rate.ok()) << rate.error().message;
  EXPECT_EQ(rate->subject.quantity, Quantity::kRate);
  EXPECT_DOUBLE_EQ(rate->limit, 100.5);
  EXPECT_EQ(rate->unit, "tokens/s");
  EXPECT_EQ(parse_clause("mean( step ) < 0.5 s")->compare, Compare::kBelow);
  EXPECT_FALSE(parse_clause("mean(step) < 0.5 s")->confidence);
  EXPECT_DOUBLE_EQ(parse_clause("stall_rate(step) <= 0.1 %")->limit, 0.001);
  EXPECT_DOUBLE_EQ(parse_clause("tail_ratio(step) <= 1.5")->limit, 1.5);
  EXPECT_DOUBLE_EQ(parse_clause("mfu > 40 %")->limit, 0.4);
  EXPECT_EQ(parse_clause("p50(step) ≤ 800 µs")->limit, 8e5);
}

struct BadClause {
  const char* text;
  std::vector<const char*> words;
};

TEST(ClauseGrammar, FaultsAreNamedWithTheirColumn) {
  for (const BadClause& bad :
       {BadClause{"", {"column 1", "the end"}}, BadClause{"p99(step) <= 60 mb", {"column 17", "'mb'", "ns, us"}},
        BadClause{"p99(step) <= 60", {"column 16", "unit", "the end"}},
        BadClause{"p99(step) 60 ms", {"column 11", "<="}},
        BadClause{"p100(step) <= 1 ms", {"column 2", "between 0 and 100"}},
        BadClause{"p99(token) <= 1 ms", {"column 5", "'step'"}}, BadClause{"p99 <= 1 ms", {"column 5", "'(step)'"}},
        BadClause{"rat >= 1 tokens/s", {"column 1", "rate"}}, BadClause{"rate >= fast", {"column 9", "number"}},
        BadClause{"rate >= 1 tokens/s @ 40 %", {"column 22", "between 50 and 100"}},
        BadClause{"rate >= 1 tokens/s @ 95", {"column 24", "'%'"}},
        BadClause{"rate >= 1 tokens/s please", {"column 20", "'please'"}},
        BadClause{"rate >= -1 tokens/s", {"column 9", "at least 0"}},
        BadClause{"max(step) <= 60 ms @ 99 %", {"column 20", "no interval"}},
        BadClause{"rate >= 1e999 tokens/s", {"column 9"}}}) {
    const Result<Clause> c = parse_clause(bad.text);
    ASSERT_FALSE(c.ok()) << bad.text;
    EXPECT_EQ(c.error().kind, ErrorKind::kBadInput);
    for (const char* word : bad.words) EXPECT_THAT(c.error().message, HasSubstr(word)) << bad.text;
  }
}

// `n` steps of 10 ms, of which every `every`-th takes `slow_ms`.
Record record(size_t n, size_t every, uint64_t slow_ms) {
  Record r;
  r.basis = "measured";
  r.status = "ok";
  r.step_kind = "decode";
  r.batch = 4;
  r.tokens_per_step = 4;
  uint64_t at = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint64_t ns = (every > 0 && i % every == every - 1 ? slow_ms : 10) * 1'000'000;
    r.samples.start_ns.push_back(at);
    r.samples.host_ns.push_back(ns);
    at += ns;
  }
  return r;
}

ClauseOutcome decided(const Record& r, const char* clause) {
  const Result<Clause> c = parse_clause(clause);
  EXPECT_TRUE(c.ok()) << c.error().message;
  return decide_clause(r, *c, 0.99);
}

TEST(ClauseDecision, PercentilesByCounting) {
  EXPECT_EQ(decided(record(459, 0, 0), "p99(step) <= 10 ms").outcome, Accepted::kPass);
  const ClauseOutcome few = decided(record(458, 0, 0), "p99(step) <= 10 ms");
  EXPECT_EQ(few.outcome, Accepted::kInconclusive);
  EXPECT_THAT(few.note, HasSubstr("459 with 0 would pass"));
  EXPECT_EQ(decided(record(459, 0, 0), "p99(step) < 10 ms").outcome, Accepted::kFail) << "all of them are 10 ms";
  EXPECT_EQ(decided(record(1000, 20, 30), "p99(step) <= 20 ms").outcome, Accepted::kFail) << "50 of 1000, 1 % allowed";
  EXPECT_EQ(decided(record(1000, 20, 30), "p90(step) <= 20 ms").outcome, Accepted::kPass);
  // At least: 5 % may lie under the limit, and all do.
  EXPECT_EQ(decided(record(500, 0, 0), "p5(step) >= 11 ms").outcome, Accepted::kFail);
  EXPECT_EQ(decided(record(500, 0, 0), "p5(step) >= 10 ms").outcome, Accepted::kPass);
}

// 4 tokens in 10 ms are 400 tokens/s, 100 per user, with no spread.
TEST(ClauseDecision, RatesAndMeansByTheirBounds) {
  const Record r = record(200, 0, 0);
  EXPECT_EQ(decided(r, "rate >= 399 tokens/s").outcome, Accepted::kPass);
  EXPECT_EQ(decided(r, "rate >= 401 tokens/s").outcome, Accepted::kFail);
  EXPECT_EQ(decided(r, "rate_per_user >= 99 tokens/s @ 95 %").outcome, Accepted::kPass);
  EXPECT_EQ(decided(r, "mean(step) <= 10.1 ms").outcome, Accepted::kPass);
  EXPECT_EQ(decided(r, "mean(step) <= 9.9 ms").outcome, Accepted::kFail);
  EXPECT_EQ(decided(r, "rate >= 1 FLOP/s").outcome, Accepted::kInconclusive);
  EXPECT_THAT(decided(r, "rate >= 1 FLOP/s").note, HasSubstr("tokens/s, not in FLOP/s"));
  // A mean of 11 ms of a few scattered steps is not known to 0.1 %.
  EXPECT_EQ(decided(record(40, 20, 30), "mean(step) <= 11.01 ms").outcome, Accepted::kInconclusive);
}

TEST(ClauseDecision, WhatHasNoIntervalSaysSo) {
  EXPECT_EQ(decided(record(20, 20, 30), "max(step) <= 30 ms").outcome, Accepted::kPass);
  EXPECT_EQ(decided(record(20, 20, 30), "max(step) <= 29 ms").outcome, Accepted::kFail);
  EXPECT_THAT(decided(record(20, 20, 30), "max(step) <= 30 ms").note, HasSubstr("no interval"));
  const ClauseOutcome energy = decided(record(20, 0, 0), "joules_per_token <= 1 J/token");
  EXPECT_EQ(energy.outcome, Accepted::kInconclusive);
  EXPECT_THAT(energy.note, HasSubstr("no energy"));
}

// 3 of 3000 steps over twice the median: P(Bin(3000, 0.005) <= 3) is about 2e-4, P(Bin(3000, 0.001) <= 3) 0.65.
TEST(ClauseDecision, StallRateByCounting) {
  EXPECT_EQ(decided(record(3000, 1000, 50), "stall_rate(step) <= 0.5 %").outcome, Accepted::kPass);
  EXPECT_EQ(decided(record(3000, 1000, 50), "stall_rate(step) <= 0.1 %").outcome, Accepted::kInconclusive);
}

TEST(ClauseDecision, CorrelatedStepsAreThinned) {
  Record r = record(2000, 0, 0);
  for (size_t i = 500; i < 600; ++i) r.samples.host_ns[i] = 30'000'000;
  EXPECT_THAT(decided(r, "p90(step) <= 20 ms").note, HasSubstr("counted because they correlate"));
}

TEST(ClauseDecision, AFailedOrReportedRecordHasNoFigures) {
  Record r = record(1000, 0, 0);
  r.status = "failed";
  r.reason = "numerics";
  EXPECT_THAT(decided(r, "rate >= 1 tokens/s").note, HasSubstr("numerics"));
  Record foreign;
  foreign.basis = "reported";
  foreign.status = "ok";
  foreign.reported.emplace();
  EXPECT_EQ(decided(foreign, "rate >= 1 tokens/s").outcome, Accepted::kInconclusive);
}

}  // namespace
}  // namespace assay
