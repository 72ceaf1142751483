// One case on one chip over time: where its rate changed, how it drifts, and whether the last records are slower than
// the first. A comparison of two nights is blind to what creeps: 0.7 % a night lies within any margin worth having.
//
// "trend/1". With y_i = ln rate of record i:
//   Two groups of records, n_a before and n_b after. s^2 is the variance of one record about its group's mean: what the
//   records of the two groups differ by (pooled, n_a + n_b - 2 degrees of freedom), or what their own intervals say,
//   where that is more. A group's level is exp(mean y) with the interval exp(mean y -+ t s / sqrt(n)), t of Student;
//   from there on it is the comparison of two runs (two_sample.h): the interval of the ratio by MOVER, and FASTER or
//   SLOWER only where all of it lies beyond the margin.
//   Change points. Of all splits that leave two records on each side the one is taken that stands out most (|ln ratio|
//   over the half-width of its interval) among those that are FASTER or SLOWER at 1 - (1 - confidence) / splits
//   (Bonferroni), and both sides are searched again. So a series in which nothing changed gets a change in at most
//   1 - confidence of cases. A drift is told as a few steps; the slope is what describes it.
//   Slope. Theil and Sen: the median of (y_j - y_i) / (t_j - t_i) over all pairs, which one odd night doesn't move,
//   with the interval by Kendall's S (normal approximation; six records at least).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "results/metrics/throughput.h"
#include "results/metrics/two_sample.h"

namespace assay {

struct TrendPoint {
  double day = 0;     // since any one moment; points stand in order of it
  BoundedValue rate;  // over 0; its interval, if any, at 95 %
};

struct LevelDifference {
  size_t records_before = 0, records_after = 0;
  BoundedValue before, after;
  Ratio ratio;  // after / before
  double confidence = 0;
  Difference verdict = Difference::kAmbiguous;
};
// Neither group is empty. One record on each side needs its own interval.
LevelDifference level_difference(std::span<const TrendPoint> before, std::span<const TrendPoint> after, double margin,
                                 double confidence);

struct ChangePoint {
  size_t at = 0;  // the first point of the new level
  LevelDifference change;
};
// In order of time.
std::vector<ChangePoint> change_points(std::span<const TrendPoint> points, double margin, double confidence);

struct TrendSlope {
  double per_day = 0;  // of ln rate
  std::optional<Interval> interval;
};
// None where no two points lie apart.
std::optional<TrendSlope> trend_slope(std::span<const TrendPoint> points, double confidence);

// The last `edge` records against the first, or, where there are fewer than twice as many, half against half. None for
// fewer than two.
std::optional<LevelDifference> last_against_first(std::span<const TrendPoint> points, size_t edge, double margin,
                                                  double confidence);

}  // namespace assay
