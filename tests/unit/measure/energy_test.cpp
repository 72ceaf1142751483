// Joules over a window from what a sensor said; every expected value by hand.
#include "results/metrics/energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace assay {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr uint64_t kSecond = 1'000'000'000;

uint64_t at(double seconds) { return static_cast<uint64_t>(seconds * 1e9); }

std::vector<PowerSample> sampled(double from_s, double to_s, double every_s,
                                 const std::function<PowerSample(double)>& f) {
  std::vector<PowerSample> samples;
  for (int i = 0; from_s + i * every_s <= to_s + 1e-9; ++i) {
    PowerSample s = f(from_s + i * every_s);
    s.t_ns = at(from_s + i * every_s);
    samples.push_back(s);
  }
  return samples;
}
PowerSample joules(double j) { return {0, j, std::nullopt}; }
PowerSample watts(double w) { return {0, std::nullopt, w}; }

TEST(EnergyByCounter, IsTheDifferenceOverTheWindow) {
  const auto ten_watts = sampled(0, 10, 1, [](double t) { return joules(100 + 10 * t); });
  EXPECT_DOUBLE_EQ(*energy_by_counter(ten_watts, at(2), at(8)).joules, 60);
  EXPECT_DOUBLE_EQ(*energy_by_counter(ten_watts, at(2.5), at(7.5)).joules, 50) << "between readings on a line";
}

// A counter that moves once a second, read four times a second: only its steps say when the energy was used.
TEST(EnergyByCounter, OfAStaircaseGoesByItsSteps) {
  const auto stairs = sampled(0, 10, 0.25, [](double t) { return joules(10 * std::floor(t + 1e-9)); });
  EXPECT_NEAR(*energy_by_counter(stairs, at(2.5), at(7.5)).joules, 50, 1e-9);
}

TEST(EnergyByCounter, ThatStandsStillIsStuck) {
  const auto stuck = sampled(0, 10, 1, [](double) { return joules(5); });
  const WindowEnergy energy = energy_by_counter(stuck, at(2), at(8));
  EXPECT_FALSE(energy.joules);
  EXPECT_EQ(energy.reason, "the counter is stuck: it did not move in 7 readings");
}

TEST(EnergyByCounter, ThatGoesBackIsNotBelieved) {
  const auto back = sampled(0, 10, 1, [](double t) { return joules(t < 5 ? 10 * t : 10 * t - 45); });
  const WindowEnergy energy = energy_by_counter(back, at(2), at(8));
  EXPECT_FALSE(energy.joules);
  EXPECT_EQ(energy.reason, "the counter went back, from 40 J to 5 J");
}

TEST(EnergyByCounter, NeedsFiveUpdatesThatReachBothEnds) {
  const auto few = sampled(0, 10, 2.5, [](double t) { return joules(t); });
  EXPECT_THAT(energy_by_counter(few, at(1), at(9)).reason, StartsWith("only 3 counter updates in 8 s; 5 are needed"));
  const auto early_end = sampled(0, 9, 0.5, [](double t) { return joules(t); });
  EXPECT_THAT(energy_by_counter(early_end, at(0), at(10)).reason,
              StartsWith("no reading for 1 s at an end of the 10 s"));
  EXPECT_TRUE(energy_by_counter(early_end, at(0), at(9.4)).joules) << "within 5 %";
  EXPECT_EQ(energy_by_counter(early_end, at(5), at(5)).reason, "the window is empty");
}

// From 0 to 100 W in 10 s: 50 W on the average of any window around 5 s.
TEST(EnergyByPower, IsTheAreaUnderTheLine) {
  const auto ramp = sampled(0, 10, 1, [](double t) { return watts(10 * t); });
  EXPECT_NEAR(*energy_by_power(ramp, at(2), at(8)).joules, 300, 1e-9);
  EXPECT_NEAR(*energy_by_power(ramp, at(2.5), at(7.5)).joules, 250, 1e-9);
}

TEST(EnergyByPower, ASensorThatRepeatsItselfIsStuck) {
  const auto stuck = sampled(0, 10, 0.1, [](double) { return watts(42); });
  EXPECT_THAT(energy_by_power(stuck, at(2), at(8)).reason,
              StartsWith("the sensor is stuck: 42 W in every sample of 6 s"));
  EXPECT_TRUE(energy_by_power(stuck, at(2), at(3.9)).joules) << "under 2 s the same watts may be true";
}

TEST(EnergyByPower, NoHoleIsBridged) {
  auto holed = sampled(0, 10, 0.1, [](double t) { return watts(10 * t); });
  std::erase_if(holed, [](const PowerSample& s) { return s.t_ns > at(4) && s.t_ns < at(6); });
  EXPECT_THAT(energy_by_power(holed, at(0), at(10)).reason, StartsWith("no power sample for 2 s of 10 s"));
}

TEST(EnergyByPower, ASourceThatAveragesTooLongIsRefused) {
  const auto ramp = sampled(0, 10, 1, [](double t) { return watts(10 * t); });
  EXPECT_TRUE(energy_by_power(ramp, at(0), at(10), 5 * kSecond).joules);
  EXPECT_THAT(energy_by_power(ramp, at(0), at(10), 5 * kSecond + 1).reason, StartsWith("the source averages over 5 s"));
}

Energy of_both(double counter_w, double power_w) {
  const auto both = sampled(0, 10, 0.5, [&](double t) {
    return PowerSample{0, counter_w * t, power_w + 0.001 * t};  // moves, so that it is not stuck
  });
  return energy_of_source("card", both, at(0), at(10), 0);
}

// metrics.md: over 5 % between counter and integrated power marks the energy untrusted.
TEST(EnergyAudit, CounterAndPowerMustAgree) {
  const Energy good = of_both(10, 10.3);
  ASSERT_TRUE(good.joules) << good.reason;
  EXPECT_DOUBLE_EQ(*good.joules, 100) << "the counter's";
  EXPECT_DOUBLE_EQ(*good.watts_mean, 10);
  EXPECT_EQ(good.source, "card, energy counter");
  for (const double power : {9.4, 10.6, 0.0}) {
    const Energy bad = of_both(10, power);
    EXPECT_FALSE(bad.joules) << power;
    EXPECT_THAT(bad.reason, StartsWith("untrusted: the counter says 100 J, its own power readings"));
  }
}

TEST(EnergyAudit, PowerAloneIsIntegrated) {
  const Energy energy =
      energy_of_source("card", sampled(0, 10, 0.5, [](double t) { return watts(t); }), at(0), at(10), 0);
  EXPECT_EQ(energy.source, "card, integrated power");
  EXPECT_NEAR(*energy.joules, 50, 1e-9);
}

TEST(EnergyAudit, NothingValidIsAbsent) {
  const Energy energy = energy_of_source("card", {{1, std::nullopt, std::nullopt}}, at(0), at(10), 0);
  EXPECT_FALSE(energy.joules || energy.watts_mean);
  EXPECT_EQ(energy.reason, "card: no valid reading");
}

}  // namespace
}  // namespace assay
