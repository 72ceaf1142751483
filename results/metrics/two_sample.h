// Two runs of the same work side by side: is B faster than A, by how much, and how sure.
//
// The rule. A figure's interval (95 %) comes from its own run: of a mean by what its launches differ by (launches.h),
// of one launch by the block bootstrap, of a percentile by order statistics of as many values as the correlated steps
// are worth. The interval of the ratio follows from both by
// MOVER (Zou and Donner, Statistics in Medicine 27, 2008: the distances to the bounds add in quadrature), on the log
// scale. With the margin m, the smallest change worth telling,
//   SAME       the whole interval lies within 1/(1+m) .. 1+m,
//   FASTER     it lies wholly above 1+m,
//   SLOWER     it lies wholly below 1/(1+m),
//   AMBIGUOUS  otherwise, and wherever a figure has no interval.
// So a change is told only across a clear gap, and "same" needs evidence too: a short run is AMBIGUOUS, not SAME.
// A/A control: where a side holds repeats of a case, runs of equal work on equal hardware, the largest difference
// between two of them is what this machine does by itself; a smaller margin than that is raised to it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace assay {

inline constexpr double kDefaultMargin = 0.02;

struct BoundedValue {
  double value = 0;
  std::optional<double> low, high;
};

struct Ratio {
  double value = 0;
  std::optional<double> low, high;  // both or none
};

// b / a, both over 0. No interval where a bound is absent or not over 0.
Ratio ratio_of(const BoundedValue& a, const BoundedValue& b);

enum class Difference { kSame, kFaster, kSlower, kAmbiguous };
const char* difference_name(Difference d);  // "SAME", ...

// By the rule above. `speed`: over 1 where B is faster. `margin` 0.02: 2 %.
Difference decide(const Ratio& speed, double margin);

// The larger of the margin and the largest ratio less 1 between any two of `repeats` (values over 0).
double margin_of_repeats(double margin, const std::vector<double>& repeats);

// The p-quantile (nearest rank) of correlated x, with bounds that hold at `confidence` together: order statistics at
// the n / tau that n correlated values are worth, tau being that of the indicator x <= quantile. No value where
// n < 1/(1-p). `sorted` is x sorted.
std::optional<BoundedValue> correlated_quantile(const std::vector<double>& x, const std::vector<double>& sorted,
                                                double p, double confidence);

// P(a value of b < a value of a) + P(equal) / 2, of sorted lists: 0.5 where neither tends to be smaller. An effect
// size that needs no distribution (Vargha and Delaney's A).
double probability_smaller(const std::vector<double>& sorted_a, const std::vector<double>& sorted_b);

}  // namespace assay
