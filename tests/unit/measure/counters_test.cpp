// Counters are believed only when they have counted: a value, or the reason why there is none.
#include "harness/measure/counters.h"

#include <gmock/gmock.h>
#include <papi.h>

#include <algorithm>
#include <thread>

#include "harness/measure/clock.h"
#include "harness/measure/perf_events.h"
#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// 20 ms of CPU time, whatever the machine does meanwhile.
void burn() {
  const auto used_ns = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
  };
  const auto begin = used_ns();
  while (used_ns() - begin < 20'000'000) {
  }
}

std::vector<Counter> count(const SystemRoot& root, const std::function<void()>& work) {
  const std::unique_ptr<Counters> counters = open_counters(root);
  counters->start();
  work();
  return counters->stop();
}

const Counter& named(const std::vector<Counter>& counters, const std::string& name) {
  const auto found = std::find_if(counters.begin(), counters.end(), [&](const Counter& c) { return c.name == name; });
  EXPECT_NE(found, counters.end()) << name;
  return *found;
}

// The work is done by a thread that is made after the counters: it must be counted as well.
TEST(Counters, EachHasAValueOrAReason) {
  const std::vector<Counter> counters = count({}, [] { std::thread(burn).join(); });
  EXPECT_EQ(counters.size(), 8u);
  for (const Counter& c : counters) {
    EXPECT_NE(c.value.has_value(), !c.reason.empty()) << c.name << ": " << c.reason;
    EXPECT_GE(c.value.value_or(0), 0) << c.name;
  }
  const Counter& clock = named(counters, "perf::TASK-CLOCK");
  if (clock.value) {
    EXPECT_GT(*clock.value, 18e6) << "20 ms of a thread made later";
  } else {
    EXPECT_THAT(clock.reason, HasSubstr("perf_event_open"));
  }
}

// What misleads in a VM: PAPI lists the presets and says that they can be queried, and then none can be added.
TEST(Counters, PresetsThatOnlyClaimToExistAreAbsent) {
  const std::vector<Counter> counters = count({}, burn);
  const Counter& instructions = named(counters, "PAPI_TOT_INS");
  const int claimed = PAPI_query_event(PAPI_TOT_INS);  // the library was initialised by the counters
  const int refused = try_hardware_counter();
  RecordProperty("claimed", claimed);
  if (refused != 0) {
    EXPECT_FALSE(instructions.value) << "PAPI says " << claimed << ", the kernel " << refused;
    EXPECT_THAT(instructions.reason, HasSubstr("PAPI_"));
  } else if (instructions.value) {
    EXPECT_GT(*instructions.value, 1e6);
  }
}

class InjectedRoot : public Scratch {
 protected:
  SystemRoot root() const { return {dir_}; }
};

TEST_F(InjectedRoot, AMachineWithoutAPmuIsNamedBesideTheReason) {
  if (try_hardware_counter() == 0) GTEST_SKIP() << "this machine counts";
  EXPECT_THAT(named(count(root(), burn), "PAPI_TOT_CYC").reason, HasSubstr("; the kernel shows no PMU"));
  file("proc/cpuinfo", "flags\t\t: fpu avx2 hypervisor\n");
  EXPECT_THAT(named(count(root(), burn), "PAPI_TOT_CYC").reason, HasSubstr("; no PMU in this VM"));
  std::filesystem::create_directories(dir_ / "sys/bus/event_source/devices/cpu");
  EXPECT_THAT(named(count(root(), burn), "PAPI_TOT_CYC").reason, Not(HasSubstr("no PMU")));
}

TEST_F(InjectedRoot, PackageEnergyIsTheDifference) {
  EXPECT_THAT(named(count(root(), [] {}), "powercap::PACKAGE_ENERGY_J").reason, HasSubstr("no /sys/class/powercap"));
  const std::string zone = "sys/class/powercap/intel-rapl:0/";
  file(zone + "name", "package-0\n");
  file(zone + "max_energy_range_uj", "262143328850\n");
  file(zone + "energy_uj", "1000000\n");
  const Counter energy =
      named(count(root(), [&] { file(zone + "energy_uj", "3500000\n"); }), "powercap::PACKAGE_ENERGY_J");
  ASSERT_TRUE(energy.value) << energy.reason;
  EXPECT_DOUBLE_EQ(*energy.value, 2.5);
}

TEST_F(InjectedRoot, EnergyThatCanNoLongerBeReadIsAbsent) {
  const std::string zone = "sys/class/powercap/intel-rapl:0/";
  file(zone + "name", "package-0\n");
  file(zone + "max_energy_range_uj", "262143328850\n");
  file(zone + "energy_uj", "1000000\n");
  const auto take_away = [&] { std::filesystem::remove(dir_ / zone / "energy_uj"); };
  const Counter energy = named(count(root(), take_away), "powercap::PACKAGE_ENERGY_J");
  EXPECT_FALSE(energy.value);
  EXPECT_THAT(energy.reason, HasSubstr("energy_uj"));
}

}  // namespace
}  // namespace assay
