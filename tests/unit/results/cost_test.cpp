#include "results/metrics/cost.h"

#include <gtest/gtest.h>

#include <cmath>

#include "results/metrics/draw.h"

namespace assay {
namespace {

Estimate exact(double value) { return exact_estimate(value, "reported", "test"); }
Estimate range(double low, double typical, double high) {
  Estimate e = exact(typical);
  e.low = low;
  e.high = high;
  return e;
}

CostInputs rented(double rent, double rate) {
  CostInputs in;
  in.rented = true;
  in.at(CostInput::kRent) = exact(rent);
  in.at(CostInput::kUtilisation) = exact(1);
  in.at(CostInput::kBlendedRate) = exact_estimate(rate, "measured", "test");
  return in;
}

// An H100 at 180,000 yuan: facts C4 (4 years, 8 %, use 0.6, server 1.35, opex 10 %, salvage 10 %, 0.5 yuan/kWh).
CostInputs owned_h100() {
  CostInputs in;
  in.at(CostInput::kChipPrice) = exact(180000);
  in.at(CostInput::kServerFactor) = exact(1.35);
  in.at(CostInput::kLifeYears) = exact(4);
  in.at(CostInput::kDiscountRate) = exact(0.08);
  in.at(CostInput::kSalvageShare) = exact(0.10);
  in.at(CostInput::kOpexShare) = exact(0.10);
  in.at(CostInput::kUtilisation) = exact(0.6);
  in.at(CostInput::kWallKw) = exact(1.73);
  in.at(CostInput::kPue) = exact(1.2);
  in.at(CostInput::kTariff) = exact(0.5);
  in.at(CostInput::kInputRate) = exact_estimate(4030, "measured", "test");
  in.at(CostInput::kOutputRate) = exact_estimate(1850, "measured", "test");
  in.mix = {0.25, 0.5, 0.25, "test"};
  return in;
}

// An annuity: 1 lent at 8 % for 4 years is paid back by 0.3019208 a year (compound interest tables); at 0 % by 1/4.
TEST(Cost, CapitalRecoveryIsTheAnnuity) {
  EXPECT_NEAR(capital_recovery_factor(0.08, 4), 0.3019208, 5e-8);
  EXPECT_DOUBLE_EQ(capital_recovery_factor(0, 4), 0.25);
  EXPECT_NEAR(capital_recovery_factor(1e-9, 4), 0.25, 1e-8);
}

// 243,000 with server; salvage 24,300 x 0.735030 = 17,861; CRF x 225,139 + 24,300 = 92,274 a year over 5,256 h
// = 17.556; power 1.73 x 1.2 x 0.5 = 1.038. Together 18.594: the published illustration prints 18.6.
TEST(Cost, AnOwnedHourIsThePublishedOne) {
  const CostPoint p = typical_point(owned_h100());
  EXPECT_NEAR(owning_per_hour(p), 17.556, 5e-4);
  EXPECT_NEAR(electricity_per_hour(p), 1.038, 1e-12);
  EXPECT_NEAR(cost_per_hour(p, false), 18.6, 0.05);
}

// Idle hours at a quarter of the power, 0.6 of the hours useful: 0.25 x 0.4/0.6 = 1/6 more.
TEST(Cost, IdlePowerIsPaidByTheUsefulHours) {
  CostInputs in = owned_h100();
  in.at(CostInput::kIdlePowerShare) = exact(0.25);
  EXPECT_NEAR(electricity_per_hour(typical_point(in)), 1.038 * (1 + 1.0 / 6), 1e-12);
}

// DeepSeek's day 6: 226.75 nodes of 8 at 2 USD an hour make 87,072 USD a day for 608 G input and 168 G output tokens.
// At 7.18 yuan: 0.80 yuan per 1M tokens within 1 %.
TEST(Cost, DeepSeekDaySix) {
  const double rate = (608e9 + 168e9) / (86400 * 226.75 * 8);
  const Cost c = cost(rented(2 * 7.18, rate));
  EXPECT_NEAR(*c.of(TokenClass::kBlended).value * 1e6, 0.80, 0.80 * 0.01);
  EXPECT_NEAR(*c.of(TokenClass::kBlended).value * 1e6 / 7.18, 87072 / 776e9 * 1e6, 1e-9);
  EXPECT_EQ(c.basis, "measured");
  EXPECT_EQ(c.price_basis, "reported");
}

// The published table of what one accelerator must sustain, in tokens/s, rounded to whole tokens.
TEST(Cost, RequiredRatesAreThePublishedTable) {
  const double rents[] = {1, 2, 3.5, 8, 13.2, 20};
  const double per_1m[] = {27778, 55556, 97222, 222222, 366667, 555556};
  const double per_100k[] = {2778, 5556, 9722, 22222, 36667, 55556};
  const double today[] = {487, 975, 1706, 3899, 6433, 9747};
  for (int i = 0; i < 6; ++i) {
    EXPECT_NEAR(required_tokens_per_s(0.01 / 1e6, rents[i]), per_1m[i], 0.51);
    EXPECT_NEAR(required_tokens_per_s(0.01 / 1e5, rents[i]), per_100k[i], 0.51);
    EXPECT_NEAR(required_tokens_per_s(0.57 / 1e6, rents[i]), today[i], 0.51);
  }
  EXPECT_NEAR(*cost(rented(13.2, 36667)).of(TokenClass::kBlended).value * 1e5, 0.01, 1e-6);
}

// The published ceilings at a PUE of 1.25, rounded as printed.
TEST(Cost, ElectricityCeilingsAreThePublishedTable) {
  EXPECT_NEAR(joules_per_token_ceiling(0.10 / 1e6, 0.30, 1.25), 0.96, 0.005);
  EXPECT_NEAR(joules_per_token_ceiling(0.10 / 1e6, 0.40, 1.25), 0.72, 0.005);
  EXPECT_NEAR(joules_per_token_ceiling(0.10 / 1e6, 0.60, 1.25), 0.48, 0.005);
  EXPECT_NEAR(joules_per_token_ceiling(0.01 / 1e6, 0.40, 1.25), 0.072, 0.0005);
}

// 2.10 USD at 7.18 = 15.08 yuan; at 13.2 an hour that buys 4,112 accelerator-seconds: 137 accelerators for 30 s.
TEST(Cost, AClipOfThePublishedPrice) {
  Amount hour;
  hour.value = 13.2;
  hour.interval = {13.2, 26.4};
  const Amount clip = clip_cost(hour, 137, exact_estimate(30, "measured", "given"));
  EXPECT_NEAR(*clip.value, 15.08, 0.02);
  EXPECT_DOUBLE_EQ(clip.interval.high, 2 * *clip.value);
}

// Of blended tokens, and one number.
double likely(const CostInputs& a, const CostInputs& b) {
  const Probability p = *probability_cheaper(a, b, TokenClass::kBlended);
  EXPECT_FALSE(p.is_range());
  return p.low;
}

// A rent drawn from a symmetric triangle against its middle wins half the time; against 1.5 of [1, 2, 3] the share of
// the triangle below it: (1.5 - 1)^2 / (2 x 1) = 1/8. Two that share every input but a rate 1 % apart move together.
TEST(Cost, HowLikelyItIsTheCheaper) {
  CostInputs wide = rented(2, 1000);
  wide.at(CostInput::kRent) = range(1, 2, 3);
  EXPECT_NEAR(likely(wide, rented(2, 1000)), 0.5, 0.02);
  EXPECT_NEAR(likely(wide, rented(1.5, 1000)), 0.125, 0.01);
  EXPECT_NEAR(likely(rented(1.5, 1000), wide), 0.875, 0.01);
  CostInputs faster = wide;
  faster.at(CostInput::kBlendedRate) = exact_estimate(1010, "measured", "test");
  EXPECT_EQ(likely(faster, wide), 1);
  EXPECT_EQ(likely(wide, wide), 0.5) << "a tie is no win";
  EXPECT_FALSE(probability_cheaper(wide, wide, TokenClass::kOutput)) << "no rate of output tokens";
}

// A rent known to lie from 0.9 to 1.1 and no closer, against a triangle from 0.5 over 1 to 1.5, of which (1.5 - 1.1)^2
// / 0.5 = 32 % lie above 1.1 and 1 - (0.9 - 0.5)^2 / 0.5 = 68 % above 0.9. Against an exact 0.8 or 1.2 it is sure,
// against 1 nothing is.
TEST(Cost, OfAConfidentialStepTheProbabilityIsABound) {
  CostInputs step = rented(1, 1000), wide = rented(1, 1000);
  step.at(CostInput::kRent) = range(0.9, 1, 1.1);
  step.at(CostInput::kRent)->confidential = true;
  wide.at(CostInput::kRent) = range(0.5, 1, 1.5);
  wide.at(CostInput::kRent)->cell = "another";
  const auto p = [](const CostInputs& a, const CostInputs& b) {
    return *probability_cheaper(a, b, TokenClass::kBlended);
  };
  EXPECT_NEAR(p(step, wide).low, 0.32, 0.015);
  EXPECT_NEAR(p(step, wide).high, 0.68, 0.015);
  EXPECT_NEAR(p(wide, step).low, 0.32, 0.015);
  EXPECT_NEAR(p(wide, step).high, 0.68, 0.015);
  EXPECT_EQ(likely(step, rented(1.2, 1000)), 1);
  EXPECT_EQ(likely(step, rented(0.8, 1000)), 0);
  EXPECT_EQ(p(step, rented(1, 1000)).low, 0);
  EXPECT_EQ(p(step, rented(1, 1000)).high, 1);
  EXPECT_EQ(likely(step, step), 0.5) << "one figure, wherever it lies";
  const Interval interval = cost(step).per_hour.interval;
  EXPECT_DOUBLE_EQ(interval.low, 0.9);
  EXPECT_DOUBLE_EQ(interval.high, 1.1);
}

// Two owned chips that share everything but price and power: 100 CNY and no power, or 60 CNY and 1 kW at 1 CNY/kWh. An
// hour of use is price / (8760 x 10) / u and 0 or 1: at 1,752,000 and 876,000 CNY it is 20 / u against 10 / u + 1 x p,
// the same at u p = 10. A price of power known to lie from 15 to 30 and a use from 0.5 to 0.8 leave either the cheaper
// (u p from 7.5 to 24); one from 21 on, only the first.
TEST(Cost, InputsThatBothShareAreAtOneEndOfTheirStepsForBoth) {
  const auto owned = [](double price, double kw) {
    CostInputs in = owned_h100();
    in.at(CostInput::kChipPrice) = exact(price);
    in.at(CostInput::kServerFactor) = exact(1);
    in.at(CostInput::kLifeYears) = exact(10);
    for (const CostInput none : {CostInput::kDiscountRate, CostInput::kSalvageShare, CostInput::kOpexShare})
      in.at(none) = exact(0);
    in.at(CostInput::kPue) = exact(1);
    in.at(CostInput::kWallKw) = exact(kw);
    in.at(CostInput::kUtilisation) = range(0.5, 0.6, 0.8);
    in.at(CostInput::kUtilisation)->confidential = true;
    return in;
  };
  const auto with_tariff = [](CostInputs in, double low) {
    in.at(CostInput::kTariff) = range(low, low, 30);
    in.at(CostInput::kTariff)->confidential = true;
    return in;
  };
  const CostInputs dear = owned(1752000, 0), cheap = owned(876000, 1);
  const auto p = [&](double low) {
    return *probability_cheaper(with_tariff(dear, low), with_tariff(cheap, low), TokenClass::kInput);
  };
  EXPECT_EQ(p(15).low, 0);
  EXPECT_EQ(p(15).high, 1);
  EXPECT_EQ(p(21).low, 1) << "apart, 20 / 0.5 would lie above 10 / 0.8 + 21";
}

// Cached 0.25 at a tenth of a miss, input 0.5, output 0.25: seconds (0.25 x 0.1 + 0.5)/4030 + 0.25/1850.
TEST(Cost, BlendedFollowsTheMix) {
  CostInputs in = owned_h100();
  in.at(CostInput::kCachedCostShare) = exact(0.1);
  const double seconds = 0.525 / 4030 + 0.25 / 1850;
  EXPECT_NEAR(seconds_per_token(typical_point(in), in.mix, TokenClass::kBlended), seconds, 1e-18);
  in.at(CostInput::kCachedCostShare).reset();
  EXPECT_NEAR(seconds_per_token(typical_point(in), in.mix, TokenClass::kBlended), 0.75 / 4030 + 0.25 / 1850, 1e-18)
      << "a hit is charged as a miss";
}

TEST(Cost, WhatIsNotKnownIsAbsentWithItsReason) {
  CostInputs in = owned_h100();
  in.at(CostInput::kInputRate).reset();
  const Cost c = cost(in);
  EXPECT_TRUE(c.of(TokenClass::kOutput).value);
  EXPECT_FALSE(c.of(TokenClass::kInput).value);
  EXPECT_EQ(c.of(TokenClass::kInput).reason, "no rate of input tokens (prefill)");
  EXPECT_FALSE(c.of(TokenClass::kBlended).value);
  EXPECT_EQ(c.headline, TokenClass::kOutput);
  in.at(CostInput::kTariff).reset();
  in.at(CostInput::kOutputRate).reset();
  EXPECT_EQ(missing_cost_inputs(in), "tariff, a rate of tokens");
}

// A rent drawn from the triangle 10, 12, 20: its quantile at p is 10 + sqrt(p x 10 x 2) below the mode's share of 0.2,
// so 2.5 % at 10 + sqrt(0.5) = 10.707; above, 20 - sqrt((1-p) x 10 x 8), so 97.5 % at 20 - sqrt(2) = 18.586.
TEST(Cost, IntervalIsTheQuantilesOfTheDraws) {
  CostInputs in = rented(12, 1000);
  in.at(CostInput::kRent) = range(10, 12, 20);
  CostOptions options;
  options.draws = 40000;
  const Amount hour = cost(in, options).per_hour;
  EXPECT_NEAR(hour.interval.low, 10 + std::sqrt(0.5), 0.03);
  EXPECT_NEAR(hour.interval.high, 20 - std::sqrt(2.0), 0.08);
  EXPECT_DOUBLE_EQ(*hour.value, 12);
}

// A rate of 1000 whose 95 % interval is 900 to 1100, alone: the cost's interval is rent/1100 to rent/900. A 2.5 %
// quantile of 40,000 draws has a standard error of sqrt(0.025 x 0.975/40000)/0.0584 = 0.0134 sigma = 0.07 %: 4 of them,
// 3e-9.
TEST(Cost, AnIntervalOfTheRatePassesThrough) {
  CostInputs in = rented(3.6, 1000);
  in.at(CostInput::kBlendedRate) = range(900, 1000, 1100);
  in.at(CostInput::kBlendedRate)->spread = Spread::kInterval95;
  CostOptions options;
  options.draws = 40000;
  const Amount token = cost(in, options).of(TokenClass::kBlended);
  EXPECT_NEAR(token.interval.low, 3.6 / 3600 / 1100, 3e-9);
  EXPECT_NEAR(token.interval.high, 3.6 / 3600 / 900, 3e-9);
}

// 14.58 yuan an hour of one source and 7.5 of another: the interval of what the first says holds it.
TEST(Cost, AnIntervalHoldsATypicalValueAtTheEndOfItsRange) {
  CostInputs in;
  in.rented = true;
  in.at(CostInput::kRent) = exact_estimate(14.58, "reported", "");
  in.at(CostInput::kRent)->low = 7.5;
  in.at(CostInput::kUtilisation) = exact_estimate(1, "assumed", "");
  const Cost c = cost(in);
  EXPECT_DOUBLE_EQ(c.per_hour.interval.high, 14.58);
  EXPECT_GT(c.per_hour.interval.low, 7.5);
}

TEST(Cost, TheSeedFixesTheDraws) {
  CostInputs in = rented(12, 1000);
  in.at(CostInput::kRent) = range(10, 12, 20);
  const Amount a = cost(in, {7, 1000, 0.95}).per_hour, b = cost(in, {7, 1000, 0.95}).per_hour;
  EXPECT_EQ(a.interval.low, b.interval.low);
  EXPECT_NE(a.interval.low, cost(in, {8, 1000, 0.95}).per_hour.interval.low);
}

// The tariff's swing is 1.73 x 1.2 x 0.2 = 0.4 yuan an hour; the price's, 10 % of 17.556 each way, 3.5.
TEST(Cost, TornadoPutsTheLargestSwingFirst) {
  CostInputs in = owned_h100();
  in.at(CostInput::kTariff) = range(0.4, 0.5, 0.6);
  in.at(CostInput::kChipPrice) = range(162000, 180000, 198000);
  const Cost c = cost(in);
  ASSERT_EQ(c.tornado.size(), 2U);
  EXPECT_EQ(c.tornado[0].input, CostInput::kChipPrice);
  EXPECT_EQ(c.tornado[1].input, CostInput::kTariff);
  const double seconds = seconds_per_token(typical_point(in), in.mix, TokenClass::kBlended);
  EXPECT_NEAR(c.tornado[0].swing(), 2 * 0.1 * 17.556 / 3600 * seconds, 1e-9);
  EXPECT_NEAR(c.tornado[1].swing(), 1.73 * 1.2 * 0.2 / 3600 * seconds, 1e-12);
}

// At the break-even price the cost is the rival's.
TEST(Cost, BreakEvenPriceTiesTheRival) {
  CostInputs in = owned_h100();
  const double rival = 2.5e-6;
  const std::optional<double> price = break_even_chip_price(in, TokenClass::kBlended, rival);
  ASSERT_TRUE(price);
  in.at(CostInput::kChipPrice) = exact(*price);
  EXPECT_NEAR(*cost(in).of(TokenClass::kBlended).value, rival, 1e-18);
  const double floor = *cost(in).floor_of(TokenClass::kBlended).value;
  EXPECT_LT(*break_even_chip_price(in, TokenClass::kBlended, 0.9 * floor), 0) << "not even a gift ties it";
  in.rented = true;
  EXPECT_FALSE(break_even_chip_price(in, TokenClass::kBlended, rival));
}

}  // namespace
}  // namespace assay
