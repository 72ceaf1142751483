// Sensors: plausible, alive, and of one mind about energy.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>
#include <vector>

#include "harness/conformance/bench.h"
#include "results/metrics/energy.h"
#include "results/metrics/energy_faults.h"

namespace assay::conformance {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPeriod = std::chrono::milliseconds(10);
constexpr double kCounterTolerance = 0.05;  // metrics.md: beyond it the energy is untrusted
constexpr double kRise = 1.02;              // of the mean under load
constexpr uint32_t kKnownMask = (ASSAY_T_THROTTLE << 1) - 1;

struct Samples {
  std::vector<assay_telemetry> of;
  std::vector<uint64_t> host_ns;
  std::string error;
};

// Reads while `running`, as the harness does: from a thread of its own.
void sample(const Raw& raw, const assay_telemetry_table* table, uint32_t device, const std::atomic<bool>& running,
            Samples* out) {
  while (running) {
    assay_telemetry t{};
    t.struct_size = sizeof t;
    const uint64_t begin = now_ns();
    const assay_status status = table->read(raw.ctx, device, &t);
    if (status != ASSAY_OK) {
      out->error = raw.told(status);
      return;
    }
    out->of.push_back(t);
    out->host_ns.push_back(begin + (now_ns() - begin) / 2);
    std::this_thread::sleep_for(kPeriod);
  }
}

struct Sensor {
  const char* name;
  uint32_t bit;
  double assay_telemetry::*value;
  double least, most;
};
constexpr Sensor kSensors[] = {{"power_w", ASSAY_T_POWER, &assay_telemetry::power_w, 0, 20000},
                               {"energy_j", ASSAY_T_ENERGY, &assay_telemetry::energy_j, 0, 1e15},
                               {"temp_c", ASSAY_T_TEMP, &assay_telemetry::temp_c, -60, 150},
                               {"core_mhz", ASSAY_T_CORE_MHZ, &assay_telemetry::core_mhz, 0, 20000},
                               {"mem_mhz", ASSAY_T_MEM_MHZ, &assay_telemetry::mem_mhz, 0, 100000},
                               {"mem_used_bytes", ASSAY_T_MEM_USED, &assay_telemetry::mem_used_bytes, 0, 1e15},
                               {"util", ASSAY_T_UTIL, &assay_telemetry::util, 0, 1}};

std::string implausible(const Samples& all) {
  for (size_t i = 0; i < all.of.size(); ++i) {
    const assay_telemetry& t = all.of[i];
    if (t.valid == 0) return "no value is valid";
    if ((t.valid & ~kKnownMask) != 0) return "unknown bits in valid";
    for (const Sensor& s : kSensors) {
      if ((t.valid & s.bit) == 0) continue;
      const double v = t.*s.value;
      if (!(v >= s.least && v <= s.most)) return s.name + number(" is %g", v);
    }
    const double age_s = std::abs(static_cast<double>(all.host_ns[i]) - static_cast<double>(t.t_ns)) / 1e9;
    if (age_s > 5) return number("t_ns is %.0f s away from the host's clock", age_s);
    if (i > 0 && t.t_ns < all.of[i - 1].t_ns) return "t_ns goes back";
    if (i > 0 && (t.valid & ASSAY_T_ENERGY) != 0 && t.energy_j < all.of[i - 1].energy_j) return "energy_j goes back";
  }
  return "";
}

// Values of a sensor where they are valid: a power made of two readings of a counter is not in the first.
std::vector<double> valid_values(const Samples& samples, const Sensor& sensor) {
  std::vector<double> values;
  for (const assay_telemetry& t : samples.of) {
    if ((t.valid & sensor.bit) != 0) values.push_back(t.*sensor.value);
  }
  return values;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

bool stuck(const std::vector<double>& a, const std::vector<double>& b) {
  const auto same = [&](double value) { return value == a.front(); };
  return std::all_of(a.begin(), a.end(), same) && std::all_of(b.begin(), b.end(), same);
}

void moves(Bench& bench, const Samples& idle, const Samples& busy) {
  std::string text;
  bool any = false, rises = false;
  for (const Sensor& s : {kSensors[0], kSensors[6], kSensors[1]}) {
    const std::vector<double> before = valid_values(idle, s), under = valid_values(busy, s);
    if (before.empty() || under.empty()) continue;
    if (s.bit == ASSAY_T_ENERGY) {
      if (stuck(before, under)) return bench.fail("energy_j is stuck");
      continue;
    }
    any = true;
    text += (text.empty() ? "" : "; ") + std::string(s.name) + number(" %.3g idle, ", mean(before)) +
            number("%.3g under load", mean(under));
    if (stuck(before, under)) return bench.fail(text + ": stuck");
    rises = rises || mean(under) > kRise * mean(before);
  }
  if (!any) return bench.unsupported("neither power nor util");
  rises ? bench.pass(text) : bench.fail(text + ": does not move with the load");
}

void counter(Bench& bench, const Samples& busy) {
  constexpr uint32_t kBoth = ASSAY_T_POWER | ASSAY_T_ENERGY;
  double integrated = 0, counted = 0;
  bool any = false;
  const auto& of = busy.of;
  for (size_t i = 1; i < of.size(); ++i) {
    if ((of[i].valid & kBoth) != kBoth || (of[i - 1].valid & kBoth) != kBoth) continue;
    integrated += 0.5 * (of[i].power_w + of[i - 1].power_w) * static_cast<double>(of[i].t_ns - of[i - 1].t_ns) / 1e9;
    counted += of[i].energy_j - of[i - 1].energy_j;
    any = true;
  }
  if (!any) return bench.unsupported("not both of power and energy");
  const double larger = std::max(counted, integrated), smaller = std::min(counted, integrated);
  const bool unit = smaller > 0 && larger > kOtherUnit * smaller;
  const std::string text = number("counter %.3g J, ", counted) + number("power samples %.3g J", integrated) +
                           (unit ? ": energy_j or power_w is in another unit than J or W" : "");
  larger > 0 && std::abs(counted - integrated) <= kCounterTolerance* larger ? bench.pass(text) : bench.fail(text);
}

// By the rules that decide whether a run's record has joules: from the first reading to the last.
void believable(Bench& bench, const Samples& idle, const Samples& busy, double limit_w) {
  std::string text;
  for (const Samples* samples : {&idle, &busy}) {
    std::vector<PowerSample> said;
    uint64_t averaging_ns = 0;
    for (size_t i = 0; i < samples->of.size(); ++i) {
      const assay_telemetry& t = samples->of[i];
      PowerSample s;
      s.t_ns = samples->host_ns[i];
      if ((t.valid & ASSAY_T_ENERGY) != 0) s.energy_j = t.energy_j;
      if ((t.valid & ASSAY_T_POWER) != 0) s.power_w = t.power_w;
      if (s.energy_j || s.power_w) said.push_back(s);
      averaging_ns = std::max(averaging_ns, t.window_ns);
    }
    if (said.empty()) return bench.unsupported("neither power nor energy");
    const bool node = samples->of.back().scope == ASSAY_SCOPE_NODE;
    const uint64_t from = said.front().t_ns, to = said.back().t_ns;
    if (samples == &idle) {  // a few watts, told in whole ones: its mean is not judged
      std::string fault = reading_fault(said);
      if (fault.empty()) fault = counter_jump(said, from, to, node ? 0 : limit_w);
      if (!fault.empty()) return bench.fail("idle: " + fault);
      continue;
    }
    const Energy energy =
        energy_of_source(node ? "telemetry (node)" : "telemetry", said, from, to, averaging_ns, limit_w);
    for (const EnergyCode wrong : {EnergyCode::kImpossible, EnergyCode::kJump, EnergyCode::kDisagrees}) {
      if (energy.code == energy_code_name(wrong)) return bench.fail("under load: " + energy.reason);
    }
    text = energy.watts_mean ? number("%.3g W under load", *energy.watts_mean) : energy.code + ": " + energy.reason;
  }
  bench.pass(text);
}

void idle_for(Bench& bench, double seconds) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    std::this_thread::sleep_for(kPeriod);
    bench.pulse().beat();
  }
}

Status load_for(SmallProgram& program, double seconds) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    if (Status s = program.run(); !s.ok()) return s;
  }
  return ok_status();
}

}  // namespace

void check_telemetry(Bench& bench) {
  (void)bench.begin("plausible values");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const assay_telemetry_table* table = adapter->telemetry_table();
  if (table == nullptr) return bench.unsupported("no table telemetry/1");
  const std::optional<Work> work = find_work(bench, *adapter, 2e6);
  if (!work) return;
  const OpCase c = work->make();
  SmallProgram program(bench, c);
  Status ready = program.prepare(*adapter);
  if (ready.ok()) ready = program.write(bench.seed());
  if (!ready.ok()) return bench.fail(ready.error().message);
  const Raw raw(*adapter);
  Samples idle, busy;
  const double seconds = bench.quick() ? 0.8 : 4;
  for (Samples* samples : {&idle, &busy}) {
    std::atomic<bool> running{true};
    std::thread reader(sample, std::cref(raw), table, bench.device(), std::cref(running), samples);
    if (samples == &idle) {
      idle_for(bench, seconds);
    } else {
      ready = load_for(program, seconds);
    }
    running = false;
    reader.join();
    if (!samples->error.empty()) return bench.fail("read: " + samples->error);
    if (!ready.ok() || samples->of.size() < 3)
      return bench.fail(ready.ok() ? "too few readings" : ready.error().message);
  }
  const std::string fault = implausible(idle) + implausible(busy);
  fault.empty() ? bench.pass(std::to_string(idle.of.size() + busy.of.size()) + " readings") : bench.fail(fault);
  if (bench.begin("moves with the load")) moves(bench, idle, busy);
  if (bench.begin("energy counter against power")) counter(bench, busy);
  const Result<DeviceInfo> device = adapter->device(bench.device());
  if (bench.begin("energy that the device can draw")) {
    device.ok() ? believable(bench, idle, busy, device->board_power_limit_w) : bench.fail(device.error());
  }
  program.destroy();
  bench.close(std::move(adapter));
}

}  // namespace assay::conformance
