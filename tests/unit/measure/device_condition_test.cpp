// What a device's sensors and set-up say of a run, by hand-made readings.
#include "harness/measure/device_condition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/abi/assay_adapter.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

DeviceReading reading(uint64_t t_ns, uint64_t throttle, double temp_c, double mhz) {
  return {t_ns, temp_c, mhz, std::nullopt, throttle};
}

// Readings at 0, 10, 20, 30 of a timed part from 5 to 35: heat from 10 to 30, the power cap from 20 to 30.
Record hot_run() {
  Record r;
  r.samples.start_ns = {0, 5, 10, 20, 25};
  r.samples.host_ns = {5, 5, 10, 5, 5};
  judge_readings({reading(0, 0, 90, 1980), reading(10, ASSAY_THROTTLE_THERMAL, 60, 1500),
                  reading(20, ASSAY_THROTTLE_THERMAL | ASSAY_THROTTLE_POWER, 70, 1400), reading(30, 0, 65, 1900)},
                 5, 35, &r);
  return r;
}

TEST(DeviceCondition, ThrottledSpansLieOnTheSamplesAxis) {
  const NoiseReport noise = hot_run().noise;
  EXPECT_THAT(noise.throttle_start_ns, ElementsAre(5, 15));
  EXPECT_THAT(noise.throttle_ns, ElementsAre(10, 10));
  EXPECT_THAT(noise.throttle_reasons, ElementsAre(2, 3));
  EXPECT_EQ(noise.values.at("throttled_steps"), 3) << "those from 5, 10 and 20; the last begins as the clocks rise";
}

TEST(DeviceCondition, HeatDisturbsAPowerCapIsWarnedOf) {
  const Record r = hot_run();
  EXPECT_TRUE(r.noise.disturbed);
  EXPECT_THAT(r.noise.causes, ElementsAre("clocks held down by heat 66.7 %"));
  EXPECT_THAT(r.warnings, ElementsAre("clocks held down by power cap 33.3 % of the timed part"));
}

TEST(DeviceCondition, ExtremesAreThoseOfTheTimedPart) {
  const NoiseReport noise = hot_run().noise;
  EXPECT_EQ(noise.values.at("device_temp_c_max"), 70) << "the 90 degrees were before it";
  EXPECT_EQ(noise.values.at("device_temp_c_min"), 60);
  EXPECT_EQ(noise.values.at("device_core_mhz_min"), 1400);
  EXPECT_EQ(noise.values.at("device_core_mhz_max"), 1900);
  EXPECT_EQ(noise.values.count("device_mem_mhz_max"), 0U) << "never read";
}

TEST(DeviceCondition, WithoutThrottlingNothingIsMarked) {
  Record r;
  r.samples.start_ns = {0};
  r.samples.host_ns = {10};
  judge_readings({reading(0, 0, 40, 1980), reading(10, 0, 41, 1980)}, 0, 10, &r);
  EXPECT_FALSE(r.noise.disturbed);
  EXPECT_TRUE(r.noise.throttle_ns.empty());
  EXPECT_TRUE(r.warnings.empty());
}

TEST(DeviceCondition, OthersMarkARunAndEccErrorsFailIt) {
  Record r;
  EXPECT_TRUE(judge_state({{"ecc_uncorrected", "2"}}, {{"ecc_uncorrected", "2"}}, &r).ok());
  EXPECT_FALSE(r.noise.disturbed);
  EXPECT_TRUE(judge_state({{"other_processes", ""}}, {{"other_processes", "7 (x, 1 MiB)"}}, &r).ok());
  EXPECT_THAT(r.noise.causes, ElementsAre("others on the device: 7 (x, 1 MiB)"));
  EXPECT_TRUE(judge_state({}, {{"ecc_uncorrected", "5"}}, &r).ok()) << "how many there were before is unknown";
  EXPECT_TRUE(judge_state({{"ecc_uncorrected", "5"}}, {{"ecc_uncorrected", "0"}}, &r).ok()) << "the driver counts anew";
  const Status ecc = judge_state({{"ecc_uncorrected", "2"}}, {{"ecc_uncorrected", "3"}}, &r);
  ASSERT_FALSE(ecc.ok());
  EXPECT_THAT(ecc.error().message, HasSubstr("2 before, 3 after"));
}

TEST(DeviceCondition, UnknownIsNotNone) {
  const std::string unknown = "unknown, because the library refuses to tell";
  Record r;
  EXPECT_TRUE(judge_state({{"other_processes", unknown}}, {{"other_processes", unknown}}, &r).ok());
  EXPECT_FALSE(r.noise.disturbed);
  EXPECT_THAT(r.warnings, ElementsAre("whether others used the device is " + unknown));
  Record later;
  EXPECT_TRUE(judge_state({{"other_processes", unknown}}, {{"other_processes", "7 (x)"}}, &later).ok());
  EXPECT_THAT(later.noise.causes, ElementsAre("others on the device: 7 (x)"));
}

TEST(DeviceCondition, AMigSliceIsWarnedOf) {
  Record r;
  note_state({{"mig", "on"}, {"other_processes", ""}}, &r);
  EXPECT_EQ(r.environment.at("device_mig"), "on");
  EXPECT_EQ(r.environment.at("device_other_processes"), "none");
  EXPECT_THAT(r.warnings, ElementsAre(HasSubstr("MIG slice")));
}

}  // namespace
}  // namespace assay
