#include "harness/measure/clock.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <limits>

#include "harness/measure/environment.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace assay {
namespace {

void cpu_relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

double read_cost_ns(clockid_t clock, int batches, int reads) {
  double best = std::numeric_limits<double>::max();
  for (int b = 0; b < batches; ++b) {
    timespec t;
    const uint64_t begin = now_ns();
    for (int i = 0; i < reads; ++i) clock_gettime(clock, &t);
    best = std::min(best, static_cast<double>(now_ns() - begin) / reads);
  }
  return best;
}

// Dependent additions, one per core cycle. In assembly, because a debug build would keep the sum in memory, and of a
// register, because recent cores fold chains of small immediates.
#if defined(__x86_64__)
constexpr int kChain = 256;
inline uint64_t add_chain(uint64_t x, uint64_t one) {
  asm volatile(".rept 256\n\tadd %1, %0\n\t.endr" : "+r"(x) : "r"(one) : "cc");
  return x;
}
#elif defined(__aarch64__)
constexpr int kChain = 256;
inline uint64_t add_chain(uint64_t x, uint64_t one) {
  asm volatile(".rept 256\n\tadd %0, %0, %1\n\t.endr" : "+r"(x) : "r"(one));
  return x;
}
#else
constexpr int kChain = 1;  // exact only in an optimised build
inline uint64_t add_chain(uint64_t x, uint64_t one) {
  x += one;
  asm volatile("" : "+r"(x));
  return x;
}
#endif

double additions_per_us(int64_t turns) {
  uint64_t x = 1;
  const uint64_t begin = now_ns();
  for (int64_t i = 0; i < turns; ++i) x = add_chain(x, 1);
  const uint64_t ns = now_ns() - begin;
  return ns == 0 ? 0 : static_cast<double>(turns) * kChain * 1000.0 / static_cast<double>(ns);
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

ClockQuality clock_quality() {
  ClockQuality quality;
  quality.read_ns = read_cost_ns(CLOCK_MONOTONIC, 20, 2000);
  quality.cputime_read_ns = read_cost_ns(CLOCK_THREAD_CPUTIME_ID, 20, 100);
  uint64_t smallest = std::numeric_limits<uint64_t>::max();
  for (int i = 0; i < 20000; ++i) {
    const uint64_t a = now_ns();
    const uint64_t b = now_ns();
    if (b > a) smallest = std::min(smallest, b - a);
  }
  quality.resolution_ns = smallest;
  return quality;
}

uint64_t sleep_until_ns(uint64_t deadline_ns) {
  const timespec t{static_cast<time_t>(deadline_ns / 1'000'000'000u), static_cast<long>(deadline_ns % 1'000'000'000u)};
  while (now_ns() < deadline_ns && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr) == EINTR) {
  }
  return now_ns();
}

uint64_t wait_until_ns(uint64_t deadline_ns, uint64_t spin_ns) {
  uint64_t now = now_ns();
  if (deadline_ns > now + spin_ns) now = sleep_until_ns(deadline_ns - spin_ns);
  while (now < deadline_ns) {
    cpu_relax();
    now = now_ns();
  }
  return now;
}

double measure_clock_mhz() {
  // The fastest of many short batches: whatever interrupts a batch only lowers its rate.
  constexpr int kBatches = 40;
  constexpr int64_t kTurns = 750'000 / kChain;  // about 0.25 ms at 3 GHz
  double best = 0;
  for (int b = 0; b < kBatches; ++b) best = std::max(best, additions_per_us(kTurns));
  return best;
}

}  // namespace assay
