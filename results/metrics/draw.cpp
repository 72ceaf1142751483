#include "results/metrics/draw.h"

#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>

namespace assay {
namespace {

constexpr double kZ95 = 1.959963984540054;  // of a two-sided 95 % interval of the normal

// Triangle over [low, high] with its mode at the typical value.
double triangle_quantile(const Estimate& e, double p) {
  const double width = e.high - e.low;
  if (!(width > 0)) return e.typical;
  const double below = (e.typical - e.low) / width;
  if (p < below) return e.low + std::sqrt(p * width * (e.typical - e.low));
  return e.high - std::sqrt((1 - p) * width * (e.high - e.typical));
}

// Normal on each side of the typical value, so that an interval may be uneven. Never reaches zero from above: a rate
// of no tokens is no rate.
double interval_quantile(const Estimate& e, double p) {
  const double z = boost::math::quantile(boost::math::normal(), p);
  const double sigma = (z < 0 ? e.typical - e.low : e.high - e.typical) / kZ95;
  const double x = e.typical + z * sigma;
  return e.typical > 0 ? std::max(x, e.typical * 1e-3) : x;
}

}  // namespace

double estimate_quantile(const Estimate& e, double p) {
  if (e.spread == Spread::kUnknown) return std::numeric_limits<double>::quiet_NaN();
  return e.spread == Spread::kRange ? triangle_quantile(e, p) : interval_quantile(e, p);
}

double Draw::uniform() { return (static_cast<double>(random_() >> 11U) + 0.5) * 0x1p-53; }

double Draw::value_of(const Estimate& e) { return estimate_quantile(e, uniform()); }

}  // namespace assay
