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
constexpr double kSlopeRunNs = 50e6;
constexpr double kMaxSlopeTestNs = 4e9;
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
        number("runs at %.4f of the host's", device / host) + number(" +- %.4f", noise / host);
  const bool lies = difference > kSlopeTolerance * std::max(host, device) && difference > 3 * noise;
  verdict->outcomes["slope"] = (lies ? "fail, " : "pass, ") + text;
  if (lies && verdict->failure.empty()) verdict->failure = "adapter lies about time: " + text;
}

Status run_slope_test(Program& program, const std::vector<int64_t>& scalars, const Samples& samples, Pulse& pulse,
                      TruthVerdict* verdict) {
  if (samples.host_ns.empty()) return ok_status();
  if (program.cold()) {
    verdict->outcomes["slope"] = "not run: of steps in one submission only the first is cold";
    return ok_status();
  }
  const double host_one = median(samples.host_ns);
  const double repeats = std::clamp(kSlopeRunNs / std::max(host_one, 1.0), 2.0, static_cast<double>(kMaxRepeat));
  if (repeats * host_one > kMaxSlopeTestNs) {
    verdict->outcomes["slope"] = "not run: two steps take over " + number("%.0f s", kMaxSlopeTestNs / 1e9);
    return ok_status();
  }
  const bool device_clock = !samples.device_ns.empty();
  SlopePoint one{1, host_one, device_clock ? median(samples.device_ns) : 0};
  const assay_run_args args{sizeof(assay_run_args), static_cast<uint32_t>(repeats), scalars.data()};
  // A stall of the host only ever lengthens a run; the fastest of three is the one to compare.
  const int runs = repeats * host_one > 0.5e9 ? 1 : 3;
  Step fastest;
  for (int i = 0; i < runs; ++i) {
    Step step;
    const StepFailure failure = run_step(program, args, pulse, &step);
    if (failure.status == ASSAY_UNSUPPORTED) {
      verdict->outcomes["slope"] = "not run: the adapter does not repeat steps";
      return ok_status();
    }
    if (failure.status != ASSAY_OK) return program.last_error(failure.call, failure.status);
    pulse.beat();
    if (i == 0 || step.host_ns < fastest.host_ns) fastest = step;
  }
  const SlopePoint many{args.repeat, static_cast<double>(fastest.host_ns),
                        static_cast<double>(fastest.result.device_ns)};
  const double noise = robust_sigma(samples.host_ns) * std::sqrt(1.0 + repeats);
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

}  // namespace assay
