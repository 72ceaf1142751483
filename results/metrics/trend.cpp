#include "results/metrics/trend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "results/metrics/student.h"

namespace assay {
namespace {

constexpr size_t kLeastSide = 2;  // records on each side of a change
constexpr double kOwnConfidence = 0.95;

double mean_log(std::span<const TrendPoint> points) {
  double sum = 0;
  for (const TrendPoint& p : points) sum += std::log(p.rate.value);
  return sum / static_cast<double>(points.size());
}

double squares_about(std::span<const TrendPoint> points, double mean) {
  double sum = 0;
  for (const TrendPoint& p : points) sum += std::pow(std::log(p.rate.value) - mean, 2);
  return sum;
}

// Mean variance of ln rate by the records' own intervals; none where none has one.
std::optional<double> own_variance(std::span<const TrendPoint> before, std::span<const TrendPoint> after) {
  double sum = 0;
  size_t count = 0;
  for (const auto& side : {before, after}) {
    for (const TrendPoint& p : side) {
      if (!p.rate.low || !p.rate.high || *p.rate.low <= 0) continue;
      sum += std::pow(std::log(*p.rate.high / *p.rate.low) / 2 / normal_two_sided(kOwnConfidence), 2);
      ++count;
    }
  }
  return count == 0 ? std::nullopt : std::optional(sum / static_cast<double>(count));
}

// How far the change stands out of its interval.
double evidence(const Ratio& ratio) {
  const double half = std::log(*ratio.high / *ratio.low) / 2;
  return half > 0 ? std::abs(std::log(ratio.value)) / half : std::numeric_limits<double>::infinity();
}

void search(std::span<const TrendPoint> points, size_t first, double margin, double confidence,
            std::vector<ChangePoint>* out) {
  if (points.size() < 2 * kLeastSide) return;
  const auto splits = static_cast<double>(points.size() - 2 * kLeastSide + 1);
  std::optional<ChangePoint> best;
  for (size_t at = kLeastSide; at + kLeastSide <= points.size(); ++at) {
    const LevelDifference change =
        level_difference(points.first(at), points.subspan(at), margin, 1 - (1 - confidence) / splits);
    if (change.verdict != Difference::kFaster && change.verdict != Difference::kSlower) continue;
    if (!best || evidence(change.ratio) > evidence(best->change.ratio)) best = ChangePoint{first + at, change};
  }
  if (!best) return;
  const size_t at = best->at - first;
  search(points.first(at), first, margin, confidence, out);
  out->push_back(*best);
  search(points.subspan(at), best->at, margin, confidence, out);
}

}  // namespace

LevelDifference level_difference(std::span<const TrendPoint> before, std::span<const TrendPoint> after, double margin,
                                 double confidence) {
  LevelDifference out;
  out.records_before = before.size();
  out.records_after = after.size();
  out.confidence = confidence;
  const double of_before = mean_log(before), of_after = mean_log(after);
  out.before.value = std::exp(of_before);
  out.after.value = std::exp(of_after);
  const auto dof = static_cast<double>(before.size() + after.size() - 2);
  const std::optional<double> own = own_variance(before, after);
  if (dof > 0 || own) {
    const double seen = dof > 0 ? (squares_about(before, of_before) + squares_about(after, of_after)) / dof : 0;
    const double spread = std::sqrt(std::max(seen, own.value_or(0)));
    const double t = dof > 0 ? student_two_sided(confidence, dof) : normal_two_sided(confidence);
    const auto bound = [&](size_t records, BoundedValue* level) {
      const double factor = std::exp(t * spread / std::sqrt(static_cast<double>(records)));
      level->low = level->value / factor;
      level->high = level->value * factor;
    };
    bound(before.size(), &out.before);
    bound(after.size(), &out.after);
  }
  out.ratio = ratio_of(out.before, out.after);
  out.verdict = decide(out.ratio, margin);
  return out;
}

std::vector<ChangePoint> change_points(std::span<const TrendPoint> points, double margin, double confidence) {
  std::vector<ChangePoint> out;
  search(points, 0, margin, confidence, &out);
  return out;
}

std::optional<TrendSlope> trend_slope(std::span<const TrendPoint> points, double confidence) {
  std::vector<double> slopes;
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t j = i + 1; j < points.size(); ++j) {
      const double days = points[j].day - points[i].day;
      if (days > 0) slopes.push_back(std::log(points[j].rate.value / points[i].rate.value) / days);
    }
  }
  if (slopes.empty()) return std::nullopt;
  std::sort(slopes.begin(), slopes.end());
  const size_t half = slopes.size() / 2;
  TrendSlope out;
  out.per_day = slopes.size() % 2 == 1 ? slopes[half] : (slopes[half - 1] + slopes[half]) / 2;
  const auto n = static_cast<double>(points.size()), pairs = static_cast<double>(slopes.size());
  const double c = normal_two_sided(confidence) * std::sqrt(n * (n - 1) * (2 * n + 5) / 18);
  const double rank = std::floor((pairs - c) / 2);  // from 1, of the lower bound, and of the upper from the end
  if (rank >= 1) {
    const auto r = static_cast<size_t>(rank);
    out.interval = Interval{slopes[r - 1], slopes[slopes.size() - r]};
  }
  return out;
}

std::optional<LevelDifference> last_against_first(std::span<const TrendPoint> points, size_t edge, double margin,
                                                  double confidence) {
  const size_t each = std::min(edge, points.size() / 2);
  if (each == 0) return std::nullopt;
  return level_difference(points.first(each), points.last(each), margin, confidence);
}

}  // namespace assay
