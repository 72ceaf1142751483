// The affinity trap: threads that inherit a pinned core share it, and the run says so.
#include "harness/measure/affinity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "harness/measure/clock.h"
#include "harness/measure/periodic.h"

namespace assay {
namespace {

using testing::HasSubstr;

// CPUs used by `count` threads that are busy for 60 ms.
double busy_threads(int count) {
  const uint64_t end = now_ns() + 60'000'000;
  const CpuUse use;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([end] {
      while (now_ns() < end) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return use.cpus_used();
}

TEST(AffinityTrap, FourThreadsOnOneCoreUseOneCpu) {
  const ScopedPin pin(allowed_cpus()->front());
  ASSERT_TRUE(pin.status().ok()) << pin.status().error().message;
  const double cpus = busy_threads(4);
  EXPECT_LT(cpus, 1.5);
  EXPECT_TRUE(fewer_cpus_than_threads(cpus, 4));
}

// Three quarters of the threads is the limit.
TEST(AffinityTrap, IsJudgedByTheShareOfThreads) {
  EXPECT_TRUE(fewer_cpus_than_threads(2.99, 4));
  EXPECT_FALSE(fewer_cpus_than_threads(3.0, 4));
  EXPECT_FALSE(fewer_cpus_than_threads(1.0, 1));
}

TEST(AffinityTrap, SleepUsesNoCpu) {
  const CpuUse use;
  sleep_until_ns(now_ns() + 30'000'000);
  EXPECT_LT(use.cpus_used(), 0.5);
}

TEST(ScopedPin, GivesTheFormerCpusBack) {
  const std::vector<int> before = *allowed_cpus();
  {
    const ScopedPin pin(before.back());
    ASSERT_TRUE(pin.status().ok());
    EXPECT_EQ(*allowed_cpus(), std::vector<int>{before.back()});
  }
  EXPECT_EQ(*allowed_cpus(), before);
  const ScopedPin nothing(-1);
  EXPECT_TRUE(nothing.status().ok());
  EXPECT_EQ(*allowed_cpus(), before);
}

TEST(Affinity, RefusesWhatThereIsNot) {
  EXPECT_THAT(restrict_this_thread({}).error().message, HasSubstr("at least one CPU"));
  EXPECT_THAT(restrict_this_thread({-1}).error().message, HasSubstr("CPU -1"));
  const Status absent = pin_this_thread(65535);
  ASSERT_FALSE(absent.ok());
  EXPECT_THAT(absent.error().message, HasSubstr("can't run on CPU 65535"));
  EXPECT_FALSE(pin_this_thread(1 << 20).ok());
}

// A helper started by a pinned thread is given its own CPUs, and never a real-time class: the kernel stops such a
// spinner for 50 ms of every second.
TEST(PeriodicThread, IsNeitherPinnedNorRealTime) {
  const std::vector<int> all = *allowed_cpus();
  const ScopedPin pin(all.front());
  std::vector<int> seen;
  int policy = -1;
  std::atomic<int> ticks{0};
  std::atomic<bool> early{false};
  PeriodicThread thread;
  ASSERT_TRUE(thread.start(2'000'000, all, [&](uint64_t deadline, uint64_t woken) {
    if (deadline == 0) {
      seen = *allowed_cpus();
      policy = sched_getscheduler(0);
    }
    early = early || woken < deadline;
    ++ticks;
  }));
  while (ticks < 4) sleep_until_ns(now_ns() + 1'000'000);
  thread.stop();
  const int after = ticks;
  EXPECT_EQ(seen, all);
  EXPECT_EQ(policy, SCHED_OTHER);
  EXPECT_FALSE(early);
  EXPECT_GT(thread.cpu_ns(), 0u);
  sleep_until_ns(now_ns() + 5'000'000);
  EXPECT_EQ(ticks, after) << "stopped";
}

TEST(PeriodicThread, StopsInTheMiddleOfALongPeriod) {
  PeriodicThread thread;
  const uint64_t begin = now_ns();
  ASSERT_TRUE(thread.start(3'600'000'000'000, {}, [](uint64_t, uint64_t) {}));
  thread.stop();
  EXPECT_LT(now_ns() - begin, 60'000'000'000u) << "an hour has not passed";
}

}  // namespace
}  // namespace assay
