#include "harness/measure/perf_events.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>

#include "harness/measure/clock.h"
#include "harness/measure/files.h"

namespace assay {
namespace {

struct WantedEvent {
  const char* name;
  uint64_t config;
  bool must_count;  // the probe's work always raises it
};
constexpr WantedEvent kWantedEvents[] = {
    {"perf::TASK-CLOCK", PERF_COUNT_SW_TASK_CLOCK, true},  // ns, all threads
    {"perf::CONTEXT-SWITCHES", PERF_COUNT_SW_CONTEXT_SWITCHES, true},
    {"perf::PAGE-FAULTS", PERF_COUNT_SW_PAGE_FAULTS, true},
    {"perf::CPU-MIGRATIONS", PERF_COUNT_SW_CPU_MIGRATIONS, false},
};

int open_event(uint32_t type, uint64_t config, bool inherit, bool kernel) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = type;
  attr.config = config;
  attr.disabled = 1;
  attr.inherit = inherit ? 1 : 0;
  attr.exclude_kernel = kernel ? 0 : 1;
  attr.exclude_hv = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

std::optional<uint64_t> read_event(int fd) {
  uint64_t value = 0;
  if (read(fd, &value, sizeof value) != static_cast<ssize_t>(sizeof value)) return std::nullopt;
  return value;
}

// Runs a little, faults in pages and sleeps, in a thread made after the counters: shows that they inherit.
void raise_every_event() {
  const auto work = [] {
    constexpr size_t kBytes = size_t{64} * 4096;
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
      for (size_t at = 0; at < kBytes; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
      munmap(memory, kBytes);
    }
    sleep_until_ns(now_ns() + 200'000);
    wait_until_ns(now_ns() + 200'000);
  };
  std::thread(work).join();
}

std::string refusal(const char* call, int error, const SystemRoot& root) {
  std::string text = std::string(call) + ": " + std::strerror(error);
  if (error != EACCES && error != EPERM) return text;
  if (const Result<std::string> level = read_text(root, "proc/sys/kernel/perf_event_paranoid")) {
    text += " (perf_event_paranoid is " + *level + "; sudo sysctl kernel.perf_event_paranoid=1 allows it)";
  }
  return text;
}

}  // namespace

SoftwareEvents::SoftwareEvents(const SystemRoot& root) {
  for (const WantedEvent& wanted : kWantedEvents) {
    Event event{wanted.name, open_event(PERF_TYPE_SOFTWARE, wanted.config, true, true), 0, ""};
    if (event.fd < 0) event.reason = refusal("perf_event_open", errno, root);
    events_.push_back(std::move(event));
  }
  start();
  raise_every_event();
  std::vector<Counter> probe;
  stop(probe);
  for (size_t i = 0; i < events_.size(); ++i) {
    if (!probe[i].value) {
      events_[i].reason = probe[i].reason;
    } else if (kWantedEvents[i].must_count && *probe[i].value <= 0) {
      events_[i].reason = "opened, but counted 0 over work of another thread that raises it";
    }
  }
}

SoftwareEvents::~SoftwareEvents() {
  for (const Event& event : events_) {
    if (event.fd >= 0) close(event.fd);
  }
}

void SoftwareEvents::start() {
  for (Event& event : events_) {
    if (event.fd < 0) continue;
    event.base = read_event(event.fd).value_or(0);
    ioctl(event.fd, PERF_EVENT_IOC_ENABLE, 0);
  }
}

void SoftwareEvents::peek(std::vector<double>& out) const {
  for (const Event& event : events_) {
    const std::optional<uint64_t> value = event.reason.empty() ? read_event(event.fd) : std::nullopt;
    out.push_back(value ? static_cast<double>(*value - event.base) : 0);
  }
}

void SoftwareEvents::stop(std::vector<Counter>& out) {
  for (const Event& event : events_) {
    if (event.fd >= 0) ioctl(event.fd, PERF_EVENT_IOC_DISABLE, 0);
  }
  for (const Event& event : events_) {
    Counter counter{event.name, std::nullopt, event.reason};
    if (event.reason.empty()) {
      if (const auto value = read_event(event.fd)) {
        counter.value = static_cast<double>(*value - event.base);
      } else {
        counter.reason = "opened, but reading it failed";
      }
    }
    out.push_back(std::move(counter));
  }
}

int try_hardware_counter() {
  const int fd = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false, false);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

}  // namespace assay
