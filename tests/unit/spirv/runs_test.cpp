// Level Zero as a user of the command meets it: whole runs, and what is said of drivers and devices. The loader and its
// validation layer are the system's, the driver is the stand-in.
#include "results/record.h"
#include "tests/support/command_line.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class LevelZeroRuns : public CommandLine {
 protected:
  // With these drivers, faults of theirs and layers of the loader.
  [[nodiscard]] Outcome with(const std::string& drivers, const std::string& faults,
                             const std::string& arguments) const {
    return shell("ZE_ENABLE_ALT_DRIVERS='" + drivers + "' ASSAY_STANDIN_FAULTS='" + faults +
                 "' " ASSAY_BINARY_DIR "/bin/assay " + arguments);
  }
  // The record of one small step on the first device.
  [[nodiscard]] Record measured(const std::string& faults) const {
    const fs::path suite = file("small.json", R"({
      "name": "small", "version": 1, "title": "One small step", "question": "Does it run?",
      "quick": {"policy": {"percentiles": [0.5], "time_limit_s": 0.3, "min_samples": 10, "max_step_s": 1},
                "cases": [{"kind": "copy", "dtypes": ["f32"], "buffer_bytes": [12582912]}]},
      "full": {"cases": [{"kind": "copy", "dtypes": ["f32"], "buffer_bytes": [12582912]}]}})");
    const Outcome out = with(ASSAY_STANDIN, faults, "run '" + suite.string() + "' --device level_zero:0 --out made");
    const Result<std::vector<Record>> records = read_records(dir_ / "made");
    if (!records.ok() || records->size() != 1) {
      ADD_FAILURE() << out.text;
      return {};
    }
    return records->front();
  }
};

TEST_F(LevelZeroRuns, AnHonestDeviceGivesASimulatedRecordEvenWhereItsCounterWraps) {
  const Record r = measured("wrap");
  EXPECT_EQ(r.status, "ok") << r.reason;
  EXPECT_EQ(r.basis, "simulated");
  EXPECT_EQ(r.support, "checked against the API");
  EXPECT_EQ(r.numerics.verdict, "pass");
  EXPECT_EQ(r.samples.device_clock, "timestamp");
  EXPECT_THAT(r.timing_truth.at("slope"), testing::StartsWith("pass")) << r.timing_truth.at("slope");
  EXPECT_TRUE(r.energy.joules) << r.energy.reason;
}

// Timestamps at half the pace lie within every host interval: only more work shows them.
TEST_F(LevelZeroRuns, TimestampsAtHalfThePaceAreALie) {
  const Record r = measured("half_clock");
  EXPECT_EQ(r.status, "failed");
  EXPECT_THAT(r.reason, HasSubstr("adapter lies about time: repeat 1 and "));
}

TEST_F(LevelZeroRuns, AStuckEnergyCounterGivesNoEnergy) {
  const Record r = measured("stuck,tick0");
  EXPECT_EQ(r.status, "ok") << r.reason;
  EXPECT_FALSE(r.energy.joules);
  EXPECT_NE(r.energy.reason, "");
  EXPECT_EQ(r.timing_truth.at("device within host interval"), "no device clock");
}

TEST_F(LevelZeroRuns, WhatADriverLacksOrLosesIsARecordWithTheReason) {
  Record r = measured("no_modules");  // the driver says that it has no such thing
  EXPECT_EQ(r.status, "unsupported");
  EXPECT_THAT(r.reason, HasSubstr("unsupported feature"));
  fs::remove_all(dir_ / "made");
  r = measured("lost");
  EXPECT_EQ(r.status, "failed");
  EXPECT_THAT(r.reason, HasSubstr("device lost"));
  fs::remove_all(dir_ / "made");
  r = measured("alloc");
  EXPECT_EQ(r.status, "failed");
  EXPECT_THAT(r.reason, HasSubstr("out of device memory"));
}

TEST_F(LevelZeroRuns, DevicesSaysWhatIsThereAndWhyNothingIs) {
  EXPECT_THAT(with("", "", "devices").text, HasSubstr("no Level Zero driver: zeInit gave 0x78000001"));
  EXPECT_THAT(with("/nowhere/driver.so", "", "devices").text,
              HasSubstr("no Level Zero driver: zeInit gave 0x78000001"));
  EXPECT_THAT(with(ASSAY_STANDIN, "none", "devices").text,
              HasSubstr("no Level Zero device that runs kernels: 1 driver(s), 0 device(s) of other kinds"));
  EXPECT_THAT(with(ASSAY_STANDIN, "npu", "devices").text,
              HasSubstr("no Level Zero device that runs kernels: 1 driver(s), 1 device(s) of other kinds"));
  const std::string tiles = with(ASSAY_STANDIN, "tiles", "devices").text;
  EXPECT_THAT(tiles, HasSubstr("Assay stand-in GPU, tile 2 of 2"));
  EXPECT_THAT(tiles, HasSubstr("level_zero:2"));
}

// The loader wraps every handle as soon as there is more than one driver.
TEST_F(LevelZeroRuns, TwoDriversAreTwoDevicesAndBothRun) {
  fs::copy_file(ASSAY_STANDIN, dir_ / "other.so");
  const std::string drivers = ASSAY_STANDIN "," + (dir_ / "other.so").string();
  const Outcome listed = with(drivers, "", "devices");
  EXPECT_THAT(listed.text, HasSubstr("level_zero:1"));
  EXPECT_THAT(listed.text, Not(HasSubstr("level_zero:2")));
  for (const char* device : {"0", "1"}) {
    const Outcome kit =
        with(drivers, "", std::string("conformance --quick --only ops.add --device level_zero:") + device);
    EXPECT_EQ(kit.code, 0) << kit.text;
  }
}

}  // namespace
}  // namespace assay
