#include "results/metrics/pareto.h"

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

struct Knot {
  double x = 0, y = 0;
};

// Slope at knot i by Steffen: limited so that no segment leaves the range of its ends.
double slope_at(const std::vector<Knot>& k, size_t i) {
  const size_t last = k.size() - 1;
  const auto secant = [&](size_t from) { return (k[from + 1].y - k[from].y) / (k[from + 1].x - k[from].x); };
  const auto sign = [](double v) { return v < 0 ? -1.0 : v > 0 ? 1.0 : 0.0; };
  if (last == 1) return secant(0);
  if (i == 0 || i == last) {
    const size_t near = i == 0 ? 0 : last - 1, far = i == 0 ? 1 : last - 2;
    const double h = k[near + 1].x - k[near].x, h_far = k[far + 1].x - k[far].x;
    const double s = secant(near), s_far = secant(far), p = s * (1 + h / (h + h_far)) - s_far * h / (h + h_far);
    if (p * s <= 0) return 0;
    return std::abs(p) > 2 * std::abs(s) ? 2 * s : p;
  }
  const double h_before = k[i].x - k[i - 1].x, h_after = k[i + 1].x - k[i].x;
  const double before = secant(i - 1), after = secant(i);
  const double p = (before * h_after + after * h_before) / (h_before + h_after);
  return (sign(before) + sign(after)) * std::min({std::abs(before), std::abs(after), std::abs(p) / 2});
}

// x within the knots.
double interpolate(const std::vector<Knot>& k, double x) {
  size_t i = 0;
  while (i + 2 < k.size() && x > k[i + 1].x) ++i;
  const double h = k[i + 1].x - k[i].x, t = x - k[i].x, s = (k[i + 1].y - k[i].y) / h;
  const double left = slope_at(k, i), right = slope_at(k, i + 1);
  const double a = (left + right - 2 * s) / (h * h), b = (3 * s - 2 * left - right) / h;
  return ((a * t + b) * t + left) * t + k[i].y;
}

}  // namespace

std::vector<LoadPoint> pareto_front(std::vector<LoadPoint> points) {
  std::sort(points.begin(), points.end(), [](const LoadPoint& a, const LoadPoint& b) {
    return a.per_user != b.per_user ? a.per_user > b.per_user : a.rate.value > b.rate.value;
  });
  std::vector<LoadPoint> front;
  for (LoadPoint& p : points) {
    if (front.empty() || p.rate.value > front.back().rate.value) front.push_back(std::move(p));
  }
  std::reverse(front.begin(), front.end());
  return front;
}

std::optional<RateAt> rate_at(const std::vector<LoadPoint>& front, double per_user) {
  for (const LoadPoint& p : front) {
    if (p.per_user == per_user) return RateAt{p.rate, false};
  }
  if (front.size() < 2 || per_user < front.front().per_user || per_user > front.back().per_user) return std::nullopt;
  std::vector<Knot> value, low, high;
  for (const LoadPoint& p : front) {
    value.push_back({p.per_user, p.rate.value});
    if (p.rate.low) low.push_back({p.per_user, *p.rate.low});
    if (p.rate.high) high.push_back({p.per_user, *p.rate.high});
  }
  RateAt out{{interpolate(value, per_user), {}, {}}, true};
  if (low.size() == front.size() && high.size() == front.size()) {
    out.rate.low = interpolate(low, per_user);
    out.rate.high = interpolate(high, per_user);
  }
  return out;
}

}  // namespace assay
