#include "reports/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace assay {
namespace {

constexpr int kReportedDigits = 6;

std::string fixed(double value, int decimals) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

// Decimals that show two digits of `uncertainty`, of at most four digits after the point.
int decimals_for(double uncertainty, double value) {
  const double size = uncertainty > 0 ? uncertainty : std::abs(value) / 1000;
  if (size <= 0) return 0;
  return std::clamp(1 - static_cast<int>(std::floor(std::log10(size))), 0, 4);
}

// Four significant digits: more claim what nothing bounds.
std::string four_digits(double value) {
  const int place = value == 0 ? 0 : static_cast<int>(std::floor(std::log10(std::abs(value)))) - 3;
  if (place <= 0) return fixed(value, std::min(-place, 6));
  const double unit = std::pow(10, place);
  return fixed(std::round(value / unit) * unit, 0);
}

struct Scale {
  double factor;
  const char* unit;
};

Scale scale_of(double per_s, const std::string& unit) {
  if (unit == "tokens/s") return {1, ""};
  if (unit == "passes/s") return {1, " passes/s"};
  if (unit == "pixels/s") return {1e6, " Mpixel/s"};
  const bool flops = unit == "FLOP/s";
  if (per_s >= 1e12) return {1e12, flops ? " TFLOP/s" : " TB/s"};
  if (per_s >= 1e9) return {1e9, flops ? " GFLOP/s" : " GB/s"};
  return {1e6, flops ? " MFLOP/s" : " MB/s"};
}

Scale time_scale(double ns) {
  for (const Scale& s : {Scale{1e9, " s"}, Scale{1e6, " ms"}, Scale{1e3, " µs"}}) {
    if (ns >= s.factor) return s;
  }
  return {1, " ns"};
}

int time_decimals(double value) { return value >= 99.95 ? 1 : value >= 9.995 ? 2 : 3; }

}  // namespace

std::string number_text(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*g", digits, value);
  return text.data();
}

std::string time_text(double ns) {
  const Scale s = time_scale(ns);
  return fixed(ns / s.factor, time_decimals(ns / s.factor)) + s.unit;
}

std::string time_bounds_text(double ns, double low, double high) {
  const double factor = time_scale(ns).factor;
  const int decimals = time_decimals(ns / factor);
  return fixed(low / factor, decimals) + "–" + fixed(high / factor, decimals);
}

bool is_rate_unit(const std::string& unit) {
  const std::array<const char*, 5> known{"tokens/s", "passes/s", "pixels/s", "FLOP/s", "bytes/s"};
  return std::find(known.begin(), known.end(), unit) != known.end();
}

std::string rate_text(double per_s, double half_width, const std::string& unit) {
  const Scale s = scale_of(per_s, unit);
  if (!(half_width > 0)) return four_digits(per_s / s.factor) + s.unit;
  return fixed(per_s / s.factor, decimals_for(half_width / s.factor, per_s / s.factor)) + s.unit;
}

std::string interval_text(const Throughput& rate, const std::string& unit) {
  return rate.n == 1 ? "–" : interval_text(rate.per_s, rate.interval, unit);
}

std::string interval_text(double per_s, const Interval& interval, const std::string& unit) {
  const Scale s = scale_of(per_s, unit);
  const double half = (interval.high - interval.low) / 2 / s.factor;
  const int decimals = decimals_for(half, per_s / s.factor);
  return fixed(interval.low / s.factor, decimals) + "–" + fixed(interval.high / s.factor, decimals);
}

std::string percent_text(double share) {
  const std::string text = fixed(share * 100, 1);
  return (text == "-0.0" ? "0.0" : text) + " %";  // what rounds to nothing has no sign
}

std::string reported_text(const ReportedFigure& figure) {
  if (figure.unit == "s") return time_text(figure.value * 1e9);
  return number_text(figure.value, kReportedDigits) + (figure.unit.empty() ? "" : " " + figure.unit);
}

std::string reported_interval_text(const ReportedFigure& figure) {
  const auto text = [&](double value) {
    return figure.unit == "s" ? time_text(value * 1e9) : number_text(value, kReportedDigits);
  };
  return text(*figure.low) + "–" + text(*figure.high);
}

}  // namespace assay
