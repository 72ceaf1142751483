#include "results/prices/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using testing::HasSubstr;

PriceBook dollars() {
  PriceBook book;
  PriceCell rate;
  rate.value = rate.low = rate.high = 7.18;
  book.fx = {{"USD", rate}};
  return book;
}

Cost cost_of(double rent, double input_rate, double output_rate) {
  CostInputs in;
  in.rented = true;
  in.at(CostInput::kRent) = exact_estimate(rent, "reported", "t");
  in.at(CostInput::kUtilisation) = exact_estimate(1, "assumed", "t");
  in.at(CostInput::kInputRate) = exact_estimate(input_rate, "measured", "t");
  in.at(CostInput::kOutputRate) = exact_estimate(output_rate, "measured", "t");
  in.mix = {0, 0.5, 0.5, "t"};
  return cost(in);
}

const Claim& claim(const std::vector<Claim>& claims, const std::string& id) {
  for (const Claim& c : claims) {
    if (c.id == id) return c;
  }
  ADD_FAILURE() << id;
  return claims.front();
}

std::vector<Claim> shipped() { return *read_claims(ASSAY_SOURCE_DIR "/results/prices/claims.json"); }

TEST(Claims, ShippedOnesHaveSources) {
  const std::vector<Claim> claims = shipped();
  EXPECT_EQ(claims.size(), 9U);
  for (const Claim& c : claims) EXPECT_FALSE(c.source.empty() || c.text.empty()) << c.id;
  EXPECT_DOUBLE_EQ(claim(claims, "xiwang-0.01-per-100k").target.per, 1e5);
  EXPECT_DOUBLE_EQ(claim(claims, "qihang-s3-0.01-per-1m").target.per, 1e6);
}

// 3.6 yuan an hour at 1000 and 500 tokens/s: 1 and 2 yuan per 1M, 1.5 blended; 0.65 USD are 4.667 yuan.
TEST(Claims, TokenPricesBothWays) {
  const Cost c = cost_of(3.6, 1000, 500);
  const std::vector<Claim> claims = shipped();
  const ClaimVerdict dollar = *judge_claim(claim(claims, "usd-0.65-per-1m"), c, {}, dollars());
  EXPECT_EQ(dollar.reached, Reached::kReached);
  EXPECT_NEAR(*dollar.actual.value, 1.5, 1e-12);
  EXPECT_NEAR(dollar.limit, 0.65 * 7.18, 1e-12);
  EXPECT_EQ(judge_claim(claim(claims, "xiwang-0.01-per-100k"), c, {}, dollars())->reached, Reached::kNotReached);
}

// 2.10 USD = 15.08 yuan; 137 accelerators for 30 s at 13.2 an hour: 15.07.
TEST(Claims, ClipsNeedATime) {
  const Cost c = cost_of(13.2, 1000, 500);
  const std::vector<Claim> claims = shipped();
  const Claim &price = claim(claims, "clip-usd-2.10"), &time = claim(claims, "clip-1080p-under-30-s");
  EXPECT_THAT(judge_claim(price, c, {}, dollars())->reason, HasSubstr("--clip"));
  ClaimEvidence e;
  e.clip_seconds = exact_estimate(30, "reported", "t");
  e.accelerators = 137;
  const ClaimVerdict v = *judge_claim(price, c, e, dollars());
  EXPECT_NEAR(*v.actual.value, 15.07, 0.005);
  EXPECT_EQ(v.reached, Reached::kReached);
  EXPECT_EQ(judge_claim(time, c, e, dollars())->reached, Reached::kReached);
  e.clip_seconds->high = 31;
  EXPECT_EQ(judge_claim(time, c, e, dollars())->reached, Reached::kCannotTell);
}

// A clip composed of records: 480 lines in 20 s support no claim of 1080 lines; 70 s on one accelerator contradict no
// time on an unnamed number of them, ceil(70 / 30) = 3.
TEST(Claims, AComposedClipSaysNoMoreThanItShows) {
  const Cost c = cost_of(13.2, 1000, 500);
  const std::vector<Claim> claims = shipped();
  const Claim& time = claim(claims, "clip-1080p-under-30-s");
  ClaimEvidence e;
  e.clip_seconds = exact_estimate(20, "measured", "t");
  e.clip_height = 480;
  EXPECT_EQ(judge_claim(time, c, e, dollars())->reached, Reached::kCannotTell);
  EXPECT_THAT(judge_claim(time, c, e, dollars())->reason, HasSubstr("480 lines, the claim's 1080"));
  e.clip_height = 1088;
  EXPECT_EQ(judge_claim(time, c, e, dollars())->reached, Reached::kReached);
  e.clip_seconds = exact_estimate(70, "measured", "t");
  EXPECT_EQ(judge_claim(time, c, e, dollars())->reached, Reached::kCannotTell);
  EXPECT_THAT(judge_claim(time, c, e, dollars())->reason, HasSubstr("3 would do"));
}

// 20,000 cached (as misses), 5,000 input, 2,000 output: 25,000 x 1e-6 + 2,000 x 2e-6 = 0.029 yuan; the claim 0.718.
TEST(Claims, TasksAddTheirTokens) {
  const Cost c = cost_of(3.6, 1000, 500);
  const std::vector<Claim> claims = shipped();
  const Claim& task = claim(claims, "task-under-usd-0.10");
  EXPECT_FALSE(judge_claim(task, c, {}, dollars())->actual.value);
  ClaimEvidence e;
  e.task = TokenMix{20000, 5000, 2000, "t"};
  const ClaimVerdict v = *judge_claim(task, c, e, dollars());
  EXPECT_NEAR(*v.actual.value, 0.029, 1e-12);
  EXPECT_NEAR(v.limit, 0.718, 1e-12);
}

TEST(Claims, WhatIsWrongIsNamed) {
  const auto refused = [](const std::string& claim, const std::string& word) {
    const Result<std::vector<Claim>> c = parse_claims(R"({"schema_version": 1, "claims": [)" + claim + "]}", "c.json");
    ASSERT_FALSE(c.ok()) << claim;
    EXPECT_EQ(c.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(c.error().message, HasSubstr("c.json: claims[0]"));
    EXPECT_THAT(c.error().message, HasSubstr(word));
  };
  const std::string rest = R"("id": "a", "text": "t", "source": "s", "grade": "R")";
  refused("{" + rest + R"(, "kind": "token_price", "price": "0.01"})", "0.01 CNY/100k tokens");
  refused("{" + rest + R"(, "kind": "token_price", "price": "2 USD/clip"})", "as the kind says");
  refused("{" + rest + R"(, "kind": "clip_time", "seconds": -3})", "seconds");
  refused("{" + rest + R"(, "kind": "task_price", "amount": 1, "currency": "USD", "height": 720})", "no height");
  refused("{" + rest + R"(, "kind": "rumour"})", "rumour");
  refused("{" + rest + R"(, "kind": "clip_time", "second": 3})", "did you mean 'seconds'");
  EXPECT_FALSE(read_claims("/nowhere.json").ok());
}

}  // namespace
}  // namespace assay
