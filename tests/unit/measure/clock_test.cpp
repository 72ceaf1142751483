// The clock: measured and not believed; waits that are never early.
#include "harness/measure/clock.h"

#include <gtest/gtest.h>
#include <sys/time.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "harness/measure/environment.h"

namespace assay {
namespace {

// Two loops that share nothing but the core: dependent additions of one cycle, dependent multiplications of three (four
// on AMD's first Zen). Taken in turn, best of several, so that what interrupts one hits neither.
TEST(CoreClock, TwoIndependentLoopsAgree) {
#if defined(__x86_64__)
  constexpr int kTurns = 4000, kChain = 64, kBatches = 40;
  double additions = 0, multiplications = 0;
  for (int round = 0; round < 3; ++round) {
    additions = std::max(additions, measure_clock_mhz());
    for (int batch = 0; batch < kBatches; ++batch) {
      uint64_t x = 3;
      const uint64_t begin = now_ns();
      for (int i = 0; i < kTurns; ++i)
        asm volatile(".rept 64\n\timul %1, %0\n\t.endr" : "+r"(x) : "r"(uint64_t{5}) : "cc");
      const auto ns = static_cast<double>(now_ns() - begin);
      multiplications = std::max(multiplications, 3.0 * kChain * kTurns * 1000 / ns);
    }
  }
  EXPECT_GT(additions / multiplications, 0.70);
  EXPECT_LT(additions / multiplications, 1.60);
#else
  GTEST_SKIP() << "written for x86-64";
#endif
}

// A core of this century, whatever /proc/cpuinfo calls its nominal clock.
TEST(CoreClock, IsAClock) {
  const double mhz = measure_clock_mhz();
  EXPECT_GT(mhz, 300);
  EXPECT_LT(mhz, 9000);
}

TEST(HostClock, NeverGoesBackAndMoves) {
  uint64_t last = now_ns();
  const uint64_t first = last;
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t now = now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
  EXPECT_GT(last, first);
}

// Why no CPU-time clock is read per step.
TEST(HostClock, IsCheaperThanTheCpuTimeClock) {
  const ClockQuality quality = clock_quality();
  EXPECT_GT(quality.read_ns, 0);
  EXPECT_GT(quality.resolution_ns, 0u);
  EXPECT_GT(quality.cputime_read_ns, quality.read_ns);
}

// Sleeping alone is late by the timer slack and the wake-up: the last stretch is spun, and neither way returns early.
TEST(Waiting, IsNeverEarly) {
  for (const uint64_t wait_ns : {0u, 1000u, 100'000u, 400'000u, 2'000'000u}) {
    const uint64_t deadline = now_ns() + wait_ns;
    EXPECT_GE(wait_until_ns(deadline), deadline);
    EXPECT_GE(now_ns(), deadline);
    const uint64_t next = now_ns() + wait_ns;
    EXPECT_GE(sleep_until_ns(next), next);
  }
}

TEST(Waiting, ForWhatHasPassedReturnsAtOnce) {
  const uint64_t before = now_ns();
  EXPECT_GE(wait_until_ns(before - 1'000'000'000), before);
  EXPECT_GE(sleep_until_ns(1), before);
}

void on_alarm(int) {}

TEST(Waiting, SurvivesSignals) {
  struct sigaction action {
  }, former{};
  action.sa_handler = on_alarm;  // without SA_RESTART: every alarm interrupts the sleep
  sigaction(SIGALRM, &action, &former);
  const itimerval every_ms{{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &every_ms, nullptr);
  const uint64_t deadline = now_ns() + 20'000'000;
  const uint64_t woken = sleep_until_ns(deadline);
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &former, nullptr);
  EXPECT_GE(woken, deadline);
}

}  // namespace
}  // namespace assay
