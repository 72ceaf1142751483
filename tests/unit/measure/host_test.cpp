// What a host is, and the doctor's verdicts, from made-up /proc and /sys trees: a bare machine, a virtual one, a
// container.
#include "harness/measure/host_facts.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cerrno>

#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using State = Finding::State;

constexpr const char* kCpu = "sys/devices/system/cpu/";

class Host : public Scratch {
 protected:
  SystemRoot root() const { return {dir_}; }

  // Four cores of a bare machine, tuned: nothing to complain about.
  void bare_machine() const {
    file("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    file("proc/cpuinfo",
         "processor\t: 0\nmodel name\t: Acme CPU @ 2.45GHz\ncpu MHz\t\t: 2445.406\n"
         "flags\t\t: fpu sse4_2 avx avx2 fma f16c\n");
    file("proc/meminfo",
         "MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\nSwapTotal:       1048576 kB\nSwapFree:        "
         "1048576 kB\n");
    file("proc/loadavg", "0.00 0.01 0.05 1/100 123\n");
    file("proc/sys/kernel/perf_event_paranoid", "1\n");
    file("proc/self/cgroup", "0::/user.slice/session\n");
    file("proc/1/cgroup", "0::/init.scope\n");
    file(std::string(kCpu) + "online", "0-3\n");
    file(std::string(kCpu) + "isolated", "\n");
    for (int cpu = 0; cpu < 4; ++cpu) {
      const std::string folder = kCpu + ("cpu" + std::to_string(cpu)) + "/";
      file(folder + "cpufreq/scaling_governor", "performance\n");
      file(folder + "topology/thread_siblings_list", std::to_string(cpu) + "\n");
    }
    file(std::string(kCpu) + "intel_pstate/no_turbo", "1\n");
    file(std::string(kCpu) + "vulnerabilities/spectre_v2", "Mitigation: IBRS\n");
    file(std::string(kCpu) + "vulnerabilities/meltdown", "Not affected\n");
    file("sys/devices/system/node/online", "0\n");
    file("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
    file("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    file("sys/class/dmi/id/sys_vendor", "Dell Inc.\n");
    file("sys/class/powercap/intel-rapl:0/name", "package-0\n");
    file("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
    file("sys/class/powercap/intel-rapl:0/energy_uj", "12345\n");
  }
  static LiveFacts alone() {
    LiveFacts live;
    live.looked = true;
    live.measured_mhz = 2450;
    live.allowed_cpus = 4;
    live.timer_slack_ns = 50'000;
    return live;
  }
  HostFacts facts(const LiveFacts& live = alone()) const { return host_facts(root(), live); }
  Finding finding(const std::string& name, const LiveFacts& live = alone()) const {
    const std::vector<Finding> all = judge_host(facts(live));
    const auto found = std::find_if(all.begin(), all.end(), [&](const Finding& f) { return f.name == name; });
    EXPECT_NE(found, all.end()) << name;
    return found == all.end() ? Finding{} : *found;
  }
  // A warning or worse names what it means and what mends it.
  void complains(const std::string& name, State state, const std::string& found,
                 const LiveFacts& live = alone()) const {
    const Finding f = finding(name, live);
    EXPECT_EQ(f.state, state) << name << ": " << f.found;
    EXPECT_THAT(f.found, HasSubstr(found)) << name;
    EXPECT_NE(f.meaning, "") << name;
  }
};

TEST_F(Host, ABareTunedMachineIsGoodThroughout) {
  bare_machine();
  ::unsetenv("OMP_PROC_BIND");
  for (const Finding& f : judge_host(facts())) EXPECT_EQ(f.state, State::kGood) << f.name << ": " << f.found;
}

TEST_F(Host, FactsAreReadAsTheyStand) {
  bare_machine();
  const auto e = environment(root());
  EXPECT_EQ(e.at("os"), "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(e.at("cpu_model"), "Acme CPU @ 2.45GHz");
  EXPECT_EQ(e.at("cpu_flags"), "sse4_2 avx avx2 fma f16c");
  EXPECT_EQ(e.at("cpus_online"), "4");
  EXPECT_EQ(e.at("governor"), "performance");
  EXPECT_EQ(e.at("turbo"), "off");
  EXPECT_EQ(e.at("nominal_mhz"), "2445.41");
  EXPECT_EQ(e.at("thp"), "madvise");
  EXPECT_EQ(e.at("memory_bytes"), "17179869184");
  EXPECT_EQ(e.at("memory_available_bytes"), "8589934592");
  EXPECT_EQ(e.at("swap_used_bytes"), "0");
  EXPECT_EQ(e.at("numa_nodes"), "1");
  EXPECT_EQ(e.at("clocksource"), "tsc");
  EXPECT_EQ(e.at("mitigations"), "spectre_v2");
  EXPECT_EQ(e.at("smt"), "none");
  EXPECT_EQ(e.at("isolated_cpus"), "none");
  EXPECT_EQ(e.at("virtualisation"), "none");
  EXPECT_EQ(e.at("container"), "none");
  EXPECT_EQ(e.at("cpu_quota"), "none");
  EXPECT_EQ(e.at("powercap"), "package-0");
  EXPECT_EQ(e.at("measured_mhz"), "unknown (not the running system)");
}

// A fact that is not there is unknown with its reason: never 0, never a guess.
TEST_F(Host, AnEmptyTreeIsUnknownAndNotGood) {
  for (const auto& [name, value] : environment(root())) EXPECT_THAT(value, StartsWith("unknown (")) << name;
  EXPECT_EQ(environment(root()).at("governor"), "unknown (no /sys/devices/system/cpu/online)");
  EXPECT_EQ(environment(root()).at("powercap"), "unknown (no /sys/class/powercap)");
  for (const Finding& f : diagnose(root())) {
    if (f.name == "thread binding") continue;  // of this process, not of the tree
    EXPECT_NE(f.state, State::kGood) << f.name << ": " << f.found;
  }
}

TEST_F(Host, WhatMakesNoSenseIsUnknown) {
  bare_machine();
  file("proc/meminfo", "MemTotal: lots kB\n");
  file(std::string(kCpu) + "online", "all of them\n");
  file("sys/kernel/mm/transparent_hugepage/enabled", "always madvise never\n");
  file("proc/cpuinfo", "cpu MHz\t\t: fast\n");
  const auto e = environment(root());
  EXPECT_THAT(e.at("memory_bytes"), AllOf(StartsWith("unknown ("), HasSubstr("lots")));
  EXPECT_THAT(e.at("cpus_online"), AllOf(StartsWith("unknown ("), HasSubstr("all of them")));
  EXPECT_THAT(e.at("thp"), AllOf(StartsWith("unknown ("), HasSubstr("brackets")));
  EXPECT_THAT(e.at("nominal_mhz"), AllOf(StartsWith("unknown ("), HasSubstr("fast")));
}

TEST_F(Host, GovernorTurboAndHugePages) {
  bare_machine();
  file(std::string(kCpu) + "cpu2/cpufreq/scaling_governor", "powersave\n");
  complains("governor", State::kWarning, "performance, powersave");
  file(std::string(kCpu) + "intel_pstate/no_turbo", "0\n");
  complains("turbo", State::kWarning, "on");
  std::filesystem::remove_all(dir_ / kCpu / "intel_pstate");
  file(std::string(kCpu) + "cpufreq/boost", "0\n");
  EXPECT_EQ(finding("turbo").state, State::kGood) << "AMD's switch";
  file("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
  complains("huge pages", State::kWarning, "never");
}

// The nominal clock of this VM is 2445 MHz, the core runs at 3.1 GHz: a peak computed from the former is beaten.
TEST_F(Host, AClockThatIsNotTheStatedOne) {
  bare_machine();
  LiveFacts live = alone();
  live.measured_mhz = 3100;
  complains("frequency", State::kWarning, "3100 MHz measured, 2445 MHz stated", live);
  EXPECT_THAT(finding("frequency", live).meaning, HasSubstr("nominal clock is wrong"));
  file(std::string(kCpu) + "cpu0/cpufreq/base_frequency", "3100000\n");
  EXPECT_EQ(finding("frequency", live).state, State::kGood) << "cpufreq's base frequency is believed first";
}

TEST_F(Host, MemoryAndSwap) {
  bare_machine();
  file("proc/meminfo",
       "MemTotal:       16777216 kB\nMemAvailable:    1048576 kB\nSwapTotal:       2097152 kB\nSwapFree:        "
       "1048576 kB\n");
  complains("memory", State::kBad, "1.0 GiB of 16.0 GiB available");
  complains("swap", State::kWarning, "1.0 GiB in use");
}

TEST_F(Host, NodesSiblingsAndAllowedCpus) {
  bare_machine();
  file("sys/devices/system/node/online", "0-1\n");
  complains("NUMA", State::kWarning, "2 nodes");
  file(std::string(kCpu) + "cpu0/topology/thread_siblings_list", "0,2\n");
  complains("SMT", State::kWarning, "siblings 0,2");
  LiveFacts live = alone();
  live.allowed_cpus = 1;
  complains("CPUs", State::kWarning, "1 of 4 allowed", live);
}

TEST_F(Host, OtherLoad) {
  bare_machine();
  LiveFacts live = alone();
  live.busy = {{"indexer (77)", 0.04}};
  EXPECT_EQ(finding("other load", live).state, State::kGood) << "under a twentieth of a CPU";
  live.busy = {{"indexer (77)", 0.3}, {"cron (5)", 0.1}};
  complains("other load", State::kWarning, "0.40 CPUs: indexer (77) 0.30, cron (5) 0.10", live);
  live.busy = {{"build (9)", 1.9}};
  complains("other load", State::kBad, "build (9) 1.90", live);
}

TEST_F(Host, CountersThatCannotBeOpened) {
  bare_machine();
  LiveFacts live = alone();
  live.perf_error = ENOENT;
  complains("counters", State::kWarning, "no hardware counters here, as in most virtual machines (No such file", live);
  EXPECT_THAT(finding("counters", live).fix, HasSubstr("bare machine"));
  live.perf_error = EACCES;
  file("proc/sys/kernel/perf_event_paranoid", "4\n");
  complains("counters", State::kWarning, "not permitted (Permission denied); perf_event_paranoid is 4", live);
  EXPECT_THAT(finding("counters", live).fix, HasSubstr("sysctl kernel.perf_event_paranoid=1"));
}

TEST_F(Host, EnergyThatCannotBeRead) {
  bare_machine();
  std::filesystem::remove_all(dir_ / "sys/class/powercap");
  complains("energy", State::kWarning, "no /sys/class/powercap");
}

TEST_F(Host, TimerSlack) {
  bare_machine();
  LiveFacts live = alone();
  live.timer_slack_ns = 1'000'000;
  complains("timer slack", State::kWarning, "1000000 ns", live);
}

// OMP_PROC_BIND pins the main thread; the threads of other libraries inherit its one core.
TEST_F(Host, ThreadBindingByTheEnvironment) {
  bare_machine();
  const ScopedVariable bind("OMP_PROC_BIND", "true");
  complains("thread binding", State::kBad, "OMP_PROC_BIND=true");
  EXPECT_EQ(finding("thread binding").fix, "unset OMP_PROC_BIND");
  const ScopedVariable off("OMP_PROC_BIND", "false");
  EXPECT_EQ(finding("thread binding").state, State::kGood);
}

TEST_F(Host, AVirtualMachineIsNamed) {
  bare_machine();
  file("proc/cpuinfo", "model name\t: AMD EPYC\ncpu MHz\t\t: 2445\nflags\t\t: fpu avx2 hypervisor\n");
  complains("machine", State::kWarning, "virtual machine (Dell Inc.)");
  LiveFacts live = alone();
  // The vendor words of CPUID leaf 0x40000000 and the names that they stand for.
  for (const auto& [vendor, name] : {std::pair{"KVMKVMKVM", "KVM"},
                                     {"VMwareVMware", "VMware"},
                                     {"bhyve bhyve ", "bhyve"},
                                     {"Microsoft Hv", "Microsoft Hv"},
                                     {"X", "X"}}) {
    live.hypervisor = vendor;
    complains("machine", State::kWarning, std::string("virtual machine (") + name + ")", live);
  }
  // Where the CPU has no such flag (Arm), the maker's name tells.
  file("proc/cpuinfo", "Features\t: fp asimd sve\n");
  file("sys/class/dmi/id/sys_vendor", "QEMU\n");
  complains("machine", State::kWarning, "virtual machine (QEMU)");
  EXPECT_EQ(environment(root()).at("cpu_flags"), "asimd sve");
}

TEST_F(Host, AContainerIsNoVirtualMachine) {
  bare_machine();
  file("proc/1/cgroup", "0::/kubepods/besteffort/pod1\n");
  complains("container", State::kWarning, "kubepods");
  EXPECT_EQ(finding("machine").state, State::kGood);
  file(".dockerenv", "");
  complains("container", State::kWarning, "docker");
  std::filesystem::remove(dir_ / ".dockerenv");
  file("proc/1/cgroup", "0::/\n");
  file("proc/1/environ", std::string("PATH=/bin\0container=podman\0", 27));
  complains("container", State::kWarning, "yes");
  file("run/.containerenv", "");
  complains("container", State::kWarning, "podman");
}

// The tightest limit on the way up counts, in both versions of control groups.
TEST_F(Host, ACpuQuotaOfAnyGroupAbove) {
  bare_machine();
  file("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n");
  file("sys/fs/cgroup/user.slice/session/cpu.max", "max 100000\n");
  complains("CPU quota", State::kBad, "1.50 CPUs");
  EXPECT_EQ(environment(root()).at("cpu_quota"), "1.5");
  file("sys/fs/cgroup/user.slice/session/cpu.max", "50000 100000\n");
  complains("CPU quota", State::kBad, "0.50 CPUs");
  file("sys/fs/cgroup/user.slice/session/cpu.max", "garbage\n");
  file("sys/fs/cgroup/user.slice/cpu.max", "400000 100000\n");
  EXPECT_EQ(finding("CPU quota").state, State::kGood) << "as many as there are";
  file("proc/self/cgroup", "4:cpu,cpuacct:/docker/x\n1:name=systemd:/\n");
  file("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "200000\n");
  file("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
  file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  complains("CPU quota", State::kBad, "2.00 CPUs");
}

TEST_F(Host, WorstComesFirst) {
  bare_machine();
  file(std::string(kCpu) + "cpu2/cpufreq/scaling_governor", "powersave\n");
  std::filesystem::remove(dir_ / "sys/devices/system/node/online");
  LiveFacts live = alone();
  live.busy = {{"build (9)", 1.9}};
  std::vector<State> states;
  for (const Finding& f : judge_host(facts(live))) states.push_back(f.state);
  const std::vector<State> order{State::kBad, State::kWarning, State::kUnknown, State::kGood};
  const auto rank = [&](State s) { return std::find(order.begin(), order.end(), s) - order.begin(); };
  EXPECT_TRUE(std::is_sorted(states.begin(), states.end(), [&](State a, State b) { return rank(a) < rank(b); }));
  EXPECT_EQ(states.front(), State::kBad);
  EXPECT_EQ(std::count(states.begin(), states.end(), State::kUnknown), 1);
}

// The running system: whatever it is, every key of the record's environment is there, and the clock was measured.
TEST(RunningHost, IsDescribedWhole) {
  const auto e = environment({});
  for (const char* key : {"os", "kernel", "cpu_model", "governor", "turbo", "thp", "numa_nodes", "virtualisation",
                          "container", "perf_paranoid", "powercap", "cpus_allowed", "hostname_hash"}) {
    ASSERT_EQ(e.count(key), 1u) << key;
    EXPECT_NE(e.at(key), "") << key;
  }
  EXPECT_GT(std::stod(e.at("measured_mhz")), 300);
  EXPECT_EQ(e.at("hostname_hash").size(), 16u);
}

}  // namespace
}  // namespace assay
