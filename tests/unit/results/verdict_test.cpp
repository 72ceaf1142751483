#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "results/metrics/target.h"

namespace assay {
namespace {

using testing::HasSubstr;

Estimate exact(double value) { return exact_estimate(value, "reported", "test"); }

CostInputs rented(double rent, double rate) {
  CostInputs in;
  in.rented = true;
  in.at(CostInput::kRent) = exact(rent);
  in.at(CostInput::kUtilisation) = exact(1);
  in.at(CostInput::kBlendedRate) = exact(rate);
  return in;
}

CostInputs owned() {
  CostInputs in;
  in.at(CostInput::kChipPrice) = exact(120000);
  in.at(CostInput::kServerFactor) = exact(1.35);
  in.at(CostInput::kLifeYears) = exact(4);
  in.at(CostInput::kDiscountRate) = exact(0.08);
  in.at(CostInput::kSalvageShare) = exact(0.1);
  in.at(CostInput::kOpexShare) = exact(0.1);
  in.at(CostInput::kUtilisation) = exact(0.6);
  in.at(CostInput::kIdlePowerShare) = exact(0.3);
  in.at(CostInput::kWallKw) = exact(1);
  in.at(CostInput::kPue) = exact(1.2);
  in.at(CostInput::kTariff) = exact(0.5);
  in.at(CostInput::kInputRate) = exact(4000);
  in.at(CostInput::kOutputRate) = exact(1500);
  in.at(CostInput::kCachedCostShare) = exact(0.1);
  in.mix = {0.4, 0.4, 0.2, "test"};
  return in;
}

RateLadder ladder() {
  RateLadder out;
  out.saturation.at(CostInput::kInputRate) = 4000;
  out.saturation.at(CostInput::kOutputRate) = 2000;
  out.peak.at(CostInput::kInputRate) = 10000;
  out.peak.at(CostInput::kOutputRate) = 5000;
  out.bound = out.peak;
  return out;
}

double product(const Verdict& v) {
  double out = 1;
  for (const Factor& f : v.waterfall) out *= f.factor;
  return out;
}

double factor(const Verdict& v, const std::string& name) {
  for (const Factor& f : v.waterfall) {
    if (f.name == name) return f.factor;
  }
  return std::nan("");
}

TEST(Target, KeepsItsUnits) {
  const Target t = *parse_target("0.01 CNY/100k tokens", "--target");
  EXPECT_DOUBLE_EQ(t.value, 0.01);
  EXPECT_EQ(t.currency, "CNY");
  EXPECT_DOUBLE_EQ(t.per, 1e5);
  EXPECT_FALSE(t.token_class);
  EXPECT_EQ(t.text(), "0.01 CNY/100K tokens");
  const Target out = *parse_target("$0.65/1M output tokens", "--target");
  EXPECT_EQ(out.currency, "USD");
  EXPECT_EQ(out.token_class, TokenClass::kOutput);
  EXPECT_DOUBLE_EQ(out.per, 1e6);
  EXPECT_DOUBLE_EQ(parse_target("0.57 yuan/1000000 tokens", "t")->per, 1e6);
  EXPECT_TRUE(parse_target("2.10 USD/video", "t")->clips);
}

TEST(Target, ABareNumberIsRefused) {
  for (const char* text : {"0.01", "0.01 CNY", "0.01 CNY/", "0.01/100k tokens", "-1 CNY/1M tokens", "0 CNY/1M tokens",
                           "0.01 CNY/1M apples", "0.01 XYZ/1M tokens", "nan CNY/1M tokens", ""}) {
    const Result<Target> t = parse_target(text, "--target");
    ASSERT_FALSE(t.ok()) << text;
    EXPECT_EQ(t.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(t.error().message, HasSubstr("0.01 CNY/100k tokens")) << text;
  }
}

// 0.8056 yuan per 1M tokens: 8 x over 0.01 per 100K and 80 x over 0.01 per 1M.
TEST(Verdict, DeepSeekIsEightAndEightyTimesOver) {
  const CostInputs in = rented(2 * 7.18, 776e9 / (86400 * 226.75 * 8));
  const Cost c = cost(in);
  const Verdict v = verdict(in, c, TokenClass::kBlended, 0.01 / 1e5, {}, 0.4);
  EXPECT_NEAR(v.gap, 8.0, 0.08);
  EXPECT_EQ(v.reached, Reached::kNotReached);
  EXPECT_NEAR(product(v) / v.gap, 1, 1e-9);
  EXPECT_NEAR(verdict(in, c, TokenClass::kBlended, 0.01 / 1e6, {}, 0.4).gap, 80, 0.8);
}

// Each factor by hand: MFU from the mix's seconds without hits at 10000/5000 and 4000/2000 tokens/s (2.5 in both),
// SLO (0.8/4000 + 0.2/1500) / (0.8/4000 + 0.2/2000) = 3.3333e-4/3e-4, PUE 1.2, tariff 0.5/0.4, cache mix
// (0.44/4000 + 0.2/1500) / (0.8/4000 + 0.2/1500) = 2.43333e-4/3.33333e-4 = 0.73.
TEST(Verdict, WaterfallMultipliesToTheGap) {
  const CostInputs in = owned();
  const Cost c = cost(in);
  const Verdict v = verdict(in, c, TokenClass::kBlended, 1e-7, ladder(), 0.4);
  ASSERT_EQ(v.waterfall.size(), 8U);
  EXPECT_NEAR(product(v) / v.gap, 1, 1e-9);
  EXPECT_NEAR(factor(v, "mfu_mbu"), 2.5, 1e-12);
  EXPECT_NEAR(factor(v, "slo"), 10.0 / 9, 1e-12);
  EXPECT_NEAR(factor(v, "power"), 1.2, 1e-12);
  EXPECT_NEAR(factor(v, "tariff"), 1.25, 1e-12);
  EXPECT_NEAR(factor(v, "cache_mix"), 0.73, 1e-12);
  EXPECT_NEAR(factor(v, "peak"), 1 * 0.4 / 3600 * (0.8 / 10000 + 0.2 / 5000) / 1e-7, 1e-12);
  CostPoint full = typical_point(in);
  full.at(CostInput::kUtilisation) = 1;
  EXPECT_NEAR(factor(v, "utilisation"), cost_per_hour(typical_point(in), false) / cost_per_hour(full, false), 1e-12);
  EXPECT_NEAR(factor(v, "capex"), cost_per_hour(full, false) / (1 * 1.2 * 0.5), 1e-9);
}

// 13.2 yuan an hour at 2 kW: whatever the tariff, the rent is 13.2 / (2 x 0.4) of the power at the reference tariff.
TEST(Verdict, ARentDoesNotFollowTheTariff) {
  CostInputs in = rented(13.2, 1000);
  in.at(CostInput::kWallKw) = exact_estimate(2, "reported", "test");
  in.at(CostInput::kPue) = exact_estimate(1.2, "assumed", "test");
  for (const double tariff : {0.3, 0.9}) {
    in.at(CostInput::kTariff) = exact_estimate(tariff, "assumed", "test");
    const Verdict v = verdict(in, cost(in), TokenClass::kBlended, 1e-7, {}, 0.4);
    EXPECT_NEAR(product(v) / v.gap, 1, 1e-9);
    EXPECT_DOUBLE_EQ(factor(v, "tariff"), 1);
    EXPECT_DOUBLE_EQ(factor(v, "power"), 1);
    EXPECT_NEAR(factor(v, "capex"), 13.2 / 0.8, 1e-9);
  }
}

TEST(Verdict, WithoutPowerOrPeaksTheProductStillHolds) {
  CostInputs in = rented(5, 1000);
  const Verdict v = verdict(in, cost(in), TokenClass::kBlended, 3e-7, {}, 0.4);
  EXPECT_NEAR(product(v) / v.gap, 1, 1e-9);
  EXPECT_DOUBLE_EQ(factor(v, "mfu_mbu"), 1);
}

// Every possible lever, put in alone, brings the cost to the target.
// Whose peak it is: ceilings beside the case are measured like the rates, a datasheet's peak is a projection. Of a cost
// of output tokens only that rate's peak counts.
TEST(Verdict, ThePeaksDenominatorIsNamed) {
  const CostInputs in = owned();
  const auto at = [](const Verdict& v, const char* name) {
    return *std::find_if(v.waterfall.begin(), v.waterfall.end(), [&](const Factor& f) { return f.name == name; });
  };
  RateLadder mixed = ladder();
  mixed.of_datasheet = {CostInput::kInputRate};
  for (const char* name : {"peak", "mfu_mbu"}) {
    const Factor measured = at(verdict(in, cost(in), TokenClass::kOutput, 1e-7, mixed, 0.4), name);
    EXPECT_EQ(measured.basis, "");
    EXPECT_THAT(measured.meaning, HasSubstr("peak rate by the ceilings beside the case, over"));
    const Factor sheet = at(verdict(in, cost(in), TokenClass::kBlended, 1e-7, mixed, 0.4), name);
    EXPECT_EQ(sheet.basis, "projected");
    EXPECT_THAT(sheet.meaning, HasSubstr("peak rate by the datasheet,"));
  }
  EXPECT_EQ(at(verdict(in, cost(in), TokenClass::kBlended, 1e-7, mixed, 0.4), "slo").basis, "");
}

// The measured peak of 2200 is no bound of what the chip can do: the datasheet's 5000 is.
TEST(Verdict, ALeverMayPassTheMeasuredPeakButNotTheDatasheets) {
  const CostInputs in = owned();
  const double now = *cost(in).of(TokenClass::kOutput).value;
  RateLadder both = ladder();
  both.peak.at(CostInput::kOutputRate) = 2200;
  const auto possible = [&](double target) {
    const Verdict v = verdict(in, cost(in), TokenClass::kOutput, target, both, 0.4);
    return std::find_if(v.levers.begin(), v.levers.end(),
                        [](const Lever& l) { return l.input == CostInput::kOutputRate; })
        ->possible;
  };
  EXPECT_TRUE(possible(now / 2)) << "3000 tokens/s";
  EXPECT_FALSE(possible(now / 4)) << "6000 tokens/s";
}

// The peak of one rate says nothing of a cost that rests on two; of output tokens that rate's peak alone counts.
TEST(Verdict, APeakIsKnownWhereEachRateOfTheClassHasOne) {
  const CostInputs in = owned();
  RateLadder partly = ladder();
  partly.peak = CostPoint();
  partly.peak.at(CostInput::kOutputRate) = 5000;
  EXPECT_DOUBLE_EQ(factor(verdict(in, cost(in), TokenClass::kBlended, 1e-7, partly, 0.4), "mfu_mbu"), 1);
  EXPECT_DOUBLE_EQ(factor(verdict(in, cost(in), TokenClass::kInput, 1e-7, partly, 0.4), "mfu_mbu"), 1);
  const Verdict v = verdict(in, cost(in), TokenClass::kOutput, 1e-7, partly, 0.4);
  EXPECT_DOUBLE_EQ(factor(v, "mfu_mbu"), 2.5);
  for (const Lever& l : v.levers) EXPECT_NE(l.input, CostInput::kInputRate) << "no output token rests on it";
}

TEST(Verdict, EachLeverClosesTheGapAlone) {
  const CostInputs in = owned();
  const double target = 0.8 * *cost(in).of(TokenClass::kBlended).value;
  const Verdict v = verdict(in, cost(in), TokenClass::kBlended, target, ladder(), 0.4);
  ASSERT_FALSE(v.levers.empty());
  int possible = 0;
  for (const Lever& l : v.levers) {
    if (!l.possible || l.input == CostInput::kCount) continue;
    CostInputs changed = in;
    changed.at(l.input) = exact(l.needed);
    EXPECT_NEAR(*cost(changed).of(TokenClass::kBlended).value / target, 1, 1e-9) << cost_input_name(l.input);
    ++possible;
  }
  EXPECT_GE(possible, 3);
  CostInputs faster = in;
  faster.at(CostInput::kInputRate) = exact(4000 / 0.8);
  faster.at(CostInput::kOutputRate) = exact(1500 / 0.8);
  EXPECT_NEAR(*cost(faster).of(TokenClass::kBlended).value / target, 1, 1e-9) << "both rates by the gap";
}

const Lever& lever(const Verdict& v, CostInput input) {
  return *std::find_if(v.levers.begin(), v.levers.end(), [&](const Lever& l) { return l.input == input; });
}

// A token takes 0.44/4000 + 0.2/1500 = 2.4333e-4 s. At 0.8 of it 0.44/x = 6.1333e-5 of input alone (7173.9 tokens/s),
// 0.2/x = 8.4667e-5 of output alone (2362.2), or both x 1.25. At half of it output alone takes more (1.3333e-4 of
// 1.2167e-4), of output 0.2/1.1667e-5 = 17143 would do, over its peak of 5000; twice both, 8000 and 3000, is within.
TEST(Verdict, ARateAloneIsAnotherLeverThanBothTogether) {
  const CostInputs in = owned();
  const double now = *cost(in).of(TokenClass::kBlended).value;
  const auto at = [&](double share) { return verdict(in, cost(in), TokenClass::kBlended, share * now, ladder(), 0.4); };
  const Verdict near = at(0.8), half = at(0.5);
  EXPECT_NEAR(lever(near, CostInput::kInputRate).needed, 7173.913, 1e-3);
  EXPECT_NEAR(lever(near, CostInput::kOutputRate).needed, 2362.205, 1e-3);
  EXPECT_NEAR(lever(near, CostInput::kCount).needed, 1.25, 1e-12);
  EXPECT_TRUE(std::isnan(lever(half, CostInput::kInputRate).needed));
  EXPECT_FALSE(lever(half, CostInput::kInputRate).possible);
  EXPECT_NEAR(lever(half, CostInput::kOutputRate).needed, 0.2 / (2.43333333333333333e-4 / 2 - 1.1e-4), 1e-2);
  EXPECT_EQ(lever(half, CostInput::kOutputRate).limit, "over the roofline's peak");
  EXPECT_TRUE(lever(half, CostInput::kCount).possible);
  EXPECT_EQ(lever_name(lever(half, CostInput::kCount)), "both rates");
}

// 0.1 yuan an hour, of which power at 2 x 1.2 x 0.5 = 1.2 would be the owner's loss: half of it is a rent of 0.05.
TEST(Verdict, ARentersTargetIsNotRuledOutByItsOwnersPower) {
  CostInputs in = rented(0.1, 1000);
  in.at(CostInput::kWallKw) = exact(2);
  in.at(CostInput::kPue) = exact(1.2);
  in.at(CostInput::kTariff) = exact(0.5);
  const Verdict v = verdict(in, cost(in), TokenClass::kBlended, 0.05 / 3.6e6, {}, 0.4);
  EXPECT_EQ(v.by_electricity, Reached::kCannotTell);
  EXPECT_TRUE(v.below_owners_power);
  EXPECT_TRUE(lever(v, CostInput::kRent).possible);
  EXPECT_NEAR(lever(v, CostInput::kRent).needed, 0.05, 1e-9);
  EXPECT_FALSE(verdict(in, cost(in), TokenClass::kBlended, 2 / 3.6e6, {}, 0.4).below_owners_power);
}

// Power alone costs 1 x 1.2 x 0.5 = 0.6 yuan an hour (and idle): more than a target of a tenth of it.
TEST(Verdict, ElectricityAloneCanRuleATargetOut) {
  const CostInputs in = owned();
  const Cost c = cost(in);
  const double floor = *c.floor_of(TokenClass::kBlended).value;
  const Verdict below = verdict(in, c, TokenClass::kBlended, floor / 10, ladder(), 0.4);
  EXPECT_EQ(below.by_electricity, Reached::kNotReached);
  for (const Lever& l : below.levers) {
    EXPECT_FALSE(l.possible && l.input == CostInput::kChipPrice);
  }
  EXPECT_EQ(verdict(in, c, TokenClass::kBlended, floor * 1.1, ladder(), 0.4).by_electricity, Reached::kReached);
}

// Only output tokens have a rate: their power alone, 0.6 yuan an hour over 1500 tokens/s, is 1.11e-7 a token (and
// idle). It bounds all tokens from above: over the target it shows nothing, under it that some price reaches the
// target.
TEST(Verdict, AnUpperBoundNeverSaysThatPowerRulesATargetOut) {
  CostInputs in = owned();
  in.at(CostInput::kInputRate).reset();
  const Cost c = cost(in);
  const double floor = *c.floor_of(TokenClass::kOutput).value;
  const Verdict above = verdict(in, c, std::nullopt, floor / 2, ladder(), 0.4);
  EXPECT_TRUE(above.upper_bound);
  EXPECT_EQ(above.by_electricity, Reached::kCannotTell);
  EXPECT_EQ(verdict(in, c, std::nullopt, floor * 1.1, ladder(), 0.4).by_electricity, Reached::kReached);
}

TEST(Verdict, AnIntervalAcrossTheTargetCannotTell) {
  CostInputs in = rented(3.6, 1000);  // 1e-6 a token
  in.at(CostInput::kBlendedRate)->low = 900;
  in.at(CostInput::kBlendedRate)->high = 1100;
  in.at(CostInput::kBlendedRate)->spread = Spread::kInterval95;
  const Cost c = cost(in);
  EXPECT_EQ(verdict(in, c, TokenClass::kBlended, 1.01e-6, {}, 0.4).reached, Reached::kCannotTell);
  EXPECT_EQ(verdict(in, c, TokenClass::kBlended, 1.2e-6, {}, 0.4).reached, Reached::kReached);
  EXPECT_EQ(verdict(in, c, TokenClass::kBlended, 0.8e-6, {}, 0.4).reached, Reached::kNotReached);
  EXPECT_THAT(verdict(in, c, TokenClass::kOutput, 1e-6, {}, 0.4).reason, HasSubstr("output"));
}

}  // namespace
}  // namespace assay
