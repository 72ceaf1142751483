// Numbers as a reader wants them: as many digits as the interval supports, units in steps of a thousand.
#pragma once

#include <optional>
#include <string>

#include "results/metrics/metrics.h"

namespace assay {

// "9.41 ms", "812 µs"
std::string time_text(double ns);
// "8.80–9.97": bounds of a time, in the unit and the digits that time_text() gives it.
std::string time_bounds_text(double ns, double low, double high);
// The metrics' units of rates.
bool is_rate_unit(const std::string& unit);
// A rate in the metrics' unit, its digits fitting the interval: "181.3", "217.4 GFLOP/s"; four where there is none.
std::string rate_text(double per_s, double half_width, const std::string& unit);
// "179.9–182.6", in the same scale as rate_text; "–" for a single step, which has no interval.
std::string interval_text(const Throughput& rate, const std::string& unit);
std::string interval_text(double per_s, const Interval& interval, const std::string& unit);
std::string percent_text(double share);  // "87.3 %"
// A reported figure with its unit, as many digits as the source is likely to have meant (6 at most).
std::string reported_text(const ReportedFigure& figure);
// Its interval in the same notation: "13736.1–13918.2"; both bounds must be there.
std::string reported_interval_text(const ReportedFigure& figure);
// Significant digits, no exponent where it can be avoided: "0.0123", "5.2e+09".
std::string number_text(double value, int digits);

}  // namespace assay
