// What no device gives is no energy: jumps, other units, values that can't be. Expected values by hand.
#include "results/metrics/energy_faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "results/metrics/energy.h"
#include "results/metrics/metrics.h"
#include "results/record_files.h"

namespace assay {
namespace {

using testing::HasSubstr;

constexpr uint64_t kFaultS = 1'000'000'000;

using Reading = std::function<std::optional<double>(double)>;
std::optional<double> silent(double) { return std::nullopt; }

// Every 20 ms for 10 s.
std::vector<PowerSample> every_20_ms(const Reading& counter, const Reading& power) {
  std::vector<PowerSample> out;
  for (uint64_t i = 0; i <= 500; ++i) {
    const double t = static_cast<double>(i) * 0.02;
    out.push_back({i * 20'000'000, counter(t), power(t)});
  }
  return out;
}
double steady(double t) { return 300 * t; }
double jumping(double t) { return steady(t) + (t >= 5 ? 5000 : 0); }

Energy over_8_s(const Reading& counter, const Reading& power, double limit_w = 0,
                const std::string& name = "adapter telemetry (chip)") {
  return energy_of_source(name, every_20_ms(counter, power), kFaultS, 9 * kFaultS, 0, limit_w);
}

void refused(const Energy& energy, const std::string& code, const std::string& words) {
  EXPECT_FALSE(energy.joules || energy.watts_mean) << energy.reason;
  EXPECT_EQ(energy.code, code);
  EXPECT_THAT(energy.reason, HasSubstr(words));
}

// 300 W, and 5,000 J more between two readings of 20 ms: (5,000 + 6) J / 0.02 s = 250,300 W.
TEST(EnergyFaults, ACounterThatJumpsIsNotBelieved) {
  EXPECT_NEAR(*over_8_s(steady, silent, 700).joules, 2400, 1e-6);
  EXPECT_NEAR(*over_8_s(steady, silent).joules, 2400, 1e-6);
  refused(over_8_s(jumping, silent, 700), "jump",
          "the counter jumped by 5006 J in 0.02 s, 2.503e+05 W where the power limit is 700 W");
  refused(over_8_s(jumping, silent), "jump",
          "the counter jumped by 5006 J in 0.02 s, 2.503e+05 W where its other steps are of 300 W");
}

// 50 J of 2,400 J, 2 %, are less than 5 %; the limit is a board's, and a node draws more.
TEST(EnergyFaults, WhatIsNoJump) {
  const auto slight = [](double t) { return steady(t) + (t >= 5 ? 50 : 0); };
  EXPECT_NEAR(*over_8_s(slight, silent, 700).joules, 2450, 1e-6);
  EXPECT_TRUE(over_8_s([](double t) { return 10 * steady(t); }, silent, 700, "adapter telemetry (node)").joules);
  // Bursts: 900 W for 0.1 s of each second, else 100 W.
  const auto bursts = [](double t) { return 100 * t + 80 * std::floor(t) + std::min(80.0, 800 * (t - std::floor(t))); };
  EXPECT_TRUE(over_8_s(bursts, silent, 700).joules) << over_8_s(bursts, silent, 700).reason;
  // A counter of 0.1 s read with up to 15 ms of delay.
  const auto late = [](double t) { return 30 * std::floor(10 * (t - 0.015 * std::abs(std::sin(7 * t))) + 1e-6); };
  EXPECT_TRUE(over_8_s(late, silent, 700).joules) << over_8_s(late, silent, 700).reason;
}

TEST(EnergyFaults, ValuesThatCanNotBeAreNotBelieved) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, infinite, -infinite, -1.0, 1e20}) {
    const auto once = [bad](const std::function<double(double)>& good) {
      return [=](double t) { return t > 4.99 && t < 5.01 ? bad : good(t); };
    };
    refused(over_8_s(once(steady), silent), "impossible", "an energy reading of ");
    refused(over_8_s(silent, once([](double t) { return 300 + t; })), "impossible", "a power reading of ");
  }
}

// 300 W told in mW or mJ are 300,000 W, in kJ 0.3 W.
TEST(EnergyFaults, AnotherUnitIsNotBelieved) {
  const auto milli = [](double t) { return 1e3 * steady(t); };
  const auto kilo = [](double t) { return 1e-3 * steady(t); };
  const auto watts = [](double t) { return 300 + 1e-3 * t; };
  const auto milliwatts = [](double t) { return 1e3 * (300 + 1e-3 * t); };
  refused(over_8_s(milli, silent, 700), "impossible", "3e+05 W on average, over 2 times the power limit of 700 W");
  refused(over_8_s(milli, silent), "impossible", "3e+05 W on average, over 5e+04 W: another unit?");
  refused(over_8_s(kilo, silent, 700), "impossible", "0.3 W on average, under 0.001 of the power limit of 700 W");
  refused(over_8_s(silent, milliwatts, 700), "impossible", "over 2 times the power limit of 700 W: another unit?");
  refused(over_8_s(milli, watts), "disagrees", "untrusted: the counter says 2.4e+06 J, its own power readings 2400 J");
  refused(over_8_s(kilo, watts), "disagrees", "untrusted: the counter says 2.4 J, its own power readings 2400 J");
}

// Power that can't be integrated is held against the counter all the same.
TEST(EnergyFaults, NoPowerSensorHidesACounterInAnotherUnit) {
  const auto kilo = [](double t) { return 1e-3 * steady(t); };
  const auto same = [](double) { return 300; };
  const auto rare = [](double t) { return t > 4 && t < 4.05 ? std::optional<double>(300) : std::nullopt; };
  refused(over_8_s(kilo, same), "disagrees", "the counter says 0.3 W on average, its own power readings 300 to 300 W");
  refused(over_8_s(kilo, rare), "disagrees", "the counter says 0.3 W on average, its own power readings 300 to 300 W");
  EXPECT_TRUE(over_8_s(steady, same).joules && over_8_s(steady, rare).joules) << "and an honest one passes";
  const auto stuck = [](double) { return 280; };
  EXPECT_TRUE(over_8_s(steady, stuck).joules) << "a sensor that stands still is no judge of 7 %";
}

// 50 W with two steps of 0.1 s at 300 W in 8 s: within a limit of 350 W nothing to doubt, over one of 60 W a jump. 3 W
// with one of 20 W in 20 ms: no power that surprises of any device.
TEST(EnergyFaults, WhatADeviceMayDrawIsNoJump) {
  const auto steps = [](double t) {
    return 50 * t + 25 * std::clamp((t - 3) / 0.1, 0.0, 1.0) + 25 * std::clamp((t - 5) / 0.1, 0.0, 1.0);
  };
  EXPECT_TRUE(over_8_s(steps, silent, 350).joules) << over_8_s(steps, silent, 350).reason;
  EXPECT_FALSE(over_8_s([](double t) { return 50 * t + (t > 5 ? 25 : 0); }, silent, 60).joules);
  const auto idle = [](double t) { return 3 * t + 1.5 * (t > 5 ? 1 : 0); };
  EXPECT_TRUE(over_8_s(idle, silent).joules) << over_8_s(idle, silent).reason;
}

TEST(EnergyFaults, AReadingOutsideTheWindowSpoilsNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto before = [nan](double t) { return t < 0.5 ? nan : steady(t); };
  const Energy e = over_8_s(before, silent, 700);
  ASSERT_TRUE(e.joules) << e.reason;
  EXPECT_NEAR(*e.joules, 2400, 1e-6);
}

// From the counter to the table: no joules per token, and the record says why, again after a way through JSON.
TEST(EnergyFaults, AJumpIsNoJoulesPerToken) {
  Record r;
  r.basis = "measured";
  r.status = "ok";
  r.tokens_per_step = 10;
  r.samples.host_ns.assign(100, 80'000'000);
  for (uint64_t i = 0; i < 100; ++i) r.samples.start_ns.push_back(i * 80'000'000);
  r.energy = over_8_s(steady, silent, 700);
  EXPECT_DOUBLE_EQ(*metrics(r).joules_per_token, 2.4);
  r.energy = over_8_s(jumping, silent, 700);
  r.energy.window_start_ns = kFaultS;
  r.energy.window_end_ns = 9 * kFaultS;
  r.energy.samples = every_20_ms(jumping, silent);
  const Result<Record> back = record_from_json(record_to_json(r), "r");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_FALSE(metrics(*back).joules_per_token);
  EXPECT_THAT(energy_figures(*back).reason, HasSubstr("the counter jumped"));
  EXPECT_EQ(energy_again(back->energy).code, "jump") << "the limit is kept, too";
}

// What an H200 of 700 W told in real runs stays believed, by its counter alone, too.
TEST(EnergyFaults, ARealDevicesEnergyIsBelieved) {
  const Result<std::vector<std::filesystem::path>> files =
      record_files(std::string(ASSAY_SOURCE_DIR) + "/results/published/2026-11-26-h200");
  ASSERT_TRUE(files.ok()) << files.error().message;
  size_t trusted = 0;
  for (const std::filesystem::path& file : *files) {
    const Result<Record> r = read_record(file);
    ASSERT_TRUE(r.ok()) << r.error().message;
    if (r->energy.code != "trusted") continue;
    ++trusted;
    for (const std::optional<double>& limit : {std::optional<double>(), std::optional<double>(700)}) {
      Energy energy = r->energy;
      energy.power_limit_w = limit;
      const Energy both = energy_again(energy);
      EXPECT_EQ(both.code, "trusted") << file << ": " << both.reason;
      for (PowerSample& s : energy.samples) s.power_w.reset();
      const Energy alone = energy_again(energy);
      EXPECT_EQ(alone.code, "trusted") << file << ": " << alone.reason;
    }
  }
  EXPECT_GT(trusted, 0u);
}

}  // namespace
}  // namespace assay
