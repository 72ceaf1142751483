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

PricedSubject subject(const std::string& product, const std::string& model, double params) {
  PricedSubject of;
  of.subject.product = product;
  of.subject.model = model;
  of.subject.params = params;
  return of;
}

const PricedSubject kH200of70b = subject("NVIDIA H200", "llama-3.1-70b", 70.6e9);

PriceBook book() {
  PriceBook out = *read_price_book(ASSAY_SOURCE_DIR "/results/prices/shipped.json");
  out.fx = dollars().fx;
  return out;
}

Claim one(const std::string& fields) {
  const Result<std::vector<Claim>> claims = parse_claims(
      R"({"schema_version": 1, "claims": [{"id": "a", "text": "t", "source": "s", "grade": "R", )" + fields + "}]}",
      "c");
  EXPECT_TRUE(claims.ok()) << (claims.ok() ? "" : claims.error().message);
  return claims.ok() ? claims->front() : Claim{};
}

// 3.6 yuan an hour at 1000 and 500 tokens/s: 1 and 2 yuan per 1M, 1.5 blended; 0.65 USD are 4.667 yuan.
TEST(Claims, TokenPricesBothWays) {
  const Cost c = cost_of(3.6, 1000, 500);
  const ClaimVerdict dollar = *judge_claim(claim(shipped(), "usd-0.65-per-1m"), kH200of70b, c, {}, book());
  EXPECT_TRUE(dollar.speaks) << dollar.reason;
  EXPECT_EQ(dollar.reached, Reached::kReached);
  EXPECT_NEAR(*dollar.actual.value, 2, 1e-12) << "of output tokens, as its note says";
  EXPECT_NEAR(dollar.limit, 0.65 * 7.18, 1e-12);
  const Claim yuan =
      one(R"("kind": "token_price", "price": "0.01 CNY/100k tokens", "chip": "h200", "model": "llama-3.1")");
  const ClaimVerdict v = *judge_claim(yuan, kH200of70b, c, {}, book());
  EXPECT_TRUE(v.speaks) << v.reason;
  EXPECT_NEAR(*v.actual.value, 1.5, 1e-12);
  EXPECT_EQ(v.reached, Reached::kNotReached);
}

// Another chip, another vendor's, another model: nothing is said, and what it would take is.
TEST(Claims, OnlyRecordsOfItsChipAndModelSpeakToAClaim) {
  const Cost c = cost_of(3.6, 1000, 500);
  const std::vector<Claim> claims = shipped();
  const auto why = [&](const std::string& id, const PricedSubject& of) {
    const ClaimVerdict v = *judge_claim(claim(claims, id), of, c, {}, book());
    EXPECT_FALSE(v.speaks) << id;
    EXPECT_EQ(v.reached, Reached::kCannotTell) << id;
    return v.reason;
  };
  const PricedSubject toy = subject("NVIDIA H200", "smollm2-135m", 1.35e8);
  EXPECT_EQ(why("usd-0.65-per-1m", toy), "it needs records of a model of 70B parameters");
  EXPECT_THAT(why("qihang-s3-0.01-per-1m", kH200of70b), HasSubstr("records of the chip Qihang S3"));
  EXPECT_THAT(why("xiwang-0.01-per-100k", kH200of70b), HasSubstr("records of a chip by Sunrise"));
  EXPECT_THAT(why("today-0.57-per-1m", kH200of70b), HasSubstr("of which model it is isn't stated"));
  EXPECT_THAT(why("usd-0.72-per-1m", kH200of70b), HasSubstr("of which chip it is isn't stated"));
  const Claim named =
      one(R"("kind": "token_price", "price": "1 CNY/1M tokens", "chip": "Qihang S3", "model": "llama-3.1-70b")");
  EXPECT_TRUE(judge_claim(named, subject("Sunrise QIHANG-S3", "llama-3.1-70b", 7e10), c, {}, book())->speaks);
  EXPECT_FALSE(judge_claim(named, subject("Sunrise Qihang S2", "llama-3.1-70b", 7e10), c, {}, book())->speaks);
  EXPECT_FALSE(judge_claim(named, subject("Qihang S3", "llama-3.1-8b", 8e9), c, {}, book())->speaks);
  EXPECT_FALSE(judge_claim(named, subject("Qihang S3", "llama-3.1-70bx", 7e10), c, {}, book())->speaks);
  const Claim vendors = one(R"("kind": "token_price", "price": "1 CNY/1M tokens", "vendor": "Huawei", "params": 7e10)");
  EXPECT_TRUE(judge_claim(vendors, subject("Ascend 910C", "x", 7.6e10), c, {}, book())->speaks);
  EXPECT_FALSE(judge_claim(vendors, subject("NVIDIA H200", "x", 7e10), c, {}, book())->speaks);
  EXPECT_FALSE(judge_claim(vendors, subject("Ascend 910C", "x", 7.8e10), c, {}, book())->speaks) << "over a tenth";
}

// A source that names no chip is of the one that --chip says; one chip's rates at another's prices are no chip's cost.
TEST(Claims, TheChipIsTheOneOfTheRatesAndThePrices) {
  const Cost c = cost_of(3.6, 1000, 500);
  const std::string price = R"("kind": "token_price", "price": "9 CNY/1M tokens", "params": 7e10, )";
  const Claim h200 = one(price + R"("chip": "h200")"), market = one(price + R"("market": true)");
  PricedSubject unnamed = subject("", "m", 7e10);
  EXPECT_FALSE(judge_claim(h200, unnamed, c, {}, book())->speaks);
  unnamed.chip = *find_chip(book(), "h200");
  EXPECT_TRUE(judge_claim(h200, unnamed, c, {}, book())->speaks);
  PricedSubject mixed = subject("NVIDIA H200", "m", 7e10);
  mixed.of_another_chip = true;
  for (const Claim& of : {h200, market})
    EXPECT_THAT(judge_claim(of, mixed, c, {}, book())->reason, HasSubstr("at the prices of another"));
}

// Output tokens alone are no cost of all tokens.
TEST(Claims, TheClassOfTokensIsTheClaims) {
  const Claim all = one(R"("kind": "token_price", "price": "9 CNY/1M tokens", "market": true, "params": 7e10)");
  const Claim output =
      one(R"("kind": "token_price", "price": "9 CNY/1M output tokens", "market": true, "params": 7e10)");
  CostInputs in;
  in.rented = true;
  in.at(CostInput::kRent) = exact_estimate(3.6, "reported", "t");
  in.at(CostInput::kUtilisation) = exact_estimate(1, "assumed", "t");
  in.at(CostInput::kOutputRate) = exact_estimate(500, "measured", "t");
  in.mix = {0, 0.5, 0.5, "t"};
  const Cost c = cost(in);
  EXPECT_FALSE(judge_claim(all, kH200of70b, c, {}, book())->speaks);
  EXPECT_TRUE(judge_claim(output, kH200of70b, c, {}, book())->speaks);
  EXPECT_THAT(judge_claim(output, kH200of70b, c, {}, book())->reason, HasSubstr("in the market"));
}

// 2.10 USD = 15.08 yuan; 137 accelerators for 30 s at 13.2 an hour: 15.07.
TEST(Claims, ClipsNeedATime) {
  const Cost c = cost_of(13.2, 1000, 500);
  const Claim price = one(R"("kind": "clip_price", "price": "2.10 USD/clip", "market": true, "model": "vidu")");
  const Claim time = one(R"("kind": "clip_time", "seconds": 30, "market": true, "model": "vidu")");
  EXPECT_THAT(judge_claim(price, kH200of70b, c, {}, book())->reason, HasSubstr("--clip"));
  ClaimEvidence e;
  e.clip_seconds = exact_estimate(30, "reported", "t");
  e.accelerators = 137;
  const ClaimVerdict v = *judge_claim(price, kH200of70b, c, e, book());
  EXPECT_NEAR(*v.actual.value, 15.07, 0.005);
  EXPECT_EQ(v.reached, Reached::kReached);
  EXPECT_EQ(judge_claim(time, kH200of70b, c, e, book())->reached, Reached::kReached);
  e.clip_seconds->high = 31;
  EXPECT_EQ(judge_claim(time, kH200of70b, c, e, book())->reached, Reached::kCannotTell);
  EXPECT_FALSE(judge_claim(claim(shipped(), "clip-usd-2.10"), kH200of70b, c, e, book())->speaks) << "of no stated chip";
}

// A clip composed of records: 480 lines in 20 s support no claim of 1080 lines; 70 s on one accelerator contradict no
// time on an unnamed number of them, ceil(70 / 30) = 3; a clip of another model says nothing.
TEST(Claims, AComposedClipSaysNoMoreThanItShows) {
  const Cost c = cost_of(13.2, 1000, 500);
  const Claim time = one(R"("kind": "clip_time", "seconds": 30, "height": 1080, "market": true, "model": "vidu")");
  const PricedSubject vidu = subject("NVIDIA H200", "vidu-class-1080p-vae16", 0);
  ClaimEvidence e;
  e.clip_seconds = exact_estimate(20, "measured", "t");
  e.clip_height = 480;
  EXPECT_EQ(judge_claim(time, vidu, c, e, book())->reached, Reached::kCannotTell);
  EXPECT_THAT(judge_claim(time, vidu, c, e, book())->reason, HasSubstr("480 lines, the claim's 1080"));
  e.clip_height = 1088;
  EXPECT_EQ(judge_claim(time, vidu, c, e, book())->reached, Reached::kReached);
  EXPECT_FALSE(judge_claim(time, subject("NVIDIA H200", "wan2.1-14b", 0), c, e, book())->speaks);
  e.clip_seconds = exact_estimate(70, "measured", "t");
  EXPECT_EQ(judge_claim(time, vidu, c, e, book())->reached, Reached::kCannotTell);
  EXPECT_THAT(judge_claim(time, vidu, c, e, book())->reason, HasSubstr("3 would do"));
}

// 20,000 cached (as misses), 5,000 input, 2,000 output: 25,000 x 1e-6 + 2,000 x 2e-6 = 0.029 yuan; the claim 0.718.
// Judged where the claim says what a task is; of a task of the reader's own the cost is shown.
TEST(Claims, TasksAddTheirTokens) {
  const Cost c = cost_of(3.6, 1000, 500);
  const std::string fields =
      R"("kind": "task_price", "amount": 0.1, "currency": "USD", "market": true, "params": 7e10)";
  const Claim open = one(fields);
  const Claim stated = one(fields + R"(, "task": {"cached": 20000, "input": 5000, "output": 2000})");
  EXPECT_FALSE(judge_claim(open, kH200of70b, c, {}, book())->speaks);
  EXPECT_THAT(judge_claim(open, kH200of70b, c, {}, book())->reason, HasSubstr("what a task is isn't stated"));
  const ClaimVerdict v = *judge_claim(stated, kH200of70b, c, {}, book());
  EXPECT_NEAR(*v.actual.value, 0.029, 1e-12);
  EXPECT_NEAR(v.limit, 0.718, 1e-12);
  EXPECT_EQ(v.reached, Reached::kReached);
  ClaimEvidence e;
  e.task = TokenMix{20000, 5000, 2000, "t"};
  const ClaimVerdict own = *judge_claim(open, kH200of70b, c, e, book());
  EXPECT_NEAR(*own.actual.value, 0.029, 1e-12);
  EXPECT_EQ(own.reached, Reached::kCannotTell);
  EXPECT_THAT(own.reason, HasSubstr("--task is of yours"));
  e.task = TokenMix{0, 0, 1e9, "t"};
  EXPECT_NEAR(*judge_claim(stated, kH200of70b, c, e, book())->actual.value, 0.029, 1e-12) << "its own task counts";
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
  const std::string token = "{" + rest + R"(, "kind": "token_price", "price": "1 CNY/1M tokens", )";
  refused(token + R"("chip": "H200", "market": true})", "one of chip and market, found both");
  refused(token + R"("chip": "H200", "vendor": "NVIDIA"})", "one of chip and vendor, found both");
  refused(token + R"("vendor": "NVIDIA", "market": true})", "one of vendor and market, found both");
  refused(token + R"("model": "x", "params": 7e9})", "one of model and params, found both");
  refused(token + R"("params": 70})", "params");
  refused(token + R"("chip": ""})", "a chip's name");
  refused(token + R"("task": {"input": 5}})", "not of a task");
  const std::string task = "{" + rest + R"(, "kind": "task_price", "amount": 1, "currency": "USD", "task": )";
  refused(task + R"({"cached": 0}})", "tokens of a task, found none");
  refused(task + R"({"inputs": 5}})", "did you mean 'input'");
  refused("{" + rest + R"(, "kind": "clip_time", "second": 3})", "did you mean 'seconds'");
  EXPECT_FALSE(read_claims("/nowhere.json").ok());
}

}  // namespace
}  // namespace assay
