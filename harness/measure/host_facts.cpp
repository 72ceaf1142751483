#include "harness/measure/host_facts.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <utility>

#include "harness/measure/files.h"
#include "harness/measure/powercap.h"

namespace assay {
namespace {

Error unknown(std::string reason) { return {ErrorKind::kUnsupported, std::move(reason)}; }

// Value of the first line "key<separator>value"; blanks around both are dropped.
Result<std::string> value_of(const Result<std::string>& text, const std::string& key, char separator,
                             const std::string& file) {
  if (!text) return text.error();
  for (const std::string& line : split_lines(*text)) {
    const size_t at = line.find(separator);
    if (at == std::string::npos) continue;
    const size_t key_end = line.find_last_not_of(" \t", at == 0 ? 0 : at - 1);
    if (line.compare(0, key_end + 1, key) != 0) continue;
    const size_t begin = line.find_first_not_of(" \t", at + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return unknown(file + " has no '" + key + "'");
}

// "always [madvise] never" -> madvise
Result<std::string> bracketed(const Result<std::string>& text, const std::string& file) {
  if (!text) return text.error();
  const size_t open = text->find('[');
  const size_t close = text->find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) {
    return unknown(file + ": expected a choice in brackets, found '" + *text + "'");
  }
  return text->substr(open + 1, close - open - 1);
}

Result<std::string> os_name(const SystemRoot& root) {
  Result<std::string> name = value_of(read_text(root, "etc/os-release"), "PRETTY_NAME", '=', "/etc/os-release");
  if (!name) return name;
  std::string text = *name;
  text.erase(std::remove(text.begin(), text.end(), '"'), text.end());
  return text;
}

// The flags that decide which kernels run.
Result<std::string> vector_flags(const Result<std::string>& cpuinfo) {
  Result<std::string> flags = value_of(cpuinfo, "flags", ':', "/proc/cpuinfo");
  if (!flags) flags = value_of(cpuinfo, "Features", ':', "/proc/cpuinfo");
  if (!flags) return flags;
  std::string found;
  for (const std::string& flag : split_words(*flags)) {
    constexpr std::array kStarts = {"avx", "amx", "fma", "f16c", "sse4_2", "asimd", "sve", "sme", "bf16", "i8mm"};
    if (std::any_of(kStarts.begin(), kStarts.end(), [&](const char* s) { return flag.rfind(s, 0) == 0; })) {
      found += (found.empty() ? "" : " ") + flag;
    }
  }
  return found;
}

Result<double> nominal_mhz(const SystemRoot& root, const Result<std::string>& cpuinfo) {
  if (const Result<uint64_t> khz = read_u64(root, "sys/devices/system/cpu/cpu0/cpufreq/base_frequency")) {
    return static_cast<double>(*khz) / 1000;
  }
  const Result<std::string> mhz = value_of(cpuinfo, "cpu MHz", ':', "/proc/cpuinfo");
  if (!mhz) return mhz.error();
  char* end = nullptr;
  const double value = std::strtod(mhz->c_str(), &end);
  if (end == mhz->c_str() || !(value > 0)) return unknown("/proc/cpuinfo: cpu MHz is '" + *mhz + "'");
  return value;
}

Result<std::vector<int>> cpus_online(const SystemRoot& root) {
  const Result<std::string> text = read_text(root, "sys/devices/system/cpu/online");
  if (!text) return text.error();
  const auto cpus = parse_cpu_list(*text);
  if (!cpus) return unknown("/sys/devices/system/cpu/online: expected a list of CPUs, found '" + *text + "'");
  return *cpus;
}

// One word where all CPUs agree, else all of them: "performance, powersave".
Result<std::string> governor(const SystemRoot& root, const Result<std::vector<int>>& cpus) {
  if (!cpus) return cpus.error();
  std::set<std::string> names;
  Result<std::string> last = unknown("no CPU is online");
  for (const int cpu : *cpus) {
    last = read_text(root, "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/scaling_governor");
    if (last) names.insert(*last);
  }
  if (names.empty()) return last.error();
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Result<std::string> turbo(const SystemRoot& root) {
  if (const Result<uint64_t> off = read_u64(root, "sys/devices/system/cpu/intel_pstate/no_turbo")) {
    return std::string(*off == 0 ? "on" : "off");
  }
  const Result<uint64_t> on = read_u64(root, "sys/devices/system/cpu/cpufreq/boost");
  if (!on) return unknown("neither intel_pstate/no_turbo nor cpufreq/boost in /sys/devices/system/cpu");
  return std::string(*on == 0 ? "off" : "on");
}

Result<uint64_t> count_nodes(const SystemRoot& root) {
  const Result<std::string> text = read_text(root, "sys/devices/system/node/online");
  if (!text) return text.error();
  const auto nodes = parse_cpu_list(*text);
  if (!nodes) return unknown("/sys/devices/system/node/online: expected a list, found '" + *text + "'");
  return static_cast<uint64_t>(nodes->size());
}

Result<uint64_t> memory(const Result<std::string>& meminfo, const std::string& key) {
  const Result<std::string> text = value_of(meminfo, key, ':', "/proc/meminfo");
  if (!text) return text.error();
  const auto kib = parse_u64(text->substr(0, text->find(' ')));
  if (!kib) return unknown("/proc/meminfo: " + key + " is '" + *text + "'");
  return *kib * 1024;
}

Result<uint64_t> swap_used(const Result<uint64_t>& total, const Result<std::string>& meminfo) {
  const Result<uint64_t> free = memory(meminfo, "SwapFree");
  if (!total) return total.error();
  if (!free) return free.error();
  return *total - std::min(*free, *total);
}

// "siblings 0,4" of the first CPU that has any, "none" where every core has one thread.
Result<std::string> smt(const SystemRoot& root, const Result<std::vector<int>>& cpus) {
  if (!cpus) return cpus.error();
  for (const int cpu : *cpus) {
    const Result<std::string> text =
        read_text(root, "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    if (!text) return text.error();
    const auto siblings = parse_cpu_list(*text);
    if (siblings && siblings->size() > 1) return "siblings " + *text;
  }
  return std::string("none");
}

// "spectre_v2, srbds": those for which the kernel does something that costs time.
Result<std::string> mitigations(const SystemRoot& root) {
  constexpr const char* kFolder = "sys/devices/system/cpu/vulnerabilities";
  std::set<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator at(below(root, kFolder), error);
  if (error) return unknown(std::string("no /") + kFolder);
  for (const std::filesystem::directory_iterator end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const Result<std::string> text = read_text(root, std::string(kFolder) + "/" + name);
    if (text && text->rfind("Mitigation", 0) == 0) names.insert(name);
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list.empty() ? std::string("none") : list;
}

Result<std::string> container(const SystemRoot& root) {
  std::error_code error;
  if (std::filesystem::exists(below(root, ".dockerenv"), error)) return std::string("docker");
  if (std::filesystem::exists(below(root, "run/.containerenv"), error)) return std::string("podman");
  const Result<std::string> groups = read_text(root, "proc/1/cgroup");
  if (groups) {
    for (const char* kind : {"kubepods", "docker", "lxc"}) {
      if (groups->find(kind) != std::string::npos) return std::string(kind);
    }
  }
  const Result<std::string> environment = read_text(root, "proc/1/environ");
  if (environment && environment->find("container=") != std::string::npos) return std::string("yes");
  if (!groups && !environment) return unknown("neither /proc/1/cgroup nor /proc/1/environ can be read");
  return std::string("none");
}

// CPUID fills its twelve characters by repeating a short name: "KVMKVMKVM" is KVM, "VMwareVMware" VMware.
std::string said_once(const std::string& name) {
  size_t period = 1;
  while (period < name.size() && name.compare(period, std::string::npos, name, 0, name.size() - period) != 0) ++period;
  return period * 2 <= name.size() ? name.substr(0, name.find_last_not_of(' ', period - 1) + 1) : name;
}

Result<std::string> virtualisation(const SystemRoot& root, const Result<std::string>& cpuinfo, const LiveFacts& live) {
  std::string product;
  if (const Result<std::string> vendor = read_text(root, "sys/class/dmi/id/sys_vendor")) product = *vendor;
  constexpr std::array kVirtual = {"QEMU",   "KVM",    "VMware",  "Xen",     "innotek",   "Microsoft Corporation",
                                   "Amazon", "Google", "Alibaba", "Tencent", "OpenStack", "Bochs"};
  const bool flagged = cpuinfo && cpuinfo->find(" hypervisor") != std::string::npos;
  if (flagged || !live.hypervisor.empty()) {
    const std::string name = live.hypervisor.empty() ? product : said_once(live.hypervisor);
    return name.empty() ? std::string("virtual machine") : "virtual machine (" + name + ")";
  }
  if (cpuinfo && cpuinfo->find("flags") != std::string::npos) return std::string("none");  // x86 would have said so
  if (std::any_of(kVirtual.begin(), kVirtual.end(),
                  [&](const char* name) { return product.find(name) != std::string::npos; })) {
    return "virtual machine (" + product + ")";
  }
  if (product.empty()) return unknown("neither a cpuid flag nor /sys/class/dmi/id/sys_vendor");
  return std::string("none");
}

// CPUs allowed by one control-group folder; nullopt: no limit there (or no such file).
std::optional<double> quota_in(const SystemRoot& root, const std::string& folder) {
  if (const Result<std::string> v2 = read_text(root, folder + "/cpu.max")) {
    const std::vector<std::string> words = split_words(*v2);
    const auto quota = words.size() == 2 ? parse_u64(words[0]) : std::nullopt;
    const auto period = words.size() == 2 ? parse_u64(words[1]) : std::nullopt;
    if (quota && period && *period > 0) return static_cast<double>(*quota) / static_cast<double>(*period);
  }
  const Result<uint64_t> quota = read_u64(root, folder + "/cpu.cfs_quota_us");  // -1, no limit, is no such number
  const Result<uint64_t> period = read_u64(root, folder + "/cpu.cfs_period_us");
  if (quota && period && *period > 0) return static_cast<double>(*quota) / static_cast<double>(*period);
  return std::nullopt;
}

// The tightest limit of our group and all groups above it, in version 2 and in version 1.
Result<std::optional<double>> cpu_quota(const SystemRoot& root) {
  const Result<std::string> groups = read_text(root, "proc/self/cgroup");
  if (!groups) return groups.error();
  std::optional<double> tightest;
  for (const std::string& line : split_lines(*groups)) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool cpu = controllers == "cpu" || controllers == "cpu,cpuacct";
    if (!cpu && !controllers.empty()) continue;
    const std::string mount = controllers.empty() ? "sys/fs/cgroup" : "sys/fs/cgroup/" + controllers;
    for (std::string path = line.substr(second + 1);;) {
      const std::optional<double> limit = quota_in(root, mount + path);
      if (limit) tightest = std::min(tightest.value_or(*limit), *limit);
      const size_t slash = path.rfind('/');
      if (slash == std::string::npos || path.size() <= 1) break;
      path = slash == 0 ? "/" : path.substr(0, slash);
    }
  }
  return tightest;
}

Result<std::vector<std::string>> package_energy(const SystemRoot& root) {
  const Result<PackageEnergy> energy = PackageEnergy::open(root);
  if (!energy) return energy.error();
  return energy->names();
}

Result<std::string> or_none(Result<std::string> text) {
  if (text && text->empty()) return std::string("none");
  return text;
}

}  // namespace

HostFacts host_facts(const SystemRoot& root, const LiveFacts& live) {
  const Result<std::string> cpuinfo = read_text(root, "proc/cpuinfo");
  const Result<std::string> meminfo = read_text(root, "proc/meminfo");
  const Result<std::vector<int>> cpus = cpus_online(root);
  const Result<uint64_t> swap = memory(meminfo, "SwapTotal");
  constexpr const char* kThp = "sys/kernel/mm/transparent_hugepage/enabled";
  return HostFacts{
      .os = os_name(root),
      .cpu_model = value_of(cpuinfo, "model name", ':', "/proc/cpuinfo"),
      .cpu_flags = vector_flags(cpuinfo),
      .governor = governor(root, cpus),
      .turbo = turbo(root),
      .thp = bracketed(read_text(root, kThp), kThp),
      .clocksource = read_text(root, "sys/devices/system/clocksource/clocksource0/current_clocksource"),
      .loadavg = read_text(root, "proc/loadavg"),
      .perf_paranoid = read_text(root, "proc/sys/kernel/perf_event_paranoid"),
      .smt = smt(root, cpus),
      .mitigations = mitigations(root),
      .container = container(root),
      .virtualisation = virtualisation(root, cpuinfo, live),
      .isolated = or_none(read_text(root, "sys/devices/system/cpu/isolated")),
      .nohz_full = or_none(read_text(root, "sys/devices/system/cpu/nohz_full")),
      .nominal_mhz = nominal_mhz(root, cpuinfo),
      .cpus_online = cpus,
      .numa_nodes = count_nodes(root),
      .memory_bytes = memory(meminfo, "MemTotal"),
      .memory_available_bytes = memory(meminfo, "MemAvailable"),
      .swap_bytes = swap,
      .swap_used_bytes = swap_used(swap, meminfo),
      .cpu_quota = cpu_quota(root),
      .package_energy = package_energy(root),
      .live = live,
  };
}

}  // namespace assay
