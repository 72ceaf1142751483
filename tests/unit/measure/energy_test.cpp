// Joules over a window from what a sensor said; every expected value by hand.
#include "results/metrics/energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>

namespace assay {
namespace {

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

// A sensor that says something new every 0.1 s, its counter 40 ms after its power, read every 20 ms: 100 W until 0.28
// s, then 200 W. Before its first update, it tells of a time when nothing ran.
std::vector<PowerSample> slow_sensor(double to_s) {
  const auto drawn = [](double t) { return t < 0.28 ? 100 * t : 28 + 200 * (t - 0.28); };
  return sampled(0, to_s, 0.02, [&](double t) {
    const double counted = std::floor((t + 0.02) / 0.1 + 1e-6) * 0.1 - 0.02,
                 told = std::floor((t + 0.06) / 0.1 + 1e-6) * 0.1 - 0.06;
    return PowerSample{0, counted < 0 ? 0 : drawn(counted), told < 0 ? 5 : told < 0.28 ? 100 : 200 + told};
  });
}

// Updates at 0.07, 0.17 .. 0.97 s (half a reading before they are seen), of 8 J at the first and 28 + 200 x 0.7 = 168 J
// at the last; 160 J / 0.9 s = 177.8 W hold for the whole second. A beat of 0.1 s leaves 10 % of what is not idle
// uncertain: (177.8 - 50)/177.8 x 10 %.
TEST(EnergyByCounter, OfASlowSensorIsTheRiseBetweenItsUpdates) {
  const auto slow = slow_sensor(1);
  const WindowEnergy energy = energy_by_counter(slow, at(0), at(1));
  ASSERT_TRUE(energy.joules) << energy.reason;
  EXPECT_NEAR(*energy.joules, 160 / 0.9, 1e-6);
  EXPECT_NEAR(energy_uncertainty(slow, at(0), at(1), 0, 160 / 0.9, 50).total(), 0.1 * (1 - 50 / (160 / 0.9)), 1e-3);
  EXPECT_EQ(energy_by_counter(slow_sensor(0.3), at(0), at(0.3)).reason,
            "only 3 counter updates in 0.3 s; 5 are needed, so 0.5 s: the sensor says something new every 0.1 s");
  EXPECT_TRUE(energy_by_counter(slow, at(0), at(1.1)).joules) << "the next update is a beat away";
  EXPECT_EQ(energy_by_counter(slow, at(0), at(1.2)).code, EnergyCode::kEdge) << "an update is missing";
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

// What an NVIDIA H200 said of itself in 1 s of products of 8192 (ms, J, W): two beats of 0.1 s, 85 ms of them stale.
const std::vector<std::array<double, 3>> kH200{
    {0.0, 0.000, 122.5},     {5.6, 0.000, 122.5},     {29.8, 0.000, 122.5},    {52.6, 0.000, 122.5},
    {75.6, 69.394, 122.5},   {89.9, 69.394, 957.3},   {109.8, 69.394, 957.3},  {130.3, 69.394, 957.3},
    {149.3, 69.394, 957.3},  {169.8, 147.726, 957.3}, {189.3, 147.726, 688.4}, {209.3, 147.726, 688.4},
    {229.3, 147.726, 688.4}, {249.4, 147.726, 688.4}, {270.1, 220.140, 688.4}, {289.3, 220.140, 702.4},
    {309.3, 220.140, 702.4}, {329.3, 220.140, 702.4}, {349.3, 220.140, 702.4}, {370.2, 292.601, 702.4},
    {389.3, 292.601, 759.1}, {409.2, 292.601, 759.1}, {429.3, 292.601, 759.1}, {449.4, 292.601, 759.1},
    {469.3, 366.280, 759.1}, {489.3, 366.280, 694.8}, {509.2, 366.280, 694.8}, {529.3, 366.280, 694.8},
    {549.3, 366.280, 694.8}, {569.8, 439.333, 694.8}, {589.4, 439.333, 671.4}, {609.3, 439.333, 671.4},
    {629.3, 439.333, 671.4}, {649.4, 439.333, 671.4}, {670.2, 510.111, 671.4}, {692.6, 510.111, 749.9},
    {709.9, 510.111, 749.9}, {729.3, 510.111, 749.9}, {749.4, 510.111, 749.9}, {769.4, 584.115, 749.9},
    {789.3, 584.115, 726.8}, {809.3, 584.115, 726.8}, {829.3, 584.115, 726.8}, {849.4, 584.115, 726.8},
    {870.2, 649.772, 726.8}, {893.6, 649.772, 499.2}, {909.9, 649.772, 499.2}, {929.3, 649.772, 499.2},
    {949.4, 649.772, 499.2}, {971.0, 699.909, 499.2}, {989.3, 699.909, 556.8}, {1006.5, 699.909, 556.8}};

Energy of_the_h200(double counter_factor) {
  std::vector<PowerSample> samples;
  samples.reserve(kH200.size());
  for (const auto& [ms, joule, watt] : kH200) samples.push_back({at(ms * 1e-3), counter_factor * joule, watt});
  return energy_of_source("card", samples, 3'646'147, 1'004'591'713, 0);
}

// Its counter rose by 699.909 - 69.394 = 630.515 J from 64.1 ms to 960.2 ms: 703.6 W, 704.3 J in 1.00095 s. By its
// power it is 0.6 % less over the time that both saw; a counter 7 % off is found, one that is 4 % off is not.
TEST(EnergyAudit, ComparesWhatBothSaw) {
  const Energy energy = of_the_h200(1);
  ASSERT_TRUE(energy.joules) << energy.reason;
  EXPECT_NEAR(*energy.joules, 630.515 / 0.8961 * 1.000945566, 0.01);
  EXPECT_TRUE(of_the_h200(1.04).joules && of_the_h200(0.96).joules);
  EXPECT_EQ(of_the_h200(1.07).code, "disagrees");
  EXPECT_EQ(of_the_h200(0.93).code, "disagrees");
}

// Five updates a second of a fast counter, of the last second's mean: 0 s to 1 s tells of before, then 100 W
// throughout.
TEST(EnergyAudit, WhatPowerSaysBeforeItsFirstUpdateIsNotCompared) {
  const auto stale = sampled(0, 3, 0.02, [](double t) {
    return PowerSample{0, 100 * t, t < 0.99 ? 5 : t < 1.99 ? 100 : 101};
  });
  const Energy energy = energy_of_source("card", stale, at(0), at(3), 0);
  ASSERT_TRUE(energy.joules) << energy.reason;
  EXPECT_NEAR(*energy.joules, 300, 1e-6);
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
