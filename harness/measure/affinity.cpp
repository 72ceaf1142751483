#include "harness/measure/affinity.h"

#include <sched.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "harness/measure/clock.h"

namespace assay {
namespace {

constexpr int kMaxCpus = 1 << 16;

struct CpuSetFree {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};
using CpuSet = std::unique_ptr<cpu_set_t, CpuSetFree>;

uint64_t process_cpu_ns() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto ns = [](const timeval& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_usec) * 1000u;
  };
  return ns(use.ru_utime) + ns(use.ru_stime);
}

}  // namespace

Result<std::vector<int>> allowed_cpus() {
  // The kernel refuses (EINVAL) a mask smaller than its own: grow until it fits.
  for (int n = 1024; n <= kMaxCpus; n *= 2) {
    const CpuSet set(CPU_ALLOC(static_cast<size_t>(n)));
    const size_t size = CPU_ALLOC_SIZE(static_cast<size_t>(n));
    CPU_ZERO_S(size, set.get());
    if (sched_getaffinity(0, size, set.get()) == 0) {
      std::vector<int> cpus;
      for (int i = 0; i < n; ++i) {
        if (CPU_ISSET_S(static_cast<size_t>(i), size, set.get())) cpus.push_back(i);
      }
      return cpus;
    }
    if (errno != EINVAL) break;
  }
  return Error{ErrorKind::kInternal, std::string("sched_getaffinity: ") + std::strerror(errno)};
}

Status restrict_this_thread(const std::vector<int>& cpus) {
  std::string names;
  int top = -1;
  for (const int cpu : cpus) {
    if (cpu < 0 || cpu >= kMaxCpus) return bad_input("CPU " + std::to_string(cpu) + ": expected 0 or more");
    names += (names.empty() ? "" : ",") + std::to_string(cpu);
    top = std::max(top, cpu);
  }
  if (cpus.empty()) return bad_input("affinity: expected at least one CPU, found none");
  const auto n = static_cast<size_t>(top) + 1;
  const CpuSet set(CPU_ALLOC(n));
  const size_t size = CPU_ALLOC_SIZE(n);
  CPU_ZERO_S(size, set.get());
  for (const int cpu : cpus) CPU_SET_S(static_cast<size_t>(cpu), size, set.get());
  if (sched_setaffinity(0, size, set.get()) != 0) {
    return Error{ErrorKind::kUnsupported, "this thread can't run on CPU " + names + ": " + std::strerror(errno)};
  }
  return ok_status();
}

ScopedPin::ScopedPin(int cpu) {
  if (cpu < 0) return;
  const Result<std::vector<int>> now = allowed_cpus();
  if (!now) {
    status_ = now.error();
    return;
  }
  status_ = pin_this_thread(cpu);
  if (status_.ok()) former_ = *now;
}

ScopedPin::~ScopedPin() {
  if (!former_.empty()) static_cast<void>(restrict_this_thread(former_));
}

CpuUse::CpuUse() { restart(); }

void CpuUse::restart() {
  wall_ns_ = now_ns();
  cpu_ns_ = process_cpu_ns();
}

double CpuUse::cpus_used() const {
  const uint64_t wall = now_ns() - wall_ns_;
  const uint64_t cpu = process_cpu_ns() - cpu_ns_;
  return wall == 0 ? 0 : static_cast<double>(cpu) / static_cast<double>(wall);
}

}  // namespace assay
