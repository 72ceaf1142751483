// Watching the host: gaps of a spinning thread, and a made-up /proc that moves while a run is timed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <functional>

#include "harness/measure/affinity.h"
#include "harness/measure/clock.h"
#include "harness/measure/cpu_time.h"
#include "harness/measure/host_noise.h"
#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::StartsWith;

TEST(SpinGaps, AccountsForItsWindow) {
  const SpinGaps gaps = spin_gaps(5'000'000);
  EXPECT_GE(gaps.window_ns, 5'000'000u);
  EXPECT_LE(gaps.lost_ns, gaps.window_ns);
  EXPECT_LE(gaps.max_ns, gaps.lost_ns);
  EXPECT_LE(gaps.p99_ns, gaps.max_ns);
  EXPECT_GE(gaps.share(), 0);
  EXPECT_LE(gaps.share(), 1);
  EXPECT_EQ(SpinGaps{}.share(), 0);
}

// With a threshold of nothing every turn is a gap, and together they are the window.
TEST(SpinGaps, WithoutAThresholdAllTimeIsLost) {
  const SpinGaps gaps = spin_gaps(2'000'000, 0);
  EXPECT_EQ(gaps.lost_ns, gaps.window_ns);
  EXPECT_GT(gaps.count, 100u);
}

class MadeUpProc : public Scratch {
 protected:
  SystemRoot root() const { return {dir_}; }
};

TEST_F(MadeUpProc, TicksOfTheCpusInUse) {
  file("proc/stat",
       "cpu  9 9 9 9 9 9 9 9 9 9\n"
       "cpu0 100 10 20 999 999 3 4 50 77 77\n"  // busy 100 + 10 + 20 + 3 + 4 = 137, steal 50; guest is inside user
       "cpu1 1000 0 0 0 0 0 0 500 0 0\n"
       "cpu10 7 0 0 0 0 0 0\n"  // an old kernel: no steal
       "intr 12\n");
  const Result<CpuTicks> both = read_cpu_ticks(root(), {0, 10});
  ASSERT_TRUE(both.ok()) << both.error().message;
  EXPECT_EQ(both->busy_ns, 144 * tick_ns());
  EXPECT_EQ(both->steal_ns, 50 * tick_ns());
  EXPECT_EQ(read_cpu_ticks(root(), {1, 99})->steal_ns, 500 * tick_ns()) << "CPU 99 is offline";
}

TEST_F(MadeUpProc, TicksThatCannotBeReadSayWhy) {
  EXPECT_EQ(read_cpu_ticks(root(), {0}).error().message, "no /proc/stat");
  file("proc/stat", "cpu  1 2 3\nintr 5\n");
  EXPECT_THAT(read_cpu_ticks(root(), {0}).error().message, HasSubstr("none of the CPUs in use"));
  file("proc/stat", "cpu0 1 2 x 4 5 6 7 8\n");
  EXPECT_THAT(read_cpu_ticks(root(), {0}).error().message, HasSubstr("can't read the line 'cpu0 1 2 x"));
  file("proc/stat", "cpu0 1 2\n");
  EXPECT_FALSE(read_cpu_ticks(root(), {0}).ok());
}

TEST_F(MadeUpProc, ThreadsWaitsSinceTheBeginningOrTheirBirth) {
  file("proc/self/task/10/schedstat", "1000 200 5\n");
  file("proc/self/task/11/schedstat", "1 1 1\n");
  file("proc/self/task/12/schedstat", "unreadable");
  ThreadWaits waits(root(), 11);
  EXPECT_TRUE(waits.available());
  EXPECT_EQ(waits.poll().wait_ns, 0u);
  std::ofstream(dir_ / "proc/self/task/10/schedstat") << "1500 260 6\n";
  EXPECT_EQ(waits.poll().run_ns, 500u);
  EXPECT_EQ(waits.poll().wait_ns, 60u);
  file("proc/self/task/13/schedstat", "40 8 1\n");  // made since: counts from its birth
  EXPECT_EQ(waits.poll().wait_ns, 60u);
  waits.rescan();
  EXPECT_EQ(waits.poll().wait_ns, 68u);
  EXPECT_EQ(waits.poll().run_ns, 540u);
  const ThreadWaits nothing(SystemRoot{dir_ / "absent"});
  EXPECT_FALSE(nothing.available());
}

// A machine of which the hypervisor takes a fifth and strangers three, and whose run queue makes a thread wait a
// fifth of its time: its /proc moves accordingly for 300 ms.
class DisturbedProc : public MadeUpProc {
 protected:
  DisturbedProc() : cpus_(*allowed_cpus()), begin_ns_(now_ns()) {
    std::filesystem::create_directories(dir_ / "proc/self/task/1");
    std::filesystem::create_directories(dir_ / "proc/thread-self");
    write();
  }
  void write() const {
    const double seconds = static_cast<double>(now_ns() - begin_ns_) * 1e-9;
    const auto ticks = [&](double share) {
      return std::to_string(static_cast<uint64_t>(share * seconds * 1e9 / static_cast<double>(tick_ns())));
    };
    std::string stat;
    for (const int cpu : cpus_)
      stat += "cpu" + std::to_string(cpu) + " " + ticks(0.6) + " 0 0 0 0 0 0 " + ticks(0.2) + " 0 0\n";
    file("proc/stat.new", stat);
    std::filesystem::rename(dir_ / "proc/stat.new", dir_ / "proc/stat");
    in_place("proc/self/task/1/schedstat", static_cast<uint64_t>(seconds * 0.8e9),
             static_cast<uint64_t>(seconds * 0.2e9));
    in_place("proc/thread-self/schedstat", 0, 0);
  }
  // Files that are held open are read again at their beginning: the same length, in one write.
  void in_place(const std::string& name, uint64_t run, uint64_t wait) const {
    char line[64];
    std::snprintf(line, sizeof line, "%020llu %020llu 1\n", static_cast<unsigned long long>(run),
                  static_cast<unsigned long long>(wait));
    const int fd = ::open((dir_ / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    EXPECT_GT(::pwrite(fd, line, std::string(line).size(), 0), 0);
    ::close(fd);
  }
  std::vector<int> cpus_;
  uint64_t begin_ns_;
};

TEST_F(DisturbedProc, IsReportedWithItsCauses) {
  HostNoise noise({root(), 15'000'000, 1'000'000});
  noise.start();
  const uint64_t zero = now_ns();
  while (now_ns() < zero + 300'000'000) {
    write();
    sleep_until_ns(now_ns() + 2'000'000);
  }
  write();  // a machine that stood still in the loop's last turn has left it behind the time
  noise.stop();
  const NoiseReport report = noise.report(zero);
  EXPECT_TRUE(report.disturbed);
  EXPECT_NEAR(report.values.at("steal_share"), 0.2, 0.08);
  EXPECT_GT(report.values.at("foreign_cpu_share"), 0.2);
  EXPECT_NEAR(report.values.at("run_queue_wait_share"), 0.2, 0.02);
  EXPECT_THAT(report.causes, Contains(StartsWith("steal ")));
  EXPECT_THAT(report.causes, Contains(StartsWith("foreign CPU ")));
  EXPECT_THAT(report.causes, Contains(StartsWith("run-queue wait ")));
  EXPECT_FALSE(report.host_gap_ns.empty()) << "3 ms of every 15 were waited for a CPU";
  EXPECT_EQ(report.host_gap_ns.size(), report.host_gap_start_ns.size());
}

TEST_F(MadeUpProc, WithoutAProcNothingIsClaimed) {
  HostNoise noise({root(), 15'000'000, 1'000'000});
  noise.before();
  noise.start();
  sleep_until_ns(now_ns() + 40'000'000);
  noise.stop();
  noise.after();
  const NoiseReport report = noise.report(0);
  for (const char* name : {"steal_share", "foreign_cpu_share", "run_queue_wait_share", "late_wake_share"}) {
    EXPECT_EQ(report.values.count(name), 0u) << name;
  }
  EXPECT_GT(report.values.at("clock_mhz_before"), 300);
  EXPECT_GT(report.values.at("clock_mhz_after"), 300);
  EXPECT_GE(report.values.at("gap_share"), 0);
}

}  // namespace
}  // namespace assay
