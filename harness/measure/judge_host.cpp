// What the facts about a host mean for a measurement on it.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "harness/measure/host_facts.h"

namespace assay {
namespace {

using State = Finding::State;

constexpr double kClockDifference = 0.05;   // measured against nominal
constexpr double kBusyShare = 0.05;         // of a CPU, all other processes together
constexpr double kLittleMemory = 0.10;      // available, of all
constexpr uint64_t kTimerSlackNs = 50'000;  // the kernel's default

std::string text(const char* format, double value) {
  char out[64];
  std::snprintf(out, sizeof out, format, value);
  return out;
}

std::string gib(uint64_t bytes) { return text("%.1f GiB", static_cast<double>(bytes) / (1 << 30)); }

template <typename T>
Finding unknown(const std::string& name, const Result<T>& fact, const std::string& meaning) {
  return {name, State::kUnknown, fact.error().message, meaning, ""};
}

Finding governor(const HostFacts& f) {
  const std::string meaning = "a governor that follows the load changes the clock while a case runs";
  if (!f.governor) return unknown("governor", f.governor, meaning);
  if (*f.governor == "performance") return {"governor", State::kGood, *f.governor, "", ""};
  return {"governor", State::kWarning, *f.governor, meaning, "cpupower frequency-set -g performance"};
}

Finding turbo(const HostFacts& f) {
  const std::string meaning = "with turbo the clock depends on heat and on what other cores do";
  if (!f.turbo) return unknown("turbo", f.turbo, meaning);
  if (*f.turbo == "off") return {"turbo", State::kGood, "off", "", ""};
  return {"turbo", State::kWarning, *f.turbo, meaning,
          "leave it on to measure what users get; switch it off to compare small differences"};
}

Finding frequency(const HostFacts& f) {
  const std::string meaning = "a peak computed from the nominal clock is wrong; the ceilings here are measured";
  if (!f.nominal_mhz) return unknown("frequency", f.nominal_mhz, meaning);
  if (!f.live.looked) return {"frequency", State::kUnknown, "not measured", meaning, ""};
  const std::string found =
      text("%.0f MHz measured", f.live.measured_mhz) + ", " + text("%.0f MHz stated", *f.nominal_mhz);
  if (std::abs(f.live.measured_mhz / *f.nominal_mhz - 1) <= kClockDifference) {
    return {"frequency", State::kGood, found, "", ""};
  }
  return {"frequency", State::kWarning, found, meaning, ""};
}

Finding huge_pages(const HostFacts& f) {
  const std::string meaning = "small pages cost TLB misses in large weights and differ from run to run";
  if (!f.thp) return unknown("huge pages", f.thp, meaning);
  if (*f.thp != "never") return {"huge pages", State::kGood, *f.thp, "", ""};
  return {"huge pages", State::kWarning, *f.thp, meaning, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"};
}

Finding numa(const HostFacts& f) {
  const std::string meaning = "memory of another node is slower; weights may land on either";
  if (!f.numa_nodes) return unknown("NUMA", f.numa_nodes, meaning);
  if (*f.numa_nodes == 1) return {"NUMA", State::kGood, "1 node", "", ""};
  return {"NUMA", State::kWarning, std::to_string(*f.numa_nodes) + " nodes", meaning,
          "numactl --cpunodebind=0 --membind=0 assay ..."};
}

Finding free_memory(const HostFacts& f) {
  const std::string meaning = "weights that are swapped out are read from a disk";
  if (!f.memory_bytes) return unknown("memory", f.memory_bytes, meaning);
  if (!f.memory_available_bytes) return unknown("memory", f.memory_available_bytes, meaning);
  const std::string found = gib(*f.memory_available_bytes) + " of " + gib(*f.memory_bytes) + " available";
  const auto all = static_cast<double>(*f.memory_bytes);
  if (static_cast<double>(*f.memory_available_bytes) < kLittleMemory * all) {
    return {"memory", State::kBad, found, meaning, "end what holds the memory"};
  }
  return {"memory", State::kGood, found, "", ""};
}

Finding swapping(const HostFacts& f) {
  const std::string meaning = "swapping stalls steps for milliseconds";
  if (!f.swap_used_bytes) return unknown("swap", f.swap_used_bytes, meaning);
  if (*f.swap_used_bytes == 0) return {"swap", State::kGood, "none in use", "", ""};
  return {"swap", State::kWarning, gib(*f.swap_used_bytes) + " in use", meaning, "swapoff -a"};
}

Finding other_load(const HostFacts& f) {
  const std::string meaning = "other processes take CPU time and memory bandwidth from the run";
  if (!f.live.looked) return {"other load", State::kUnknown, "not looked at", meaning, ""};
  double sum = 0;
  for (const auto& [name, cpus] : f.live.busy) sum += cpus;
  if (sum < kBusyShare) return {"other load", State::kGood, "none", "", ""};
  std::string names;
  for (size_t i = 0; i < f.live.busy.size() && i < 3; ++i) {
    names += (i == 0 ? "" : ", ") + f.live.busy[i].first + text(" %.2f", f.live.busy[i].second);
  }
  const State state = sum >= 0.5 ? State::kBad : State::kWarning;
  return {"other load", state, text("%.2f CPUs: ", sum) + names, meaning, "end these processes, or wait for them"};
}

Finding machine(const HostFacts& f) {
  const std::string meaning =
      "neighbours on the same host take time that no counter here shows whole; steal is watched";
  if (!f.virtualisation) return unknown("machine", f.virtualisation, meaning);
  if (*f.virtualisation == "none") return {"machine", State::kGood, "no virtual machine", "", ""};
  return {"machine", State::kWarning, *f.virtualisation, meaning,
          "measure on the bare machine, or compare runs only here"};
}

Finding container(const HostFacts& f) {
  const std::string meaning = "a container may be limited in CPU time and share the machine";
  if (!f.container) return unknown("container", f.container, meaning);
  if (*f.container == "none") return {"container", State::kGood, "none", "", ""};
  return {"container", State::kWarning, *f.container, meaning, "run outside, or give it whole CPUs (--cpuset-cpus)"};
}

Finding quota(const HostFacts& f) {
  const std::string meaning = "the kernel stops the run for the rest of a period when the quota is used up";
  if (!f.cpu_quota) return unknown("CPU quota", f.cpu_quota, meaning);
  if (!f.cpu_quota->has_value()) return {"CPU quota", State::kGood, "no limit", "", ""};
  const double cpus = f.cpu_quota->value();
  const bool enough = f.live.looked && cpus >= static_cast<double>(f.live.allowed_cpus);
  const std::string found = text("%.2f CPUs", cpus);
  if (enough) return {"CPU quota", State::kGood, found, "", ""};
  return {"CPU quota", State::kBad, found, meaning, "lift the limit, or run with --threads at or below it"};
}

Finding allowed(const HostFacts& f) {
  const std::string meaning = "threads that inherit a pinned set of CPUs share cores";
  if (!f.cpus_online) return unknown("CPUs", f.cpus_online, meaning);
  const size_t online = f.cpus_online->size();
  if (!f.live.looked) return {"CPUs", State::kUnknown, std::to_string(online) + " online", meaning, ""};
  const std::string found = std::to_string(f.live.allowed_cpus) + " of " + std::to_string(online) + " allowed";
  if (f.live.allowed_cpus >= online) return {"CPUs", State::kGood, found, "", ""};
  return {"CPUs", State::kWarning, found, meaning, "start from a shell without taskset, or mean it"};
}

Finding bound_threads() {
  for (const char* name : {"OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "KMP_AFFINITY"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || std::strcmp(value, "false") == 0) continue;
    return {"thread binding", State::kBad, std::string(name) + "=" + value,
            "it pins the main thread, and threads made by others inherit one core", std::string("unset ") + name};
  }
  return {"thread binding", State::kGood, "none by the environment", "", ""};
}

Finding siblings(const HostFacts& f) {
  const std::string meaning = "two threads of one core share its units; one per core is steadier";
  if (!f.smt) return unknown("SMT", f.smt, meaning);
  if (*f.smt == "none") return {"SMT", State::kGood, "one thread per core", "", ""};
  return {"SMT", State::kWarning, *f.smt, meaning, "--threads with the number of cores"};
}

Finding counters(const HostFacts& f) {
  const std::string meaning = "records lack cycles, instructions and cache misses; the times are not affected";
  if (!f.live.looked) return {"counters", State::kUnknown, "not tried", meaning, ""};
  if (f.live.perf_error == 0) return {"counters", State::kGood, "hardware counters count", "", ""};
  const std::string why = std::string(" (") + std::strerror(f.live.perf_error) + ")";
  if (f.live.perf_error == EACCES || f.live.perf_error == EPERM) {
    const std::string paranoid = f.perf_paranoid ? "; perf_event_paranoid is " + *f.perf_paranoid : "";
    return {"counters", State::kWarning, "hardware counters not permitted" + why + paranoid, meaning,
            "sysctl kernel.perf_event_paranoid=1; in a container also --cap-add PERFMON"};
  }
  return {"counters", State::kWarning, "no hardware counters here, as in most virtual machines" + why, meaning,
          "measure on the bare machine, or let its host pass the counters on"};
}

Finding energy(const HostFacts& f) {
  if (f.package_energy) return {"energy", State::kGood, "powercap can be read", "", ""};
  return {"energy", State::kWarning, f.package_energy.error().message, "joules are absent from the records",
          "where the machine has RAPL: chmod a+r /sys/class/powercap/*/energy_uj"};
}

Finding timer_slack(const HostFacts& f) {
  if (!f.live.looked || f.live.timer_slack_ns <= kTimerSlackNs) {
    return {"timer slack", f.live.looked ? State::kGood : State::kUnknown,
            std::to_string(f.live.timer_slack_ns) + " ns", "", ""};
  }
  return {"timer slack", State::kWarning, std::to_string(f.live.timer_slack_ns) + " ns", "sleeping threads wake late",
          "start from a process with the default of 50 us"};
}

int rank(State state) {
  switch (state) {
    case State::kBad:
      return 0;
    case State::kWarning:
      return 1;
    case State::kUnknown:
      return 2;
    case State::kGood:
      break;
  }
  return 3;
}

}  // namespace

std::vector<Finding> judge_host(const HostFacts& f) {
  std::vector<Finding> findings = {other_load(f), quota(f),      bound_threads(), allowed(f),  governor(f),
                                   turbo(f),      frequency(f),  huge_pages(f),   numa(f),     free_memory(f),
                                   swapping(f),   machine(f),    container(f),    siblings(f), counters(f),
                                   energy(f),     timer_slack(f)};
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return rank(a.state) < rank(b.state); });
  return findings;
}

}  // namespace assay
