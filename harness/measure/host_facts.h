// Everything that /proc, /sys and the running system say about this host, each fact or the reason why it is not known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/measure/environment.h"
#include "suites/base/result.h"

namespace assay {

// What only the running system can answer. Not looked at below a made-up root, where every field stays as here.
struct LiveFacts {
  bool looked = false;
  std::string kernel, hostname_hash;
  std::string hypervisor;  // by cpuid; "" on bare metal
  double measured_mhz = 0;
  uint64_t allowed_cpus = 0, timer_slack_ns = 0;
  int perf_error = 0;                                // errno of opening a hardware counter; 0: it opened
  std::vector<std::pair<std::string, double>> busy;  // other processes over 200 ms: "name (pid)", CPUs used; most first
};
// Looks for about 250 ms.
LiveFacts live_facts();

struct HostFacts {
  Result<std::string> os, cpu_model, cpu_flags, governor, turbo, thp, clocksource, loadavg, perf_paranoid, smt,
      mitigations, container, virtualisation, isolated, nohz_full;
  Result<double> nominal_mhz;
  Result<std::vector<int>> cpus_online;
  Result<uint64_t> numa_nodes, memory_bytes, memory_available_bytes, swap_bytes, swap_used_bytes;
  Result<std::optional<double>> cpu_quota;          // CPUs that the control group allows; nullopt inside: no limit
  Result<std::vector<std::string>> package_energy;  // zones that can be read
  LiveFacts live;
};
HostFacts host_facts(const SystemRoot& root, const LiveFacts& live);

// The verdicts, from the facts alone; worst first.
std::vector<Finding> judge_host(const HostFacts& facts);

}  // namespace assay
