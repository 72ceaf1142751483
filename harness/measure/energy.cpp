#include "harness/measure/energy.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace assay {
namespace {

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

// "" if the points reach from t0 to t1 well enough.
std::string coverage_problem(const std::vector<Point>& points, double t0, double t1, const char* what) {
  const size_t inside = count_inside(points, t0, t1);
  if (inside < kMinEnergyReadings) {
    return std::string("only ") + std::to_string(inside) + " " + what + " in " +
           sentence("%.3g s; %.0f are needed", (t1 - t0) * 1e-9, static_cast<double>(kMinEnergyReadings));
  }
  const double edge = std::max(points.front().t_ns - t0, t1 - points.back().t_ns);
  if (edge > kMaxEnergyEdgeShare * (t1 - t0)) {
    return sentence("no reading for %.3g s at an end of the %.3g s window", edge * 1e-9, (t1 - t0) * 1e-9);
  }
  return "";
}

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

std::vector<Point> power_points(const std::vector<PowerSample>& samples) {
  std::vector<Point> points;
  for (const PowerSample& s : samples) {
    if (s.power_w) points.push_back({static_cast<double>(s.t_ns), *s.power_w});
  }
  return points;
}

bool has_counter(const PowerSample& s) { return s.energy_j.has_value(); }
bool has_power(const PowerSample& s) { return s.power_w.has_value(); }

}  // namespace

WindowEnergy energy_by_counter(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns) {
  const auto t0 = static_cast<double>(t0_ns);
  const auto t1 = static_cast<double>(t1_ns);
  std::vector<Point> moved;  // a slow counter is a staircase: only its steps say when the energy was used
  size_t read = 0;
  for (const PowerSample& s : samples) {
    if (!s.energy_j) continue;
    if (s.t_ns >= t0_ns && s.t_ns <= t1_ns) ++read;
    const Point p{static_cast<double>(s.t_ns), *s.energy_j};
    if (!moved.empty() && p.value < moved.back().value) {
      return {std::nullopt, sentence("the counter went back, from %.6g J to %.6g J", moved.back().value, p.value)};
    }
    if (moved.empty() || p.value != moved.back().value) moved.push_back(p);
  }
  if (t1_ns <= t0_ns) return {std::nullopt, "the window is empty"};
  if (read >= kMinEnergyReadings && moved.size() < 2) {
    return {std::nullopt, "the counter is stuck: it did not move in " + std::to_string(read) + " readings"};
  }
  if (std::string problem = coverage_problem(moved, t0, t1, "counter updates"); !problem.empty()) {
    return {std::nullopt, std::move(problem)};
  }
  return {at(moved, t1) - at(moved, t0), ""};
}

WindowEnergy energy_by_power(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns,
                             uint64_t averaging_ns) {
  const auto t0 = static_cast<double>(t0_ns);
  const auto t1 = static_cast<double>(t1_ns);
  const std::vector<Point> points = power_points(samples);
  if (t1_ns <= t0_ns) return {std::nullopt, "the window is empty"};
  if (std::string problem = coverage_problem(points, t0, t1, "power samples"); !problem.empty()) {
    return {std::nullopt, std::move(problem)};
  }
  if (static_cast<double>(averaging_ns) > 0.5 * (t1 - t0)) {
    return {std::nullopt, sentence("the source averages over %.3g s, too long for a window of %.3g s",
                                   static_cast<double>(averaging_ns) * 1e-9, (t1 - t0) * 1e-9)};
  }
  const double gap = longest_gap_inside(points, t0, t1);
  const double even = (t1 - t0) / static_cast<double>(count_inside(points, t0, t1));
  if (gap > kMaxEnergyGapShare * (t1 - t0) && gap > kMaxEnergyGapFactor * even) {
    return {std::nullopt, sentence("no power sample for %.3g s of %.3g s", gap * 1e-9, (t1 - t0) * 1e-9)};
  }
  if (t1_ns - t0_ns >= kStuckPowerNs && all_same_inside(points, t0, t1)) {
    return {std::nullopt, sentence("the sensor is stuck: %.6g W in every sample of %.3g s", at(points, (t0 + t1) / 2),
                                   (t1 - t0) * 1e-9)};
  }
  double joules = 0;
  Point last{t0, at(points, t0)};
  for (const Point& p : points) {
    if (p.t_ns <= t0 || p.t_ns >= t1) continue;
    joules += (last.value + p.value) / 2 * (p.t_ns - last.t_ns) * 1e-9;
    last = p;
  }
  joules += (last.value + at(points, t1)) / 2 * (t1 - last.t_ns) * 1e-9;
  return {joules, ""};
}

Energy energy_of_source(const std::string& name, const std::vector<PowerSample>& samples, uint64_t t0_ns,
                        uint64_t t1_ns, uint64_t averaging_ns) {
  Energy energy;
  const bool counter = std::any_of(samples.begin(), samples.end(), has_counter);
  const bool power = std::any_of(samples.begin(), samples.end(), has_power);
  if (!counter && !power) {
    energy.reason = name + ": no valid reading";
    return energy;
  }
  energy.source = name + (counter ? ", energy counter" : ", integrated power");
  const WindowEnergy by_power = power ? energy_by_power(samples, t0_ns, t1_ns, averaging_ns) : WindowEnergy{};
  WindowEnergy chosen = counter ? energy_by_counter(samples, t0_ns, t1_ns) : by_power;
  if (counter && chosen.joules && by_power.joules) {
    const double difference = std::abs(*chosen.joules / *by_power.joules - 1);
    if (!(difference <= kMaxAuditDifference)) {
      chosen = {std::nullopt, sentence("untrusted: the counter says %.4g J, its own power readings %.4g J",
                                       *chosen.joules, *by_power.joules)};
    }
  }
  energy.joules = chosen.joules;
  energy.reason = chosen.reason;
  if (energy.joules) energy.watts_mean = *energy.joules / (static_cast<double>(t1_ns - t0_ns) * 1e-9);
  return energy;
}

}  // namespace assay
