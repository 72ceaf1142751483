#include "harness/run/launches.h"

#include <algorithm>
#include <numeric>

#include "results/metrics/energy.h"
#include "results/metrics/launches.h"

namespace assay {
namespace {

double mean_step_ns(const Record& r) {
  const std::vector<uint64_t>& x = r.samples.host_ns;
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

void append_later(const std::vector<uint64_t>& times, uint64_t offset, std::vector<uint64_t>* to) {
  for (const uint64_t t : times) to->push_back(t + offset);
}

void append(const std::vector<uint64_t>& values, std::vector<uint64_t>* to) {
  to->insert(to->end(), values.begin(), values.end());
}

std::string numbered(size_t number, const std::string& text) {
  return "launch " + std::to_string(number) + ": " + text;
}

// Where the launch begins on the record's time axis. A clock of the adapter's own begins anew with each process, as
// the host's does when it starts anew: then the launch follows straight on.
uint64_t offset_of(const Record& record, const RunLaunch& launch) {
  const uint64_t end = record.samples.start_ns.back() + record.samples.host_ns.back();
  const uint64_t first = record.run_launches->each.front().start_ns;
  return launch.start_ns >= first + end ? launch.start_ns - first : end;
}

void add_samples(const Samples& launch, uint64_t offset, Samples* out) {
  append_later(launch.start_ns, offset, &out->start_ns);
  append(launch.host_ns, &out->host_ns);
  append(launch.device_ns, &out->device_ns);
  if (out->device_ns.size() != out->host_ns.size()) out->device_ns.clear();
  out->device_clock_step_ns = std::max(out->device_clock_step_ns, launch.device_clock_step_ns);
}

enum class Fold { kMean, kSum, kLeast, kMost };

Fold fold_of(const std::string& name) {
  const auto holds = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (name.ends_with("_min")) return Fold::kLeast;
  if (holds("max") || holds("p99") || holds("drift")) return Fold::kMost;
  if (holds("count") || holds("dropped") || name == "throttled_steps" || name == "window_s") return Fold::kSum;
  return Fold::kMean;
}

// `share`: of the launch in the time of all.
void add_noise(const NoiseReport& launch, uint64_t offset, double share, size_t number, NoiseReport* out) {
  if (number == 2) {
    for (std::string& cause : out->causes) cause = numbered(1, cause);
  }
  for (const std::string& cause : launch.causes) out->causes.push_back(numbered(number, cause));
  out->disturbed = out->disturbed || launch.disturbed;
  for (const auto& [name, value] : launch.values) {
    const auto [found, is_new] = out->values.emplace(name, value);
    if (is_new) continue;
    double& kept = found->second;
    switch (fold_of(name)) {
      case Fold::kSum:
        kept += value;
        break;
      case Fold::kLeast:
        kept = std::min(kept, value);
        break;
      case Fold::kMost:
        kept = std::max(kept, value);
        break;
      case Fold::kMean:
        kept += (value - kept) * share;
        break;
    }
  }
  append_later(launch.host_gap_start_ns, offset, &out->host_gap_start_ns);
  append(launch.host_gap_ns, &out->host_gap_ns);
  append_later(launch.throttle_start_ns, offset, &out->throttle_start_ns);
  append(launch.throttle_ns, &out->throttle_ns);
  append(launch.throttle_reasons, &out->throttle_reasons);
}

void add_counters(const std::vector<Counter>& launch, std::vector<Counter>* out) {
  for (Counter& kept : *out) {
    const auto same = std::find_if(launch.begin(), launch.end(), [&](const Counter& c) { return c.name == kept.name; });
    if (!kept.value) continue;
    if (same == launch.end() || !same->value) {
      kept.value.reset();
      kept.reason = same == launch.end() ? "not counted in each launch" : same->reason;
    } else {
      *kept.value += *same->value;
    }
  }
}

// The readings of both on the clock of the record's, which begins at its first reading.
void add_energy(const Energy& launch, uint64_t offset, size_t number, Energy* out) {
  if (out->samples.empty() && launch.samples.empty()) return;
  if (out->joules) {
    sum_of_energies({*out, launch}, out);
    if (!out->joules) out->reason = numbered(number, out->reason);
  }
  if (out->samples.empty() || launch.samples.empty()) {
    // Readings of some launches alone would tell an energy that the run as a whole has none of.
    out->samples.clear();
    out->pause_start_ns.clear();
    out->pause_ns.clear();
    return;
  }
  // Launch 1 began at its window's start; the first window's start never moves.
  const uint64_t begin = out->window_start_ns + offset;
  out->pause_start_ns.push_back(out->window_end_ns);
  out->pause_ns.push_back(begin - std::min(begin, out->window_end_ns));
  for (PowerSample sample : launch.samples) {
    if (sample.t_ns + begin < launch.window_start_ns) continue;
    sample.t_ns = sample.t_ns + begin - launch.window_start_ns;
    if (sample.t_ns > out->samples.back().t_ns) out->samples.push_back(sample);
  }
  out->window_end_ns = begin + (launch.window_end_ns - launch.window_start_ns);
}

void add_stop(const StopReport& launch, StopReport* out) {
  if (out->reason != launch.reason) out->reason = "time-limit";
  if (launch.achieved_half_width) {
    out->achieved_half_width = std::max(out->achieved_half_width.value_or(0), *launch.achieved_half_width);
  }
  out->warmup_steps += launch.warmup_steps;
  out->warmup_s += launch.warmup_s;
  out->timed_s += launch.timed_s;
  if (launch.warmup_end != out->warmup_end) out->warmup_end = "limit";
}

// One for each launch where each measured one; the record's own stays the first launch's. Why one lacks a rate that the
// first has is kept.
void add_ceiling(const Ceiling& launch, size_t number, Ceiling* out) {
  const bool lacks = (out->flops_per_s && !launch.flops_per_s) || (out->read_bytes_per_s && !launch.read_bytes_per_s);
  if (lacks && !launch.reason.empty())
    out->reason += (out->reason.empty() ? "" : "; ") + numbered(number, launch.reason);
  if ((!out->flops_per_s && !out->read_bytes_per_s) || (!launch.flops_per_s && !launch.read_bytes_per_s)) return;
  if (number == 2) out->of_launches = {{out->flops_per_s, out->read_bytes_per_s, out->measured}};
  if (out->of_launches.size() + 1 == number)
    out->of_launches.push_back({launch.flops_per_s, launch.read_bytes_per_s, launch.measured});
}

void add_words(const Record& launch, size_t number, Record* out) {
  for (const std::string& warning : launch.warnings) {
    const bool told = std::find(out->warnings.begin(), out->warnings.end(), warning) != out->warnings.end();
    if (!told) out->warnings.push_back(numbered(number, warning));
  }
  for (const auto& [check, outcome] : launch.timing_truth) {
    const auto [kept, is_new] = out->timing_truth.emplace(check, outcome);
    const bool passed = outcome.starts_with("pass") && kept->second.starts_with("pass");
    if (!is_new && !passed && kept->second != outcome) {
      out->timing_truth[check + ", launch " + std::to_string(number)] = outcome;
    }
  }
}

}  // namespace

EarlierLaunch earlier_launch(const Record& record) {
  EarlierLaunch out;
  if (record.extrapolation) {
    out.layers = record.extrapolation->layers_run;
    out.experts = record.extrapolation->experts_run;
  } else if (const Result<Case> c = case_from_json(record.case_json, "record"); c.ok()) {
    out.layers = c->layers();
    out.experts = c->model.moe.experts;
  }
  out.flops_per_s = record.ceiling.flops_per_s.value_or(0);
  out.bytes_per_s = record.ceiling.read_bytes_per_s.value_or(0);
  out.step_s = mean_step_ns(record) / 1e9;
  out.gemm_size = record.ceiling.gemm_size;
  out.read_bytes = record.ceiling.read_bytes;
  return out;
}

void add_launch(const Record& launch, Record* record) {
  const size_t number = record->run_launches->each.size() + 1;
  if (launch.status != "ok") {
    record->status = "failed";
    record->reason = "launch " + std::to_string(number) + " of " + std::to_string(record->run_launches->planned) +
                     ": " + launch.reason;
    record->stop.reason = "failed";
    add_words(launch, number, record);
    return;
  }
  RunLaunch added = launch.run_launches->each.front();
  const uint64_t offset = offset_of(*record, added);
  const double before_ns = mean_step_ns(*record);
  const double time_s = record->stop.timed_s + launch.stop.timed_s;
  add_samples(launch.samples, offset, &record->samples);
  added.start_ns = record->run_launches->each.front().start_ns + offset;
  record->run_launches->each.push_back(added);
  record->run_launches->between = between_launches({record->run_launches->each});
  add_ceiling(launch.ceiling, record->run_launches->each.size(), &record->ceiling);
  add_noise(launch.noise, offset, time_s > 0 ? launch.stop.timed_s / time_s : 0, number, &record->noise);
  add_counters(launch.counters, &record->counters);
  add_energy(launch.energy, offset, number, &record->energy);
  add_stop(launch.stop, &record->stop);
  add_words(launch, number, record);
  if (record->extrapolation && record->extrapolation->projected_step_ns) {
    *record->extrapolation->projected_step_ns *= mean_step_ns(*record) / before_ns;
    const std::string paced = "; by the first launch, scaled to the mean step of all";
    if (number == 2) record->extrapolation->method += paced;
  }
}

void keep_samples(const LoopResult& loop, const StepBuffers& buffers, int64_t planned, Record* record) {
  Samples& s = record->samples;
  const auto n = static_cast<std::ptrdiff_t>(loop.n);
  s.start_ns.assign(buffers.start_ns.begin(), buffers.start_ns.begin() + n);
  for (uint64_t& t : s.start_ns) t -= buffers.start_ns[0];
  s.host_ns.assign(buffers.host_ns.begin(), buffers.host_ns.begin() + n);
  if (loop.n > 0) {
    RunLaunch launch = launch_of({s.host_ns.begin(), s.host_ns.end()});
    launch.start_ns = buffers.start_ns[0];
    record->run_launches = RunLaunches{planned, {launch}, std::nullopt};
  }
  if (loop.device_clock == ASSAY_CLOCK_NONE) return;
  s.device_clock = loop.device_clock == ASSAY_CLOCK_DEVICE_EVENT ? "event" : "timestamp";
  s.device_clock_step_ns = loop.device_clock_step_ns;
  s.device_ns.assign(buffers.device_ns.begin(), buffers.device_ns.begin() + n);
}

}  // namespace assay
