#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "harness/measure/affinity.h"
#include "harness/measure/clock.h"
#include "harness/measure/cpu_time.h"
#include "harness/measure/files.h"
#include "harness/measure/host_facts.h"
#include "harness/measure/perf_events.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace assay {
namespace {

constexpr uint64_t kLoadWindowNs = 200'000'000;
constexpr double kLeastBusy = 0.02;  // of a CPU: below two ticks in the window nothing can be said

struct ProcessUse {
  std::string name;
  uint64_t ticks = 0;
};

// "pid (name) state ppid ...": the name may hold spaces and brackets, so look for the last one.
std::optional<ProcessUse> parse_stat(const std::string& text) {
  constexpr size_t kUtimeAfterName = 11;
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
  const std::vector<std::string> words = split_words(std::string_view(text).substr(close + 1));
  if (words.size() < kUtimeAfterName + 2) return std::nullopt;
  const auto user = parse_u64(words[kUtimeAfterName]);
  const auto system = parse_u64(words[kUtimeAfterName + 1]);
  if (!user || !system) return std::nullopt;
  return ProcessUse{text.substr(open + 1, close - open - 1), *user + *system};
}

std::map<uint64_t, ProcessUse> other_processes(const SystemRoot& root) {
  std::map<uint64_t, ProcessUse> found;
  std::error_code error;
  for (std::filesystem::directory_iterator at(below(root, "proc"), error), end; !error && at != end;
       at.increment(error)) {
    const auto pid = parse_u64(at->path().filename().string());
    if (!pid || *pid == static_cast<uint64_t>(getpid())) continue;
    const Result<std::string> text = read_text(root, "proc/" + std::to_string(*pid) + "/stat");
    if (!text) continue;  // it has ended
    if (auto use = parse_stat(*text)) found.emplace(*pid, std::move(*use));
  }
  return found;
}

std::vector<std::pair<std::string, double>> busy_processes() {
  const SystemRoot root;
  const auto first = other_processes(root);
  const uint64_t begin = now_ns();
  sleep_until_ns(begin + kLoadWindowNs);
  const auto second = other_processes(root);
  const auto window = static_cast<double>(now_ns() - begin);
  std::vector<std::pair<std::string, double>> busy;
  for (const auto& [pid, use] : second) {
    const auto before = first.find(pid);
    const uint64_t from = before == first.end() ? 0 : before->second.ticks;
    const double cpus = static_cast<double>((use.ticks - std::min(from, use.ticks)) * tick_ns()) / window;
    if (cpus >= kLeastBusy) busy.emplace_back(use.name + " (" + std::to_string(pid) + ")", cpus);
  }
  std::sort(busy.begin(), busy.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return busy;
}

std::string cpuid_hypervisor() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kHypervisorBit = 1u << 31;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kHypervisorBit) == 0) return "";
  __cpuid(0x40000000, a, b, c, d);
  char vendor[13] = {};
  std::memcpy(vendor, &b, 4);
  std::memcpy(vendor + 4, &c, 4);
  std::memcpy(vendor + 8, &d, 4);
  for (const char ch : std::string(vendor)) {
    if (ch < ' ' || ch > '~') return "unnamed hypervisor";
  }
  return vendor[0] == '\0' ? "unnamed hypervisor" : vendor;
#else
  return "";
#endif
}

// FNV-1a: tells hosts apart in a store without publishing their names.
std::string short_hash(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(hash));
  return hex;
}

}  // namespace

LiveFacts live_facts() {
  LiveFacts facts;
  facts.looked = true;
  utsname name{};
  if (uname(&name) == 0) {
    facts.kernel = std::string(name.sysname) + " " + name.release + " " + name.machine;
    facts.hostname_hash = short_hash(name.nodename);
  }
  facts.hypervisor = cpuid_hypervisor();
  facts.busy = busy_processes();
  facts.measured_mhz = measure_clock_mhz();
  if (const Result<std::vector<int>> cpus = allowed_cpus()) facts.allowed_cpus = cpus->size();
  const int slack = prctl(PR_GET_TIMERSLACK);
  facts.timer_slack_ns = slack > 0 ? static_cast<uint64_t>(slack) : 0;
  facts.perf_error = try_hardware_counter();
  return facts;
}

}  // namespace assay
