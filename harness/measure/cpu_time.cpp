#include "harness/measure/cpu_time.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "harness/measure/files.h"

namespace assay {
namespace {

constexpr size_t kMaxThreads = 1024;  // beyond this the rest is left out: each holds a descriptor

// "cpu3 user nice system idle iowait irq softirq steal guest guest_nice": guest is already inside user.
bool add_cpu_line(const std::vector<std::string>& words, CpuTicks& sum) {
  constexpr size_t kBusy[] = {1, 2, 3, 6, 7};
  constexpr size_t kSteal = 8;
  uint64_t busy = 0;
  for (const size_t i : kBusy) {
    if (i >= words.size()) return false;
    const auto ticks = parse_u64(words[i]);
    if (!ticks) return false;
    busy += *ticks;
  }
  const auto steal = kSteal < words.size() ? parse_u64(words[kSteal]) : std::optional<uint64_t>(0);
  if (!steal) return false;
  sum.busy_ns += busy * tick_ns();
  sum.steal_ns += *steal * tick_ns();
  return true;
}

uint64_t to_ns(const timeval& t) {
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_usec) * 1000u;
}

ThreadWaits::Sum operator-(const ThreadWaits::Sum& a, const ThreadWaits::Sum& b) {
  return {a.run_ns - b.run_ns, a.wait_ns - b.wait_ns};
}

}  // namespace

uint64_t tick_ns() {
  const long per_s = sysconf(_SC_CLK_TCK);
  return 1'000'000'000u / static_cast<uint64_t>(per_s > 0 ? per_s : 100);
}

Result<CpuTicks> read_cpu_ticks(const SystemRoot& root, const std::vector<int>& cpus) {
  const Result<std::string> text = read_text(root, "proc/stat");
  if (!text) return text.error();
  CpuTicks sum;
  size_t found = 0;
  for (const std::string& line : split_lines(*text)) {
    const std::vector<std::string> words = split_words(line);
    if (words.empty() || words[0].compare(0, 3, "cpu") != 0) continue;
    const auto cpu = parse_u64(std::string_view(words[0]).substr(3));
    if (!cpu || std::find(cpus.begin(), cpus.end(), static_cast<int>(*cpu)) == cpus.end()) continue;
    if (!add_cpu_line(words, sum)) return Error{ErrorKind::kIo, "/proc/stat: can't read the line '" + line + "'"};
    ++found;
  }
  if (found == 0) return Error{ErrorKind::kUnsupported, "/proc/stat lists none of the CPUs in use"};
  return sum;
}

OwnUse own_use() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return {to_ns(use.ru_utime) + to_ns(use.ru_stime), static_cast<uint64_t>(use.ru_nivcsw)};
}

std::optional<ThreadWaits::Sum> read_schedstat(int fd) {
  char buffer[128];
  const ssize_t n = pread(fd, buffer, sizeof buffer, 0);
  if (n <= 0) return std::nullopt;
  const std::vector<std::string> words = split_words(std::string_view(buffer, static_cast<size_t>(n)));
  if (words.size() < 2) return std::nullopt;
  const auto run = parse_u64(words[0]);
  const auto wait = parse_u64(words[1]);
  if (!run || !wait) return std::nullopt;
  return ThreadWaits::Sum{*run, *wait};
}

ThreadWaits::ThreadWaits(SystemRoot root, int skip_tid) : root_(std::move(root)), skip_tid_(skip_tid) {
  add_new_threads(false);
  available_ = !threads_.empty();
}

ThreadWaits::~ThreadWaits() {
  for (auto& [tid, thread] : threads_) {
    if (thread.fd >= 0) close(thread.fd);
  }
}

void ThreadWaits::rescan() { add_new_threads(true); }

void ThreadWaits::add_new_threads(bool from_birth) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(below(root_, "proc/self/task"), error), end; !error && at != end;
       at.increment(error)) {
    const auto tid = parse_u64(at->path().filename().string());
    if (!tid || *tid > static_cast<uint64_t>(std::numeric_limits<int>::max())) continue;
    const int id = static_cast<int>(*tid);
    if (id == skip_tid_ || threads_.count(id) != 0 || threads_.size() >= kMaxThreads) continue;
    Thread thread;
    thread.fd = open((at->path() / "schedstat").c_str(), O_RDONLY | O_CLOEXEC);
    if (thread.fd < 0) continue;
    const auto now = read_schedstat(thread.fd);
    if (!now) {
      close(thread.fd);
      continue;
    }
    thread.last = *now;
    if (!from_birth) thread.base = *now;
    threads_.emplace(id, thread);
  }
}

ThreadWaits::Sum ThreadWaits::poll() {
  Sum sum;
  for (auto& [tid, thread] : threads_) {
    if (thread.fd >= 0) {
      if (const auto now = read_schedstat(thread.fd)) {
        thread.last = *now;
      } else {
        close(thread.fd);
        thread.fd = -1;
      }
    }
    const Sum since = thread.last - thread.base;
    sum.run_ns += since.run_ns;
    sum.wait_ns += since.wait_ns;
  }
  return sum;
}

}  // namespace assay
