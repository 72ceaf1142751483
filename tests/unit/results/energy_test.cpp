#include "results/metrics/energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "results/metrics/metrics.h"

namespace assay {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMs = 1'000'000, kS = 1'000'000'000;

// A reading every step_ms from 0 to end_ms; what is not given is not read.
template <typename Power, typename Counter>
std::vector<PowerSample> readings(uint64_t end_ms, uint64_t step_ms, const Power& power, const Counter& counter) {
  std::vector<PowerSample> out;
  for (uint64_t t = 0; t <= end_ms; t += step_ms) out.push_back({t * kMs, counter(t / 1e3), power(t / 1e3)});
  return out;
}
std::optional<double> none(double) { return std::nullopt; }

// Power 100 + 20 t W from t = 0.25 to 9.75 s: 100 x 9.5 + 10 x (9.75^2 - 0.25^2) = 1900 J, exactly by trapezoids; the
// window's ends lie between samples.
TEST(Energy, TrapezoidsInsideTheWindowOnly) {
  const auto samples = readings(
      10000, 100, [](double t) { return std::optional<double>(100 + 20 * t); }, none);
  const WindowEnergy e = energy_by_power(samples, 250 * kMs, 9750 * kMs);
  ASSERT_TRUE(e.joules) << e.reason;
  EXPECT_NEAR(*e.joules, 1900, 1e-9);
  EXPECT_EQ(e.code, EnergyCode::kTrusted);
}

// A burst of 10,000 W before the window must not enter it.
TEST(Energy, WhatIsOutsideTheWindowDoesNotCount) {
  auto samples = readings(
      10000, 100, [](double t) { return std::optional<double>(100 + 1e-3 * std::sin(t)); }, none);
  for (PowerSample& s : samples) {
    if (s.t_ns < 2 * kS) s.power_w = 10000;
  }
  EXPECT_NEAR(*energy_by_power(samples, 3 * kS, 9 * kS).joules, 600, 0.01);
}

// 50 W by a counter that moves each 100 ms: 50 x 8 s.
TEST(Energy, CounterByItsMoves) {
  const auto samples =
      readings(10000, 20, none, [](double t) { return std::optional<double>(5 * std::floor(t * 10 + 1e-9)); });
  const WindowEnergy e = energy_by_counter(samples, 1 * kS, 9 * kS);
  ASSERT_TRUE(e.joules) << e.reason;
  EXPECT_NEAR(*e.joules, 400, 0.5);
}

TEST(Energy, EachReasonHasItsCode) {
  const auto watts = [](double w) { return [w](double) { return std::optional<double>(w); }; };
  const auto wave = [](double t) { return std::optional<double>(100 + std::sin(t)); };
  EXPECT_EQ(energy_by_power(readings(10000, 100, watts(70.2), none), kS, 9 * kS).code, EnergyCode::kStuck);
  EXPECT_EQ(energy_by_power(readings(10000, 5000, wave, none), kS, 9 * kS).code, EnergyCode::kTooFew);
  EXPECT_EQ(energy_by_power(readings(10000, 100, wave, none), kS, 12 * kS).code, EnergyCode::kEdge);
  EXPECT_EQ(energy_by_power(readings(10000, 100, wave, none), kS, kS).code, EnergyCode::kEmptyWindow);
  EXPECT_EQ(energy_by_power(readings(10000, 100, wave, none), kS, 9 * kS, 5 * kS).code, EnergyCode::kAveraging);
  auto gap = readings(10000, 100, wave, none);
  gap.erase(gap.begin() + 40, gap.begin() + 60);
  EXPECT_EQ(energy_by_power(gap, kS, 9 * kS).code, EnergyCode::kGap);
  EXPECT_EQ(energy_by_counter(readings(10000, 100, none, watts(5)), kS, 9 * kS).code, EnergyCode::kStuck);
  EXPECT_EQ(
      energy_by_counter(readings(10000, 100, none, [](double t) { return std::optional<double>(-t); }), kS, 9 * kS)
          .code,
      EnergyCode::kWentBack);
  EXPECT_EQ(energy_of_source("adapter", {}, kS, 2 * kS, 0).code, "no-source");
}

// A counter that runs 4 % fast passes the audit of 5 %, one of 6 % does not.
TEST(Energy, CounterIsHeldAgainstPower) {
  const auto made = [](double factor) {
    return readings(
        10000, 100, [](double t) { return std::optional<double>(100 + std::sin(t)); },
        [=](double t) { return std::optional<double>(factor * (100 * t + 1 - std::cos(t))); });
  };
  const Energy close = energy_of_source("adapter telemetry (chip)", made(1.04), kS, 9 * kS, 0);
  ASSERT_TRUE(close.joules) << close.reason;
  EXPECT_EQ(close.code, "trusted");
  EXPECT_EQ(close.source, "adapter telemetry (chip), energy counter");
  const Energy far = energy_of_source("adapter telemetry (chip)", made(1.06), kS, 9 * kS, 0);
  EXPECT_FALSE(far.joules);
  EXPECT_EQ(far.code, "disagrees");
  EXPECT_THAT(far.reason, HasSubstr("untrusted"));
}

// Samples 100 ms apart over 8 s at 300 W, 100 W idle: 2 x 0.05/8 x 200/300 = 0.83 %. A straight line has no error of
// sampling; a meter of 1 % adds in quadrature.
TEST(Energy, UncertaintyTermsInQuadrature) {
  const auto samples = readings(
      10000, 100, [](double t) { return std::optional<double>(300 + 0.1 * t); }, none);
  const EnergyUncertainty u = energy_uncertainty(samples, kS, 9 * kS, 0, 300, 100, 0.01);
  EXPECT_NEAR(u.alignment, 2 * 0.05 / 8 * 200 / 300, 1e-9);
  EXPECT_NEAR(u.sampling, 0, 1e-9);
  EXPECT_NEAR(u.total(), std::hypot(0.01, u.alignment), 1e-9);
  EXPECT_NEAR(energy_uncertainty(samples, kS, 9 * kS, kS, 300, 100).alignment, 2 * 0.5 / 8 * 200 / 300, 1e-9);
}

// Power t^2: trapezoids of step h over [1, 9] err by 8 h^2/6 J; half the samples err by four times that, so that a
// third of the difference is the error of all of them.
TEST(Energy, SamplingErrorIsThatOfTheTrapezoids) {
  const auto samples = readings(
      10000, 100, [](double t) { return std::optional<double>(t * t); }, none);
  const double exact = (729.0 - 1) / 3, error = 8 * 0.1 * 0.1 / 6;
  EXPECT_NEAR(*energy_by_power(samples, kS, 9 * kS).joules, exact + error, 1e-6);
  EXPECT_NEAR(energy_uncertainty(samples, kS, 9 * kS, 0, exact / 8, 0).sampling, error / exact, 0.02 * error / exact);
}

Record run_of(double joules) {
  Record r;
  r.status = "ok";
  r.tokens_per_step = 10;
  r.samples.host_ns.assign(100, 80 * kMs);
  for (uint64_t i = 0; i < 100; ++i) r.samples.start_ns.push_back(i * 80 * kMs);
  r.energy.joules = joules;
  r.energy.watts_mean = joules / 8;
  r.energy.idle_watts = joules / 8 / 4;
  r.energy.uncertainty_j = 0.02 * joules;
  r.energy.code = "trusted";
  return r;
}

// 2400 J over 1000 tokens; a quarter of the power is idle.
TEST(Energy, PerTokenGrossAndNet) {
  const EnergyFigures f = energy_figures(run_of(2400));
  EXPECT_DOUBLE_EQ(*f.joules_per_token, 2.4);
  EXPECT_DOUBLE_EQ(*f.net_joules_per_token, 1.8);
  EXPECT_DOUBLE_EQ(*f.tokens_per_joule, 1 / 2.4);
  EXPECT_DOUBLE_EQ(*f.relative_uncertainty, 0.02);
  Record absent = run_of(1);
  absent.energy.joules.reset();
  EXPECT_FALSE(energy_figures(absent).joules_per_token);
  Record stuck = run_of(2400);
  stuck.energy.code = "stuck";
  EXPECT_FALSE(energy_figures(stuck).joules_per_token);
  EXPECT_EQ(energy_figures(stuck).reason, "untrusted: stuck");
  EXPECT_FALSE(metrics(stuck).joules_per_token) << "the same rule in every table";
  Record part = run_of(2400);
  part.extrapolation = Extrapolation{};
  part.extrapolation->layers_run = 2;
  part.extrapolation->layers_total = 24;
  EXPECT_FALSE(energy_figures(part).joules_per_token) << "joules of 2 of 24 layers are not those of the model";
  Record failed = run_of(2400);
  failed.status = "failed";
  EXPECT_FALSE(energy_figures(failed).joules_per_token);
}

TEST(Energy, SourcesInOrderOfTrust) {
  EXPECT_EQ(energy_source("wall analyser, integrated power"), EnergySource::kWall);
  EXPECT_EQ(energy_source("BMC (Redfish), integrated power"), EnergySource::kBmc);
  EXPECT_EQ(energy_source("powercap (package-0), energy counter"), EnergySource::kCounter);
  EXPECT_EQ(energy_source("adapter telemetry (chip), integrated power"), EnergySource::kPower);
  EXPECT_EQ(energy_source("none"), EnergySource::kNone);
  EXPECT_LT(EnergySource::kWall, EnergySource::kBmc);
  EXPECT_TRUE(sees_whole_machine("adapter telemetry (node), integrated power"));
  EXPECT_FALSE(sees_whole_machine("adapter telemetry (chip), energy counter"));
}

// What the record keeps is enough to say the same again, after a way through JSON.
TEST(Energy, TheRecordsSamplesGiveTheSameEnergy) {
  const auto samples = readings(
      10000, 100, [](double t) { return std::optional<double>(std::round(1e5 + 1e3 * t) / 1e3); },
      [](double t) { return std::optional<double>(100 * t + 0.5 * t * t); });
  Record r;
  r.basis = "measured";
  r.status = "ok";
  r.energy = energy_of_source("adapter telemetry (node)", samples, kS, 9 * kS, 20 * kMs);
  r.energy.idle_watts = 40;
  r.energy.window_start_ns = kS;
  r.energy.window_end_ns = 9 * kS;
  r.energy.samples = samples;
  r.energy.uncertainty_j = energy_again(r.energy).uncertainty_j;
  const Result<Record> back = record_from_json(record_to_json(r), "r");
  ASSERT_TRUE(back.ok()) << back.error().message;
  ASSERT_EQ(back->energy.samples.size(), samples.size());
  EXPECT_DOUBLE_EQ(*back->energy.samples[7].power_w, *samples[7].power_w);
  const Energy again = energy_again(back->energy);
  EXPECT_EQ(again.source, r.energy.source);
  EXPECT_EQ(again.code, "trusted");
  EXPECT_NEAR(*again.joules, *r.energy.joules, 1e-6);
  EXPECT_NEAR(*again.uncertainty_j, *r.energy.uncertainty_j, 1e-6);
}

}  // namespace
}  // namespace assay
