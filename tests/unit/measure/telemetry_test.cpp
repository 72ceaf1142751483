// Sampling a device's power while it works: sources in their order, what they say of themselves, and none at all.
#include "harness/measure/telemetry.h"

#include <gmock/gmock.h>

#include <cmath>

#include "harness/measure/clock.h"
#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::HasSubstr;

// A meter that always shows 10 W and counts what that makes.
uint32_t g_valid = ASSAY_T_ENERGY | ASSAY_T_POWER;
uint32_t g_estimated = 0;
uint32_t g_scope = ASSAY_SCOPE_BOARD;
assay_status g_status = ASSAY_OK;
bool g_stuck = false;
double g_factor = 1;  // of the counter
double g_power_w = 10;
double g_beat_s = 0;  // of the counter; 0: it is always new
uint64_t g_throttle = 0;

assay_status read_meter(assay_ctx*, uint32_t device, assay_telemetry* out) {
  out->valid = g_valid;
  out->estimated = g_estimated;
  out->scope = g_scope;
  out->window_ns = 0;
  out->throttle = g_throttle;
  const double t = static_cast<double>(now_ns()) * 1e-9;
  out->energy_j = g_stuck ? 7 : g_factor * 10 * (g_beat_s > 0 ? std::floor(t / g_beat_s) * g_beat_s : t);
  out->power_w = g_power_w + 1e-6 * t;  // never the same to the last digit
  return device == 0 ? g_status : ASSAY_INVALID_ARGUMENT;
}

class Telemetry : public Scratch {
 protected:
  Telemetry() {
    g_valid = ASSAY_T_ENERGY | ASSAY_T_POWER;
    g_estimated = 0;
    g_scope = ASSAY_SCOPE_BOARD;
    g_status = ASSAY_OK;
    g_stuck = false;
    g_beat_s = 0;
    g_factor = 1;
    g_power_w = 10;
    options_.root = {dir_};
    options_.period_ns = 10'000'000;
  }
  Energy over_200_ms(const assay_telemetry_table* table) const {
    TelemetrySampler sampler(table, nullptr, 0, options_);
    sampler.start();
    const uint64_t begin = now_ns();
    sleep_until_ns(begin + 200'000'000);
    const uint64_t end = now_ns();
    sampler.stop();
    return sampler.energy(begin, end);
  }
  TelemetryOptions options_;
  const assay_telemetry_table table_{sizeof(assay_telemetry_table), 0, read_meter};
};

TEST_F(Telemetry, WithoutASourceItSaysWhatWasLookedFor) {
  options_.cpu_device = true;
  const TelemetrySampler sampler(nullptr, nullptr, 0, options_);
  EXPECT_FALSE(sampler.has_source());
  const Energy energy = sampler.energy(0, 1'000'000'000);
  EXPECT_FALSE(energy.joules || energy.watts_mean || energy.idle_watts);
  EXPECT_EQ(energy.source, "none");
  EXPECT_EQ(energy.reason,
            "no energy source; looked for adapter telemetry (the adapter has none), powercap (no /sys/class/powercap)");
}

TEST_F(Telemetry, AnotherDeviceThanTheCpuHasNotThePackagesEnergy) {
  EXPECT_EQ(TelemetrySampler(nullptr, nullptr, 0, options_).energy(0, 1).reason,
            "no energy source; looked for adapter telemetry (the adapter has none)");
}

TEST_F(Telemetry, ATableThatGivesNothingIsNoSource) {
  g_valid = ASSAY_T_TEMP;
  EXPECT_FALSE(TelemetrySampler(&table_, nullptr, 0, options_).has_source());
  g_valid = ASSAY_T_POWER;
  EXPECT_TRUE(TelemetrySampler(&table_, nullptr, 0, options_).has_source());
  EXPECT_FALSE(TelemetrySampler(&table_, nullptr, 3, options_).has_source());
  g_status = ASSAY_UNSUPPORTED;
  EXPECT_THAT(TelemetrySampler(&table_, nullptr, 0, options_).energy(0, 1).reason,
              HasSubstr("adapter telemetry (gives neither power nor energy)"));
  const assay_telemetry_table old{offsetof(assay_telemetry_table, read), 0, read_meter};
  EXPECT_FALSE(TelemetrySampler(&old, nullptr, 0, options_).has_source()) << "beyond the table's own size";
}

// Idle is bit 0 of NVML's mask, which is the power cap's bit of ABI 1.2.
TEST_F(Telemetry, ThrottleBitsBeforeAbi12AreTheVendorsOwn) {
  g_valid |= ASSAY_T_THROTTLE;
  for (const uint64_t mask : {0, 1}) {
    g_throttle = mask;
    for (const bool neutral : {false, true}) {
      options_.neutral_throttle = neutral;
      TelemetrySampler sampler(&table_, nullptr, 0, options_);
      sampler.start();
      sleep_until_ns(now_ns() + 40'000'000);
      sampler.stop();
      EXPECT_EQ(sampler.unread_throttle(), !neutral && mask != 0);
      EXPECT_EQ(!sampler.readings().empty(), neutral);
      if (neutral) {
        EXPECT_EQ(sampler.readings().back().throttle, mask);
      }
    }
  }
  g_throttle = 0;
}

TEST_F(Telemetry, TenWattsAreTenWatts) {
  const Energy energy = over_200_ms(&table_);
  ASSERT_TRUE(energy.watts_mean) << energy.reason;
  EXPECT_NEAR(*energy.watts_mean, 10, 1);  // a reading's own time is known to half its length
  EXPECT_EQ(energy.source, "adapter telemetry (board), energy counter");
}

TEST_F(Telemetry, AnEstimateIsCalledOne) {
  g_estimated = ASSAY_T_ENERGY;
  g_scope = ASSAY_SCOPE_NODE;
  EXPECT_EQ(over_200_ms(&table_).source, "adapter telemetry (node, estimated), energy counter");
}

TEST_F(Telemetry, AStuckCounterOfTheAdapterIsAbsent) {
  g_stuck = true;
  const Energy energy = over_200_ms(&table_);
  EXPECT_FALSE(energy.joules);
  EXPECT_THAT(energy.reason, HasSubstr("the counter is stuck"));
}

// No joules, the code, and no readings that a record could not hold.
TEST_F(Telemetry, ReadingsThatCanNotBeAreNoEnergy) {
  for (const double power : {static_cast<double>(NAN), static_cast<double>(INFINITY), -10.0}) {
    g_power_w = power;
    const Energy energy = over_200_ms(&table_);
    EXPECT_FALSE(energy.joules || energy.watts_mean) << power;
    EXPECT_EQ(energy.code, "impossible");
    EXPECT_THAT(energy.reason, HasSubstr("expected 0 to 1e+07 W"));
    EXPECT_TRUE(energy.samples.empty());
  }
}

// 10 W told as mJ by a counter alone: 10 kW on a board of 75 W, and in kJ: 10 mW.
TEST_F(Telemetry, AnotherUnitIsKnownByTheBoardsPowerLimit) {
  g_valid = ASSAY_T_ENERGY;
  options_.power_limit_w = 75;
  EXPECT_TRUE(over_200_ms(&table_).joules);
  for (const double factor : {1e3, 1e-3}) {
    g_factor = factor;
    const Energy energy = over_200_ms(&table_);
    EXPECT_FALSE(energy.joules) << factor;
    EXPECT_EQ(energy.code, "impossible");
    EXPECT_THAT(energy.reason, HasSubstr("the power limit of 75 W: another unit?"));
    EXPECT_EQ(energy.power_limit_w, 75);
  }
}

TEST_F(Telemetry, IdleWattsOfASourceThatIsCaughtAreNone) {
  g_valid = ASSAY_T_ENERGY;
  options_.power_limit_w = 75;
  for (const double factor : {1.0, 1e3}) {
    g_factor = factor;
    TelemetrySampler sampler(&table_, nullptr, 0, options_);
    sampler.measure_idle(100'000'000);
    sampler.start();
    const uint64_t begin = now_ns();
    sleep_until_ns(begin + 200'000'000);
    const uint64_t end = now_ns();
    sampler.stop();
    EXPECT_EQ(sampler.energy(begin, end).idle_watts.has_value(), factor == 1) << factor;
  }
}

// The CPU's own energy from powercap; here a file that never changes.
TEST_F(Telemetry, AStuckPowercapIsAbsent) {
  file("sys/class/powercap/intel-rapl:0/name", "package-0\n");
  file("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "1000000\n");
  file("sys/class/powercap/intel-rapl:0/energy_uj", "500\n");
  options_.cpu_device = true;
  const Energy energy = over_200_ms(nullptr);
  EXPECT_EQ(energy.source, "powercap (package-0), energy counter");
  EXPECT_FALSE(energy.joules);
  EXPECT_THAT(energy.reason, HasSubstr("the counter is stuck"));
}

TEST_F(Telemetry, IdleWattsAreMeasuredBefore) {
  TelemetrySampler sampler(&table_, nullptr, 0, options_);
  sampler.measure_idle(150'000'000);
  sampler.start();
  const uint64_t begin = now_ns();
  sleep_until_ns(begin + 150'000'000);
  const uint64_t end = now_ns();
  sampler.stop();
  const Energy energy = sampler.energy(begin, end);
  ASSERT_TRUE(energy.idle_watts) << energy.reason;
  EXPECT_NEAR(*energy.idle_watts, 10, 1);
}

// The sensor says something new every 60 ms: five times take longer than the 100 ms asked for.
TEST_F(Telemetry, ASlowSensorsIdleWattsTakeLonger) {
  g_beat_s = 0.06;
  TelemetrySampler sampler(&table_, nullptr, 0, options_);
  sampler.measure_idle(100'000'000);
  const Energy energy = sampler.energy(0, 1);
  ASSERT_TRUE(energy.idle_watts);
  EXPECT_NEAR(*energy.idle_watts, 10, 1);
}

}  // namespace
}  // namespace assay
