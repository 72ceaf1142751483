#include "results/metrics/energy_faults.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <initializer_list>

namespace assay {
namespace {

std::string phrase(const char* format, std::initializer_list<double> values) {
  std::array<double, 4> v{};
  std::copy(values.begin(), values.end(), v.begin());
  std::array<char, 200> text{};
  std::snprintf(text.data(), text.size(), format, v[0], v[1], v[2], v[3]);
  return text.data();
}

bool can_be(double value, double most) { return std::isfinite(value) && value >= 0 && value <= most; }

struct CounterStep {
  double joules = 0, ns = 0;
  [[nodiscard]] double watts(double least_ns) const { return joules / (std::max(ns, least_ns) * 1e-9); }
};

// From one value of the counter to the next one that differs, where they overlap the window.
std::vector<CounterStep> counter_steps(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns) {
  std::vector<CounterStep> steps;
  const PowerSample* before = nullptr;
  for (const PowerSample& s : samples) {
    if (!s.energy_j || (before != nullptr && *s.energy_j == *before->energy_j)) continue;
    if (before != nullptr && s.t_ns > t0_ns && before->t_ns < t1_ns) {
      steps.push_back({*s.energy_j - *before->energy_j, static_cast<double>(s.t_ns - before->t_ns)});
    }
    before = &s;
  }
  return steps;
}

template <typename Value>
double middle_of(std::vector<CounterStep> steps, const Value& value) {
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end(),
                   [&](const CounterStep& a, const CounterStep& b) { return value(a) < value(b); });
  return value(*middle);
}

}  // namespace

std::string reading_fault(const std::vector<PowerSample>& samples) {
  for (const PowerSample& s : samples) {
    if (s.power_w && !can_be(*s.power_w, kMaxReadingW))
      return phrase("a power reading of %.6g W, expected 0 to %.0g W", {*s.power_w, kMaxReadingW});
    if (s.energy_j && !can_be(*s.energy_j, kMaxReadingJ))
      return phrase("an energy reading of %.6g J, expected 0 to %.0g J", {*s.energy_j, kMaxReadingJ});
  }
  return "";
}

std::vector<PowerSample> sane_around(std::vector<PowerSample> samples, uint64_t t0_ns, uint64_t t1_ns) {
  std::erase_if(
      samples, [&](const PowerSample& s) { return (s.t_ns < t0_ns || s.t_ns > t1_ns) && !reading_fault({s}).empty(); });
  return samples;
}

std::string counter_jump(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns, double limit_w) {
  const std::vector<CounterStep> steps = counter_steps(samples, t0_ns, t1_ns);
  if (steps.size() < 3) return "";
  // A late reading makes its step longer and the next one shorter: none counts as shorter than the middle one.
  const double beat_ns = middle_of(steps, [](const CounterStep& s) { return s.ns; });
  const double usual_w = middle_of(steps, [&](const CounterStep& s) { return s.watts(beat_ns); });
  const bool limited = limit_w > 0 && usual_w <= kJumpOfLimit * limit_w;  // else every step is: another unit
  size_t unusual = 0;
  double joules = 0, over_limit = 0, over_usual = 0;
  const CounterStep* largest = &steps.front();
  for (const CounterStep& s : steps) {
    const double watts = s.watts(beat_ns);
    joules += s.joules;
    if (limited && watts > kJumpOfLimit * limit_w) over_limit += s.joules;
    if (watts > kJumpOfMedian * usual_w && watts > (limited ? limit_w : kMinJumpW)) {
      ++unusual;
      over_usual += s.joules;
    }
    if (watts > largest->watts(beat_ns)) largest = &s;
  }
  const double rose = largest->joules, in = std::max(largest->ns, beat_ns) * 1e-9;
  if (over_limit > kMinJumpShare * joules) {
    return phrase("the counter jumped by %.4g J in %.3g s, %.4g W where the power limit is %.4g W",
                  {rose, in, rose / in, limit_w});
  }
  if (unusual > 0 && unusual <= kMaxJumps && over_usual > kMinJumpShare * joules) {
    return phrase("the counter jumped by %.4g J in %.3g s, %.4g W where its other steps are of %.4g W",
                  {rose, in, rose / in, usual_w});
  }
  return "";
}

std::string mean_fault(double watts_mean, double limit_w, bool whole_machine) {
  const bool known = limit_w > 0 && !whole_machine;  // the limit is the board's
  const double most = known ? kMaxOverLimit * limit_w : whole_machine ? kMaxMachineMeanW : kMaxBoardMeanW;
  if (known && watts_mean > most) {
    return phrase("%.4g W on average, over %.0f times the power limit of %.4g W: another unit?",
                  {watts_mean, kMaxOverLimit, limit_w});
  }
  if (watts_mean > most) return phrase("%.4g W on average, over %.4g W: another unit?", {watts_mean, most});
  if (known && watts_mean < kMinOfLimit * limit_w) {
    return phrase("%.4g W on average, under %.4g of the power limit of %.4g W: another unit?",
                  {watts_mean, kMinOfLimit, limit_w});
  }
  return "";
}

std::string unit_fault(double watts_mean, const std::vector<PowerSample>& samples) {
  double least = 0, most = 0;
  for (bool first = true; const PowerSample& s : samples) {
    if (!s.power_w) continue;
    least = first ? *s.power_w : std::min(least, *s.power_w);
    most = first ? *s.power_w : std::max(most, *s.power_w);
    first = false;
  }
  const bool told = most > 0;
  if (!told || (watts_mean <= kOtherUnit * most && watts_mean >= least / kOtherUnit)) return "";
  return phrase("the counter says %.4g W on average, its own power readings %.4g to %.4g W: another unit?",
                {watts_mean, least, most});
}

}  // namespace assay
