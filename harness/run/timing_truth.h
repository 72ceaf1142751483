// Can the times be believed? The device clock against the host's, per sample and by slope; rates against the ceiling.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/loader/adapter.h"
#include "harness/run/pulse.h"
#include "results/record.h"

namespace assay {

struct TruthVerdict {
  std::map<std::string, std::string> outcomes;  // check -> outcome, for Record::timing_truth
  std::vector<std::string> warnings;
  std::string failure;  // "" or "adapter lies about time: ..."
};

// device_ns <= host interval + one step of the device clock, for every sample. Nothing where no device clock is.
void check_intervals(const Samples& samples, TruthVerdict* verdict);

// Seconds per step by host and device clock must grow alike when one submission carries more steps.
struct SlopePoint {
  uint32_t repeat = 1;
  double host_ns = 0, device_ns = 0;  // of the whole submission
};
// `noise_ns`: standard error of the difference between the two points' host times less device times (without a device
// clock: host times). Where it would hide a lie of half a step the outcome is "inconclusive", with a warning. Without a
// device clock only the host's growth is judged, and only warned about.
void check_slope(const SlopePoint& one, const SlopePoint& many, bool device_clock, double noise_ns,
                 TruthVerdict* verdict);

// Runs the submission with more repeats (about 50 ms of them, at least two; left out with a reason where two steps take
// over 4 s) and checks the slope against the samples, of which it makes more where they are under five (4 s of them at
// most), or of warm steps where the samples are cold. A lie must hold in three runs; one of over 0.5 s is enough for an
// honest clock. Returns an Error when the adapter fails.
Status run_slope_test(Program& program, const std::vector<int64_t>& scalars, const Samples& samples, Pulse& pulse,
                      TruthVerdict* verdict);

// Warns "implausible" where a rate is over 1.5 times the attainable peak. Bytes are judged only where they exceed four
// times the device's cache (0: unknown, judged).
void check_plausible_rates(const Record& record, uint64_t cache_bytes, TruthVerdict* verdict);

// Of the steps' time that the device's own clock does not count; 1 without such a clock.
double host_share(const Samples& s);

}  // namespace assay
