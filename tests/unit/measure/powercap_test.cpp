// Package energy from made-up powercap trees: wrap-around, missing, unreadable, and what must not be counted twice.
#include "harness/measure/powercap.h"

#include <gmock/gmock.h>

#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Powercap : public Scratch {
 protected:
  std::string zone(const std::string& name) const { return "sys/class/powercap/" + name + "/"; }
  void add(const std::string& folder, const std::string& name, uint64_t energy_uj,
           uint64_t range_uj = 10'000'000) const {
    file(zone(folder) + "name", name + "\n");
    file(zone(folder) + "max_energy_range_uj", std::to_string(range_uj) + "\n");
    set(folder, energy_uj);
  }
  void set(const std::string& folder, uint64_t energy_uj) const {
    file(zone(folder) + "energy_uj", std::to_string(energy_uj) + "\n");
  }
  Result<PackageEnergy> open() const { return PackageEnergy::open({dir_}); }
  std::string refusal() const {
    const Result<PackageEnergy> energy = open();
    EXPECT_FALSE(energy.ok());
    return energy.ok() ? "" : energy.error().message;
  }
};

TEST_F(Powercap, CountsSinceItWasOpened) {
  add("intel-rapl:0", "package-0", 4'000'000);
  Result<PackageEnergy> energy = open();
  ASSERT_TRUE(energy.ok()) << energy.error().message;
  EXPECT_THAT(energy->names(), ElementsAre("package-0"));
  EXPECT_DOUBLE_EQ(*energy->read_j(), 0);
  set("intel-rapl:0", 5'500'000);
  EXPECT_DOUBLE_EQ(*energy->read_j(), 1.5);
  EXPECT_DOUBLE_EQ(*energy->read_j(), 1.5) << "a counter that stands still adds nothing";
}

// From 9 J over the range of 10 J to 2 J: 3 J. Then round again.
TEST_F(Powercap, WrapsAround) {
  add("intel-rapl:0", "package-0", 9'000'000);
  Result<PackageEnergy> energy = open();
  ASSERT_TRUE(energy.ok());
  set("intel-rapl:0", 2'000'000);
  EXPECT_DOUBLE_EQ(*energy->read_j(), 3);
  set("intel-rapl:0", 1'000'000);
  EXPECT_DOUBLE_EQ(*energy->read_j(), 12);
}

TEST_F(Powercap, ACounterAboveItsOwnRangeIsNotBelieved) {
  add("intel-rapl:0", "package-0", 11'000'000);
  Result<PackageEnergy> energy = open();
  ASSERT_TRUE(energy.ok());
  set("intel-rapl:0", 1'000'000);
  const Result<double> joules = energy->read_j();
  ASSERT_FALSE(joules.ok());
  EXPECT_THAT(joules.error().message, HasSubstr("went back from above its own range"));
}

TEST_F(Powercap, PackagesAddUpAndTheirPartsDoNot) {
  add("intel-rapl:0", "package-0", 0);
  add("intel-rapl:1", "package-1", 0);
  add("intel-rapl:0:0", "core", 0);
  add("intel-rapl:0:1", "dram", 0);
  add("intel-rapl-mmio:0", "package-0", 0);  // the same package a second time
  add("intel-rapl:2", "psys", 0);
  Result<PackageEnergy> energy = open();
  ASSERT_TRUE(energy.ok());
  EXPECT_THAT(energy->names(), ElementsAre("package-0", "package-1"));
  for (const char* folder :
       {"intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl-mmio:0", "intel-rapl:2"}) {
    set(folder, 1'000'000);
  }
  EXPECT_DOUBLE_EQ(*energy->read_j(), 2);
}

TEST_F(Powercap, NoneAtAllSaysSo) {
  EXPECT_EQ(refusal(), "no /sys/class/powercap");
  std::filesystem::create_directories(dir_ / "sys/class/powercap");
  EXPECT_EQ(refusal(), "no package zone in /sys/class/powercap");
  add("intel-rapl:0", "psys", 0);
  EXPECT_EQ(refusal(), "no package zone in /sys/class/powercap");
}

// A folder in place of the file: nobody can read it, not even root.
TEST_F(Powercap, UnreadableSaysWhy) {
  add("intel-rapl:0", "package-0", 0);
  std::filesystem::remove(dir_ / zone("intel-rapl:0") / "energy_uj");
  EXPECT_THAT(refusal(), HasSubstr("no /sys/class/powercap/intel-rapl:0/energy_uj"));
  std::filesystem::create_directory(dir_ / zone("intel-rapl:0") / "energy_uj");
  EXPECT_THAT(refusal(), HasSubstr("/sys/class/powercap/intel-rapl:0/energy_uj: Is a directory"));
}

TEST_F(Powercap, WhatIsNoNumberIsNotRead) {
  add("intel-rapl:0", "package-0", 0);
  file(zone("intel-rapl:0") + "energy_uj", "-5\n");
  EXPECT_THAT(refusal(), HasSubstr("expected a number, found '-5'"));
  file(zone("intel-rapl:0") + "energy_uj", "\n");
  EXPECT_THAT(refusal(), HasSubstr("expected a number, found ''"));
}

}  // namespace
}  // namespace assay
