// The machine as it is: what goes into a record's environment, and what would spoil a measurement.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace assay {

// Where /proc, /sys and /etc are looked up; tests inject a made-up root.
struct SystemRoot {
  std::filesystem::path root = "/";
};

// os, kernel, cpu_model, cpu_flags (the vector ones), cpus_online, cpus_allowed, governor, turbo, nominal_mhz,
// measured_mhz, thp, numa_nodes, memory_bytes, memory_available_bytes, virtualisation, container, perf_paranoid,
// powercap, loadavg, hostname_hash, timer_slack_ns, ... A value that can't be read is "unknown (reason)".
std::map<std::string, std::string> environment(const SystemRoot& root);

struct Finding {
  std::string name;  // "governor"
  enum class State { kGood, kWarning, kBad, kUnknown } state = State::kUnknown;
  std::string found, meaning, fix;  // fix: a command or a sentence; "" if none
};
// What would spoil a measurement on this machine, worst first.
std::vector<Finding> diagnose(const SystemRoot& root);

// Core clock by a loop of dependent additions, MHz (lscpu and PAPI report a nominal clock that can be wrong).
double measure_clock_mhz();

}  // namespace assay
