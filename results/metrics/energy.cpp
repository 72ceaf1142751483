#include "results/metrics/energy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "results/metrics/energy_faults.h"

namespace assay {
namespace {

// A sensor is slower than its readings if its steps lie this much further apart than they do.
constexpr double kMinBeatReadings = 1.5;

struct Point {
  double t_ns = 0, value = 0;
};

double at_line(const Point& a, const Point& b, double t) {
  return b.t_ns > a.t_ns ? a.value + (b.value - a.value) * (t - a.t_ns) / (b.t_ns - a.t_ns) : a.value;
}

// Value at t on the line through the points; beyond the ends the outermost piece goes on.
double at(const std::vector<Point>& points, double t) {
  size_t i = 1;
  while (i + 1 < points.size() && points[i].t_ns < t) ++i;
  return at_line(points[i - 1], points[i], t);
}

std::string sentence(const char* format, double a, double b) {
  char text[160];
  std::snprintf(text, sizeof text, format, a, b);
  return text;
}

size_t count_inside(const std::vector<Point>& points, double t0, double t1) {
  return static_cast<size_t>(
      std::count_if(points.begin(), points.end(), [&](const Point& p) { return p.t_ns >= t0 && p.t_ns <= t1; }));
}

WindowEnergy untrusted(EnergyCode code, std::string reason) { return {std::nullopt, code, std::move(reason)}; }

double longest_gap_inside(const std::vector<Point>& points, double t0, double t1) {
  double longest = 0;
  for (size_t i = 1; i < points.size(); ++i) {
    const double from = std::max(points[i - 1].t_ns, t0);
    const double to = std::min(points[i].t_ns, t1);
    longest = std::max(longest, to - from);
  }
  return longest;
}

bool all_same_inside(const std::vector<Point>& points, double t0, double t1) {
  const Point* first = nullptr;
  for (const Point& p : points) {
    if (p.t_ns < t0 || p.t_ns > t1) continue;
    if (first == nullptr) first = &p;
    if (p.value != first->value) return false;
  }
  return first != nullptr;
}

// Trapezoids from t0 to t1, with the values at both on the line through their neighbours.
double integral(const std::vector<Point>& points, double t0, double t1) {
  double sum = 0;
  Point last{t0, at(points, t0)};
  for (const Point& p : points) {
    if (p.t_ns <= t0 || p.t_ns >= t1) continue;
    sum += (last.value + p.value) / 2 * (p.t_ns - last.t_ns) * 1e-9;
    last = p;
  }
  return sum + (last.value + at(points, t1)) / 2 * (t1 - last.t_ns) * 1e-9;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<double> distances(const std::vector<Point>& points) {
  std::vector<double> out;
  for (size_t i = 1; i < points.size(); ++i) out.push_back(points[i].t_ns - points[i - 1].t_ns);
  return out;
}

// What a sensor said, at the times from which it holds.
struct Series {
  std::vector<Point> points;
  double beat_ns = 0;  // the sensor's own, where it is slower than the readings; else 0
  double age_ns = 0;   // how old a value may be where its updates can't be told
};

// A sensor slower than its readings is a staircase: only its steps say when something was measured, each between two
// readings. What it says before its first step is as old as its beat may be: unknown.
Series by_updates(std::vector<Point> readings) {
  if (readings.empty()) return {};
  std::vector<Point> updates{readings.front()};
  for (size_t i = 1; i < readings.size(); ++i) {
    if (readings[i].value == readings[i - 1].value) continue;
    updates.push_back({(readings[i - 1].t_ns + readings[i].t_ns) / 2, readings[i].value});
  }
  const double beat = median(distances(updates));
  updates.erase(updates.begin());
  if (beat > kMinBeatReadings * median(distances(readings))) return {std::move(updates), beat, 0};
  return {std::move(readings), 0, 0};
}

// Power may truly repeat itself: it counts as a staircase only where its steps come at a regular beat.
Series power_series(const std::vector<PowerSample>& samples) {
  std::vector<Point> readings;
  for (const PowerSample& s : samples) {
    if (s.power_w) readings.push_back({static_cast<double>(s.t_ns), *s.power_w});
  }
  Series series = by_updates(readings);
  if (series.beat_ns == 0) return series;
  const std::vector<double> gaps = distances(series.points);
  const bool regular = series.points.size() >= kMinEnergyReadings &&
                       *std::max_element(gaps.begin(), gaps.end()) <= kMaxEnergyGapFactor * series.beat_ns;
  return regular ? series : Series{std::move(readings), 0, series.beat_ns};
}

Series counter_series(const std::vector<PowerSample>& samples) {
  std::vector<Point> readings;
  for (const PowerSample& s : samples) {
    if (s.energy_j) readings.push_back({static_cast<double>(s.t_ns), *s.energy_j});
  }
  Series series = by_updates(std::move(readings));
  const auto same = [](const Point& a, const Point& b) { return a.value == b.value; };
  series.points.erase(std::unique(series.points.begin(), series.points.end(), same), series.points.end());
  return series;
}

// Trusted, without joules, if what the sensor said reaches from t0 to t1 well enough. A slow one says nothing for a
// beat, and its steps are found a reading late.
WindowEnergy coverage(const Series& series, double t0, double t1, const char* what) {
  const std::vector<Point>& points = series.points;
  const size_t inside = count_inside(points, t0, t1);
  if (inside < kMinEnergyReadings) {
    std::string reason = "only " + std::to_string(inside) + " " + what + " in " +
                         sentence("%.3g s; %.0f are needed", (t1 - t0) * 1e-9, static_cast<double>(kMinEnergyReadings));
    if (series.beat_ns > 0 && points.size() > 2) {  // two whole beats at least were seen
      reason += sentence(", so %.2g s: the sensor says something new every %.2g s",
                         static_cast<double>(kMinEnergyReadings) * series.beat_ns * 1e-9, series.beat_ns * 1e-9);
    }
    return untrusted(EnergyCode::kTooFew, std::move(reason));
  }
  const double edge = std::max(points.front().t_ns - t0, t1 - points.back().t_ns);
  if (edge > std::max(kMaxEnergyEdgeShare * (t1 - t0), kMaxEnergyEdgeBeats * series.beat_ns)) {
    return untrusted(EnergyCode::kEdge,
                     sentence("no reading for %.3g s at an end of the %.3g s window", edge * 1e-9, (t1 - t0) * 1e-9));
  }
  return {std::nullopt, EnergyCode::kTrusted, ""};
}

// A counter's rise from t0 to t1: on lines between its updates; beyond the outermost ones at the mean rate of those
// in the window.
double rise(const std::vector<Point>& points, double t0, double t1) {
  const auto from = std::find_if(points.begin(), points.end(), [&](const Point& p) { return p.t_ns >= t0; });
  const auto to = std::find_if(points.rbegin(), points.rend(), [&](const Point& p) { return p.t_ns <= t1; });
  const double rate = (to->value - from->value) / (to->t_ns - from->t_ns);
  const double first =
      points.front().t_ns > t0 ? points.front().value - rate * (points.front().t_ns - t0) : at(points, t0);
  const double last = points.back().t_ns < t1 ? points.back().value + rate * (t1 - points.back().t_ns) : at(points, t1);
  return last - first;
}

// Empty if the counter agrees with the power over the time in which both said something new. Power whose age
// is unknown up to `age`, and that differs by dP from end to end, has an integral known to age x dP.
std::string audit(const Series& counter, const Series& power, double t0, double t1) {
  const auto fresh = std::find_if(power.points.begin(), power.points.end(), [&](const Point& p) {
    return power.age_ns == 0 || p.value != power.points.front().value;
  });
  const double since = fresh == power.points.end() ? power.points.front().t_ns : fresh->t_ns;
  const double from = std::max({t0, counter.points.front().t_ns, since});
  const double to = std::min({t1, counter.points.back().t_ns, power.points.back().t_ns});
  if (count_inside(power.points, from, to) < kMinEnergyReadings) return "";
  const double counted = at(counter.points, to) - at(counter.points, from);
  const double integrated = integral(power.points, from, to);
  const double unknown = power.age_ns * 1e-9 * std::abs(at(power.points, to) - at(power.points, from));
  if (std::abs(counted - integrated) <= kMaxAuditDifference * integrated + unknown) return "";
  return sentence("untrusted: the counter says %.4g J, its own power readings %.4g J", counted, integrated) +
         sentence(" over the same %.3g s of %.3g s", (to - from) * 1e-9, (t1 - t0) * 1e-9);
}

bool has_counter(const PowerSample& s) { return s.energy_j.has_value(); }
bool has_power(const PowerSample& s) { return s.power_w.has_value(); }

}  // namespace

WindowEnergy energy_by_counter(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns) {
  const auto t0 = static_cast<double>(t0_ns);
  const auto t1 = static_cast<double>(t1_ns);
  size_t read = 0;
  const PowerSample* before = nullptr;
  bool moved = false;
  for (const PowerSample& s : samples) {
    if (!s.energy_j) continue;
    if (s.t_ns >= t0_ns && s.t_ns <= t1_ns) ++read;
    if (before != nullptr && *s.energy_j < *before->energy_j) {
      return untrusted(EnergyCode::kWentBack,
                       sentence("the counter went back, from %.6g J to %.6g J", *before->energy_j, *s.energy_j));
    }
    moved = moved || (before != nullptr && *s.energy_j != *before->energy_j);
    before = &s;
  }
  if (t1_ns <= t0_ns) return untrusted(EnergyCode::kEmptyWindow, "the window is empty");
  if (read >= kMinEnergyReadings && !moved) {
    return untrusted(EnergyCode::kStuck,
                     "the counter is stuck: it did not move in " + std::to_string(read) + " readings");
  }
  const Series counter = counter_series(samples);
  if (WindowEnergy covered = coverage(counter, t0, t1, "counter updates"); covered.code != EnergyCode::kTrusted)
    return covered;
  return {rise(counter.points, t0, t1), EnergyCode::kTrusted, ""};
}

WindowEnergy energy_by_power(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns,
                             uint64_t averaging_ns) {
  const auto t0 = static_cast<double>(t0_ns);
  const auto t1 = static_cast<double>(t1_ns);
  const Series power = power_series(samples);
  const std::vector<Point>& points = power.points;
  if (t1_ns <= t0_ns) return untrusted(EnergyCode::kEmptyWindow, "the window is empty");
  if (WindowEnergy covered = coverage(power, t0, t1, "power samples"); covered.code != EnergyCode::kTrusted)
    return covered;
  if (static_cast<double>(averaging_ns) > 0.5 * (t1 - t0)) {
    return untrusted(EnergyCode::kAveraging,
                     sentence("the source averages over %.3g s, too long for a window of %.3g s",
                              static_cast<double>(averaging_ns) * 1e-9, (t1 - t0) * 1e-9));
  }
  const double gap = longest_gap_inside(points, t0, t1);
  const double even = (t1 - t0) / static_cast<double>(count_inside(points, t0, t1));
  if (gap > kMaxEnergyGapShare * (t1 - t0) && gap > kMaxEnergyGapFactor * even) {
    return untrusted(EnergyCode::kGap, sentence("no power sample for %.3g s of %.3g s", gap * 1e-9, (t1 - t0) * 1e-9));
  }
  if (t1_ns - t0_ns >= kStuckPowerNs && all_same_inside(points, t0, t1)) {
    return untrusted(EnergyCode::kStuck, sentence("the sensor is stuck: %.6g W in every sample of %.3g s",
                                                  at(points, (t0 + t1) / 2), (t1 - t0) * 1e-9));
  }
  return {integral(points, t0, t1), EnergyCode::kTrusted, ""};
}

namespace {

// The energy of the window, or the first of the audits that finds something.
WindowEnergy believed(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns, uint64_t averaging_ns,
                      double limit_w, bool whole_machine) {
  const auto doubted = [](EnergyCode code, std::string found) { return untrusted(code, std::move(found)); };
  if (std::string found = reading_fault(samples); !found.empty()) return doubted(EnergyCode::kImpossible, found);
  const bool counter = std::any_of(samples.begin(), samples.end(), has_counter);
  const WindowEnergy by_power = energy_by_power(samples, t0_ns, t1_ns, averaging_ns);
  WindowEnergy chosen = counter ? energy_by_counter(samples, t0_ns, t1_ns) : by_power;
  if (!chosen.joules) return chosen;
  const double watts = *chosen.joules / (static_cast<double>(t1_ns - t0_ns) * 1e-9);
  if (counter) {
    std::string found = counter_jump(samples, t0_ns, t1_ns, limit_w);
    if (!found.empty()) return doubted(EnergyCode::kJump, found);
    if (by_power.code == EnergyCode::kTrusted) {
      found =
          audit(counter_series(samples), power_series(samples), static_cast<double>(t0_ns), static_cast<double>(t1_ns));
    }
    if (found.empty()) found = unit_fault(watts, samples);
    if (!found.empty()) return doubted(EnergyCode::kDisagrees, found);
  }
  std::string found = mean_fault(watts, limit_w, whole_machine);
  return found.empty() ? chosen : doubted(EnergyCode::kImpossible, found);
}

}  // namespace

Energy energy_of_source(const std::string& name, const std::vector<PowerSample>& told, uint64_t t0_ns, uint64_t t1_ns,
                        uint64_t averaging_ns, double limit_w) {
  const std::vector<PowerSample> samples = sane_around(told, t0_ns, t1_ns);
  Energy energy;
  energy.averaging_ns = averaging_ns;
  if (limit_w > 0) energy.power_limit_w = limit_w;
  energy.code = energy_code_name(EnergyCode::kNoSource);
  const bool counter = std::any_of(samples.begin(), samples.end(), has_counter);
  const bool power = std::any_of(samples.begin(), samples.end(), has_power);
  if (!counter && !power) {
    energy.reason = name + ": no valid reading";
    return energy;
  }
  energy.source = name + (counter ? kByCounter : kByPower);
  const bool whole = sees_whole_machine(name);  // the limit is the board's
  const WindowEnergy chosen = believed(samples, t0_ns, t1_ns, averaging_ns, whole ? 0 : limit_w, whole);
  energy.joules = chosen.joules;
  energy.code = energy_code_name(chosen.code);
  energy.reason = chosen.reason;
  if (energy.joules) energy.watts_mean = *energy.joules / (static_cast<double>(t1_ns - t0_ns) * 1e-9);
  return energy;
}

const char* energy_code_name(EnergyCode code) {
  constexpr std::array<const char*, 12> kNames{"trusted",   "no-source",  "empty-window", "too-few",
                                               "edge",      "gap",        "stuck",        "averaging",
                                               "went-back", "impossible", "jump",         "disagrees"};
  return kNames[static_cast<size_t>(code)];
}

double EnergyUncertainty::total() const {
  return std::sqrt(meter * meter + sampling * sampling + alignment * alignment);
}

EnergyUncertainty energy_uncertainty(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns,
                                     uint64_t averaging_ns, double watts_mean, std::optional<double> idle_watts,
                                     double meter_share) {
  EnergyUncertainty out;
  out.meter = meter_share;
  const auto t0 = static_cast<double>(t0_ns), t1 = static_cast<double>(t1_ns);
  const bool counter = std::any_of(samples.begin(), samples.end(), has_counter);
  const std::vector<Point> points = (counter ? counter_series(samples) : power_series(samples)).points;
  if (points.size() < 2 || !(t1 > t0) || !(watts_mean > 0)) return out;
  const double distance = (points.back().t_ns - points.front().t_ns) / static_cast<double>(points.size() - 1);
  const double shift = 0.5 * std::max(distance, static_cast<double>(averaging_ns));
  out.alignment = 2 * shift / (t1 - t0) * std::abs(watts_mean - idle_watts.value_or(0)) / watts_mean;
  // A counter sums by itself: only where it was read matters.
  if (counter || points.size() < 4) return out;
  std::vector<Point> half;
  for (size_t i = 0; i < points.size(); i += 2) half.push_back(points[i]);
  if (half.back().t_ns < points.back().t_ns) half.push_back(points.back());
  const double all = integral(points, t0, t1);
  out.sampling = all > 0 ? std::abs(integral(half, t0, t1) / all - 1) / 3 : 0;
  return out;
}

}  // namespace assay
