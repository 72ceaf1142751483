#include "harness/measure/environment.h"

#include <cstdio>

#include "harness/measure/host_facts.h"

namespace assay {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}
std::string text_of(const std::string& value) { return value; }
std::string text_of(double value) { return number(value); }
std::string text_of(uint64_t value) { return std::to_string(value); }
std::string text_of(const std::vector<int>& value) { return std::to_string(value.size()); }
std::string text_of(const std::optional<double>& value) { return value ? number(*value) : "none"; }
std::string text_of(const std::vector<std::string>& value) {
  std::string text;
  for (const std::string& item : value) text += (text.empty() ? "" : ", ") + item;
  return text;
}

template <typename T>
std::string or_reason(const Result<T>& value) {
  return value ? text_of(*value) : "unknown (" + value.error().message + ")";
}

SystemRoot real_root() { return {}; }
LiveFacts facts_for(const SystemRoot& root) { return root.root == real_root().root ? live_facts() : LiveFacts{}; }

}  // namespace

std::map<std::string, std::string> environment(const SystemRoot& root) {
  const HostFacts f = host_facts(root, facts_for(root));
  std::map<std::string, std::string> out = {
      {"os", or_reason(f.os)},
      {"cpu_model", or_reason(f.cpu_model)},
      {"cpu_flags", or_reason(f.cpu_flags)},
      {"cpus_online", or_reason(f.cpus_online)},
      {"governor", or_reason(f.governor)},
      {"turbo", or_reason(f.turbo)},
      {"nominal_mhz", or_reason(f.nominal_mhz)},
      {"thp", or_reason(f.thp)},
      {"clocksource", or_reason(f.clocksource)},
      {"loadavg", or_reason(f.loadavg)},
      {"perf_paranoid", or_reason(f.perf_paranoid)},
      {"smt", or_reason(f.smt)},
      {"mitigations", or_reason(f.mitigations)},
      {"container", or_reason(f.container)},
      {"virtualisation", or_reason(f.virtualisation)},
      {"isolated_cpus", or_reason(f.isolated)},
      {"nohz_full_cpus", or_reason(f.nohz_full)},
      {"numa_nodes", or_reason(f.numa_nodes)},
      {"memory_bytes", or_reason(f.memory_bytes)},
      {"memory_available_bytes", or_reason(f.memory_available_bytes)},
      {"swap_used_bytes", or_reason(f.swap_used_bytes)},
      {"cpu_quota", or_reason(f.cpu_quota)},
      {"powercap", or_reason(f.package_energy)},
  };
  const std::string unlooked = "unknown (not the running system)";
  out["kernel"] = f.live.looked ? f.live.kernel : unlooked;
  out["hostname_hash"] = f.live.looked ? f.live.hostname_hash : unlooked;
  out["measured_mhz"] = f.live.looked ? number(f.live.measured_mhz) : unlooked;
  out["cpus_allowed"] = f.live.looked ? std::to_string(f.live.allowed_cpus) : unlooked;
  out["timer_slack_ns"] = f.live.looked ? std::to_string(f.live.timer_slack_ns) : unlooked;
  return out;
}

std::vector<Finding> diagnose(const SystemRoot& root) { return judge_host(host_facts(root, facts_for(root))); }

}  // namespace assay
