#include "harness/run/timing_truth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "harness/run/stop_rule.h"
#include "harness/run/timed_loop.h"

namespace assay {
namespace {

constexpr double kSlopeTolerance = 0.15;
constexpr double kBlindness = 0.5;  // a check whose noise hides a lie of this size has shown nothing
constexpr double kSlopeRunNs = 50e6;
constexpr double kMaxSlopeTestNs = 4e9;
constexpr double kLongSlopeRunNs = 0.5e9;  // one such run is enough unless it looks like a lie
constexpr int kSlopeRuns = 3;
constexpr size_t kFewestSingle = 5;  // steps that tell how noisy they are
constexpr uint32_t kMaxRepeat = 100000;
constexpr double kImplausible = 1.5;

std::string number(const char* pattern, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, value);
  return text.data();
}

double median(std::vector<uint64_t> x) {
  std::vector<double> scratch(x.size());
  return median_of(x.data(), x.size(), scratch.data());
}

// Standard deviation by the median absolute deviation.
double robust_sigma(const std::vector<uint64_t>& x) {
  const double middle = median(x);
  std::vector<uint64_t> deviations;
  deviations.reserve(x.size());
  for (const uint64_t v : x) deviations.push_back(static_cast<uint64_t>(std::abs(static_cast<double>(v) - middle)));
  return 1.4826 * median(std::move(deviations));
}

std::vector<uint64_t> added_by_host(const Samples& s) {
  std::vector<uint64_t> added;
  for (size_t i = 0; i < s.device_ns.size(); ++i)
    added.push_back(s.host_ns[i] - std::min(s.host_ns[i], s.device_ns[i]));
  return added;
}

// Further single steps where the samples are too few to tell their noise.
Status top_up(Program& program, const std::vector<int64_t>& scalars, Pulse& pulse, bool device_clock,
              Samples* samples) {
  const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
  for (double ns = 0; samples->host_ns.size() < kFewestSingle && ns < kMaxSlopeTestNs;) {
    Step step;
    const StepFailure failure = run_step(program, args, pulse, &step);
    if (failure.status != ASSAY_OK) return program.last_error(failure.call, failure.status);
    if (pulse.stop_asked()) return Error{ErrorKind::kTimeout, "stopped"};
    pulse.beat();
    ns += static_cast<double>(step.host_ns);
    samples->host_ns.push_back(step.host_ns);
    if (device_clock) samples->device_ns.push_back(step.result.device_ns);
  }
  return ok_status();
}

// Of steps in one submission only the first can be cold, so that the slope is one of warm steps.
class WarmFor {
 public:
  explicit WarmFor(Program& program) : program_(program), cold_(program.cold()) { program_.run_cold(false); }
  ~WarmFor() { program_.run_cold(cold_); }
  WarmFor(const WarmFor&) = delete;
  WarmFor& operator=(const WarmFor&) = delete;

 private:
  Program& program_;
  bool cold_;
};

}  // namespace

void check_intervals(const Samples& samples, TruthVerdict* verdict) {
  if (samples.device_ns.empty()) {
    verdict->outcomes["device within host interval"] = "no device clock";
    return;
  }
  for (size_t i = 0; i < samples.device_ns.size(); ++i) {
    if (samples.device_ns[i] <= samples.host_ns[i] + samples.device_clock_step_ns) continue;
    verdict->failure = "adapter lies about time: step " + std::to_string(i) + " took " +
                       std::to_string(samples.device_ns[i]) + " ns by its clock (step " +
                       std::to_string(samples.device_clock_step_ns) + " ns) inside a host interval of " +
                       std::to_string(samples.host_ns[i]) + " ns";
    verdict->outcomes["device within host interval"] = "fail";
    return;
  }
  verdict->outcomes["device within host interval"] = "pass";
}

void check_slope(const SlopePoint& one, const SlopePoint& many, bool device_clock, double noise_ns,
                 TruthVerdict* verdict) {
  const double steps = static_cast<double>(many.repeat) - static_cast<double>(one.repeat);
  const double host = (many.host_ns - one.host_ns) / steps;
  const double noise = noise_ns / steps;
  const std::string repeats = "repeat " + std::to_string(one.repeat) + " and " + std::to_string(many.repeat) + ": ";
  if (!device_clock) {
    const double expected = one.host_ns / one.repeat;
    const double ratio = expected > 0 ? host / expected : 0;
    const std::string text = repeats + number("%.3f of a step's host time per further step", ratio);
    // A submission's fixed cost makes further steps cheaper, so only far too cheap or too dear ones are suspicious.
    const bool odd = (ratio < 0.5 || ratio > 1.0 + kSlopeTolerance) && std::abs(host - expected) > 3 * noise;
    verdict->outcomes["slope"] = (odd ? "warning, " : "pass, ") + text;
    if (odd) verdict->warnings.push_back("time does not grow with work: " + text);
    return;
  }
  const double device = (many.device_ns - one.device_ns) / steps;
  const double difference = std::abs(device - host);
  const std::string text = repeats + number("device %.0f ns a step, ", device) + number("host %.0f ns a step", host);
  // The device's clock in units of the host's, by what both say of the same further steps.
  if (host > 0)
    verdict->outcomes["device clock"] =
        number("runs at %.4f of the host's", device / host) + number(" +- %.4f (95 %%)", 1.96 * noise / host);
  const double larger = std::max(host, device);
  const bool lies = difference > kSlopeTolerance * larger && difference > 3 * noise;
  const bool blind = !lies && 3 * noise > kBlindness * larger;
  verdict->outcomes["slope"] = (lies ? "fail, " : blind ? "inconclusive, " : "pass, ") + text;
  if (blind) verdict->warnings.push_back("the device's clock could not be checked, the steps vary too much: " + text);
  if (lies && verdict->failure.empty()) verdict->failure = "adapter lies about time: " + text;
}

Status run_slope_test(Program& program, const std::vector<int64_t>& scalars, const Samples& samples, Pulse& pulse,
                      TruthVerdict* verdict) {
  if (samples.host_ns.empty()) return ok_status();
  const bool device_clock = !samples.device_ns.empty();
  const bool cold = program.cold();
  const WarmFor warm(program);
  Samples single = samples;
  double host_one = median(single.host_ns);
  if (2 * host_one > kMaxSlopeTestNs) {
    verdict->outcomes["slope"] = "not run: two steps take over " + number("%.0f s", kMaxSlopeTestNs / 1e9);
    return ok_status();
  }
  if (cold) {
    single.host_ns.clear();
    single.device_ns.clear();
  }
  if (Status s = top_up(program, scalars, pulse, device_clock, &single); !s.ok()) return s;
  if (cold) host_one = median(single.host_ns);
  const double repeats = std::clamp(kSlopeRunNs / std::max(host_one, 1.0), 2.0, static_cast<double>(kMaxRepeat));
  // A stall stretches the host's and the device's time of a submission alike: what the host adds to the device's is the
  // steadier figure.
  const std::vector<uint64_t> added = added_by_host(single);
  const double added_one = device_clock ? median(added) : 0;
  const SlopePoint one{1, host_one, device_clock ? host_one - added_one : 0};
  // The device's clock must not set the noise that excuses it: the host's own bounds it.
  const double by_host = robust_sigma(single.host_ns) * std::sqrt(1.0 + repeats);
  const double noise = device_clock ? std::min(robust_sigma(added) * std::sqrt(2.0), by_host) : by_host;
  const assay_run_args args{sizeof(assay_run_args), static_cast<uint32_t>(repeats), scalars.data()};
  SlopePoint many;
  double least = 0;  // the run that speaks best for the adapter: a lie holds in all
  for (int i = 0; i < kSlopeRuns; ++i) {
    Step step;
    const StepFailure failure = run_step(program, args, pulse, &step);
    if (failure.status == ASSAY_UNSUPPORTED) {
      verdict->outcomes["slope"] = "not run: the adapter does not repeat steps";
      return ok_status();
    }
    if (failure.status != ASSAY_OK) return program.last_error(failure.call, failure.status);
    if (pulse.stop_asked()) return Error{ErrorKind::kTimeout, "stopped"};
    pulse.beat();
    const SlopePoint run{args.repeat, static_cast<double>(step.host_ns), static_cast<double>(step.result.device_ns)};
    // Without a device clock: a stall of the host only ever lengthens a run.
    const double against = device_clock ? std::abs(run.host_ns - run.device_ns - added_one) : run.host_ns;
    if (i == 0 || against < least) many = run;
    least = i == 0 ? against : std::min(least, against);
    TruthVerdict so_far;
    check_slope(one, many, device_clock, noise, &so_far);
    if (repeats * host_one > kLongSlopeRunNs && so_far.failure.empty()) break;
  }
  check_slope(one, many, device_clock, noise, verdict);
  return ok_status();
}

void check_plausible_rates(const Record& record, uint64_t cache_bytes, TruthVerdict* verdict) {
  if (record.samples.host_ns.empty()) return;
  const double step_s = median(record.samples.host_ns) / 1e9;
  const auto judge = [&](const char* name, double amount, const std::optional<double>& peak, const char* unit) {
    if (!peak || *peak <= 0 || step_s <= 0) return;
    const double share = amount / step_s / *peak;
    const bool odd = share > kImplausible;
    verdict->outcomes[name] = (odd ? "implausible, " : "pass, ") + number("%.2f of the attainable peak", share);
    if (odd) {
      verdict->warnings.push_back("implausible: " + number("%.3g ", amount / step_s) + unit + " is " +
                                  number("%.1f times the attainable peak", share));
    }
  };
  judge("flops within ceiling", record.step_flops, record.ceiling.flops_per_s, "FLOP/s");
  const double bytes = record.step_weight_bytes + record.step_kv_bytes;
  if (bytes > 4.0 * static_cast<double>(cache_bytes)) {
    judge("bytes within ceiling", bytes, record.ceiling.read_bytes_per_s, "bytes/s");
  }
}

double host_share(const Samples& s) {
  double host = 0, device = 0;
  for (size_t i = 0; i < s.device_ns.size(); ++i) {
    host += static_cast<double>(s.host_ns[i]);
    device += static_cast<double>(std::min(s.device_ns[i], s.host_ns[i]));
  }
  return host > 0 ? 1 - device / host : 1;
}

}  // namespace assay
