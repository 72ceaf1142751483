#include "results/metrics/energy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace assay {
namespace {

constexpr const char *kByCounter = ", energy counter", *kByPower = ", integrated power";

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

// Trusted, without joules, if the points reach from t0 to t1 well enough.
WindowEnergy coverage(const std::vector<Point>& points, double t0, double t1, const char* what) {
  const size_t inside = count_inside(points, t0, t1);
  if (inside < kMinEnergyReadings) {
    return untrusted(EnergyCode::kTooFew, std::string("only ") + std::to_string(inside) + " " + what + " in " +
                                              sentence("%.3g s; %.0f are needed", (t1 - t0) * 1e-9,
                                                       static_cast<double>(kMinEnergyReadings)));
  }
  const double edge = std::max(points.front().t_ns - t0, t1 - points.back().t_ns);
  if (edge > kMaxEnergyEdgeShare * (t1 - t0)) {
    return untrusted(EnergyCode::kEdge,
                     sentence("no reading for %.3g s at an end of the %.3g s window", edge * 1e-9, (t1 - t0) * 1e-9));
  }
  return {std::nullopt, EnergyCode::kTrusted, ""};
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

std::vector<Point> power_points(const std::vector<PowerSample>& samples) {
  std::vector<Point> points;
  for (const PowerSample& s : samples) {
    if (s.power_w) points.push_back({static_cast<double>(s.t_ns), *s.power_w});
  }
  return points;
}

std::vector<Point> counter_points(const std::vector<PowerSample>& samples) {
  std::vector<Point> points;
  for (const PowerSample& s : samples) {
    if (s.energy_j) points.push_back({static_cast<double>(s.t_ns), *s.energy_j});
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
      return untrusted(EnergyCode::kWentBack,
                       sentence("the counter went back, from %.6g J to %.6g J", moved.back().value, p.value));
    }
    if (moved.empty() || p.value != moved.back().value) moved.push_back(p);
  }
  if (t1_ns <= t0_ns) return untrusted(EnergyCode::kEmptyWindow, "the window is empty");
  if (read >= kMinEnergyReadings && moved.size() < 2) {
    return untrusted(EnergyCode::kStuck,
                     "the counter is stuck: it did not move in " + std::to_string(read) + " readings");
  }
  if (WindowEnergy covered = coverage(moved, t0, t1, "counter updates"); covered.code != EnergyCode::kTrusted)
    return covered;
  return {at(moved, t1) - at(moved, t0), EnergyCode::kTrusted, ""};
}

WindowEnergy energy_by_power(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns,
                             uint64_t averaging_ns) {
  const auto t0 = static_cast<double>(t0_ns);
  const auto t1 = static_cast<double>(t1_ns);
  const std::vector<Point> points = power_points(samples);
  if (t1_ns <= t0_ns) return untrusted(EnergyCode::kEmptyWindow, "the window is empty");
  if (WindowEnergy covered = coverage(points, t0, t1, "power samples"); covered.code != EnergyCode::kTrusted)
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

Energy energy_of_source(const std::string& name, const std::vector<PowerSample>& samples, uint64_t t0_ns,
                        uint64_t t1_ns, uint64_t averaging_ns) {
  Energy energy;
  energy.averaging_ns = averaging_ns;
  energy.code = energy_code_name(EnergyCode::kNoSource);
  const bool counter = std::any_of(samples.begin(), samples.end(), has_counter);
  const bool power = std::any_of(samples.begin(), samples.end(), has_power);
  if (!counter && !power) {
    energy.reason = name + ": no valid reading";
    return energy;
  }
  energy.source = name + (counter ? kByCounter : kByPower);
  const WindowEnergy by_power = power ? energy_by_power(samples, t0_ns, t1_ns, averaging_ns) : WindowEnergy{};
  WindowEnergy chosen = counter ? energy_by_counter(samples, t0_ns, t1_ns) : by_power;
  if (counter && chosen.joules && by_power.joules) {
    const double difference = std::abs(*chosen.joules / *by_power.joules - 1);
    if (!(difference <= kMaxAuditDifference)) {
      chosen = untrusted(EnergyCode::kDisagrees,
                         sentence("untrusted: the counter says %.4g J, its own power readings %.4g J", *chosen.joules,
                                  *by_power.joules));
    }
  }
  energy.joules = chosen.joules;
  energy.code = energy_code_name(chosen.code);
  energy.reason = chosen.reason;
  if (energy.joules) energy.watts_mean = *energy.joules / (static_cast<double>(t1_ns - t0_ns) * 1e-9);
  return energy;
}

Energy energy_again(const Energy& recorded) {
  std::string name = recorded.source;
  for (const std::string& way : {std::string(kByCounter), std::string(kByPower)}) {
    if (name.size() > way.size() && name.substr(name.size() - way.size()) == way) name.resize(name.size() - way.size());
  }
  Energy out =
      energy_of_source(name, recorded.samples, recorded.window_start_ns, recorded.window_end_ns, recorded.averaging_ns);
  out.idle_watts = recorded.idle_watts;
  out.window_start_ns = recorded.window_start_ns;
  out.window_end_ns = recorded.window_end_ns;
  out.samples = recorded.samples;
  if (out.joules) {
    out.uncertainty_j = *out.joules * energy_uncertainty(out.samples, out.window_start_ns, out.window_end_ns,
                                                         out.averaging_ns, *out.watts_mean, out.idle_watts)
                                          .total();
  }
  return out;
}

const char* energy_code_name(EnergyCode code) {
  constexpr std::array<const char*, 10> kNames{"trusted", "no-source", "empty-window", "too-few",   "edge",
                                               "gap",     "stuck",     "averaging",    "went-back", "disagrees"};
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
  const std::vector<Point> points = counter ? counter_points(samples) : power_points(samples);
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

EnergySource energy_source(const std::string& source) {
  const auto has = [&](const char* word) { return source.find(word) != std::string::npos; };
  if (source.empty() || source == "none") return EnergySource::kNone;
  if (has("wall") || has("analyser")) return EnergySource::kWall;
  if (has("BMC") || has("DCMI") || has("Redfish")) return EnergySource::kBmc;
  return has(kByCounter) ? EnergySource::kCounter : EnergySource::kPower;
}

bool sees_whole_machine(const std::string& source) {
  const EnergySource kind = energy_source(source);
  return kind == EnergySource::kWall || kind == EnergySource::kBmc || source.find("(node") != std::string::npos;
}

EnergyFigures energy_figures(const Record& record) {
  EnergyFigures out;
  const Energy& e = record.energy;
  out.code = e.code;
  out.reason = e.reason;
  if (record.status != "ok") return out;  // what a failed run took is the energy of no work
  if (record.reported) {
    for (const ReportedFigure& f : record.reported->figures) {
      if (f.name == "energy_per_token") out.joules_per_token = f.value;
    }
    if (out.joules_per_token) out.tokens_per_joule = 1 / *out.joules_per_token;
    return out;
  }
  const double tokens =
      static_cast<double>(record.tokens_per_step) * static_cast<double>(record.samples.host_ns.size());
  if (!e.joules || !(tokens > 0) || !(*e.joules > 0)) return out;
  out.joules_per_token = *e.joules / tokens;
  out.tokens_per_joule = tokens / *e.joules;
  if (e.uncertainty_j) out.relative_uncertainty = *e.uncertainty_j / *e.joules;
  if (e.idle_watts && e.watts_mean && *e.watts_mean > 0) {
    out.net_joules_per_token = *out.joules_per_token * (1 - *e.idle_watts / *e.watts_mean);
  }
  return out;
}

}  // namespace assay
