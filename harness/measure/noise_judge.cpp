#include "harness/measure/noise_judge.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace assay {
namespace {

std::string percent(const char* what, double share) {
  char text[96];
  std::snprintf(text, sizeof text, "%s %.1f %%", what, 100 * share);
  return text;
}

void blame(NoiseReport& report, const std::string& cause) {
  report.disturbed = true;
  report.causes.push_back(cause);
}

void note(NoiseReport& report, const char* name, const std::optional<double>& value) {
  if (value) report.values[name] = *value;
}

void note_spin(NoiseReport& report, const std::string& suffix, const SpinGaps& gaps) {
  report.values["gap_share_" + suffix] = gaps.share();
  report.values["gap_count_" + suffix] = static_cast<double>(gaps.count);
  report.values["gap_max_ns_" + suffix] = static_cast<double>(gaps.max_ns);
  report.values["gap_p99_ns_" + suffix] = static_cast<double>(gaps.p99_ns);
}

void judge_spin(NoiseReport& report, const NoiseMeasured& m) {
  if (m.gaps_before) note_spin(report, "before", *m.gaps_before);
  if (m.gaps_after) note_spin(report, "after", *m.gaps_after);
  const double before = m.gaps_before ? m.gaps_before->share() : 0;
  const double after = m.gaps_after ? m.gaps_after->share() : 0;
  if (!m.gaps_before && !m.gaps_after) return;
  report.values["gap_share"] = std::max(before, after);
  report.values["gap_max_ns"] =
      static_cast<double>(std::max(m.gaps_before ? m.gaps_before->max_ns : 0, m.gaps_after ? m.gaps_after->max_ns : 0));
  const bool grown =
      m.gaps_before && m.gaps_after && after > noise_limits::kGapGrowthMin && after > noise_limits::kGapGrowth * before;
  if (std::max(before, after) > noise_limits::kGapShare || grown) {
    blame(report, percent("gaps", std::max(before, after)));
  }
}

void judge_clock(NoiseReport& report, const NoiseMeasured& m) {
  note(report, "clock_mhz_before", m.mhz_before);
  note(report, "clock_mhz_after", m.mhz_after);
  if (!m.mhz_before || !m.mhz_after || *m.mhz_before <= 0) return;
  const double drift = std::abs(*m.mhz_after / *m.mhz_before - 1);
  report.values["clock_drift"] = drift;
  // What passes on a device that times itself does not follow this host's clock.
  if (m.host_share < 1) report.values["host_share"] = m.host_share;
  if (drift * m.host_share > noise_limits::kClockDrift) blame(report, percent("clock drift", drift));
}

void note_timed(NoiseReport& report, const TimedPart& t) {
  const double window_s = static_cast<double>(t.window_ns) * 1e-9;
  report.values["window_s"] = window_s;
  note(report, "steal_share", t.steal_share);
  note(report, "steal_share_max_1s", t.steal_share_max_1s);
  note(report, "foreign_cpu_share", t.foreign_share);
  note(report, "foreign_cpu_share_max_1s", t.foreign_share_max_1s);
  note(report, "run_queue_wait_share", t.run_queue_wait_share);
  if (t.wakes > 0 && t.lateness_p50_ns) {
    report.values["late_wake_share"] = static_cast<double>(t.late_wakes) / static_cast<double>(t.wakes);
    report.values["wake_late_p50_ns"] = static_cast<double>(*t.lateness_p50_ns);
    report.values["wake_late_p99_ns"] = static_cast<double>(t.lateness_p99_ns.value_or(0));
    report.values["wake_late_max_ns"] = static_cast<double>(t.lateness_max_ns.value_or(0));
  }
  if (window_s > 0) {
    report.values["involuntary_switches_per_s"] = static_cast<double>(t.involuntary_switches) / window_s;
  }
  report.values["sampler_cpu_share"] = t.sampler_cpu_share;
  report.values["host_gaps_dropped"] = static_cast<double>(t.gaps_dropped);
}

void judge_timed(NoiseReport& report, const TimedPart& t) {
  note_timed(report, t);
  // What the ticks can't resolve is not held against a short run.
  const double unresolved = 2 * t.tick_share;
  if (t.steal_share.value_or(0) > noise_limits::kSteal + unresolved) {
    blame(report, percent("steal", *t.steal_share));
  }
  if (t.foreign_share.value_or(0) > noise_limits::kForeignCpu + unresolved) {
    blame(report, percent("foreign CPU", *t.foreign_share));
  }
  if (t.run_queue_wait_share.value_or(0) > noise_limits::kRunQueueWait) {
    blame(report, percent("run-queue wait", *t.run_queue_wait_share));
  }
  constexpr uint64_t kFewestLateWakes = 3;  // one or two prove nothing
  if (t.late_wakes >= kFewestLateWakes &&
      static_cast<double>(t.late_wakes) > noise_limits::kLateWake * static_cast<double>(t.wakes)) {
    blame(report, percent("late wakes", static_cast<double>(t.late_wakes) / static_cast<double>(t.wakes)));
  }
}

// Onto the samples' axis; what lies before its zero is cut off.
void place_gaps(NoiseReport& report, const std::vector<HostGap>& gaps, uint64_t zero) {
  for (const HostGap& gap : gaps) {
    const uint64_t end = gap.start_ns + gap.length_ns;
    if (end <= zero) continue;
    const uint64_t start = std::max(gap.start_ns, zero);
    report.host_gap_start_ns.push_back(start - zero);
    report.host_gap_ns.push_back(end - start);
  }
}

}  // namespace

NoiseReport judge_noise(const NoiseMeasured& measured, uint64_t samples_zero_ns) {
  NoiseReport report;
  if (measured.timed) {
    judge_timed(report, *measured.timed);
    place_gaps(report, measured.timed->gaps, samples_zero_ns);
  }
  judge_clock(report, measured);
  judge_spin(report, measured);
  return report;
}

}  // namespace assay
