#include "harness/plan/eta.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace assay {

void Eta::finished(size_t index, double seconds) {
  limits_seen_s_ += limits_s_.at(index);
  seconds_seen_s_ += seconds;
}

double Eta::expected_s(size_t index) const {
  const double share = limits_seen_s_ > 0 ? seconds_seen_s_ / limits_seen_s_ : kFirstShare;
  return limits_s_.at(index) * share;
}

double Eta::expected_s(size_t index, double step_s) const {
  constexpr double kLongStepS = 1, kStepsBeside = 6;
  const double expected = expected_s(index);
  return step_s < kLongStepS ? expected : std::max(expected, limits_s_.at(index) + kStepsBeside * step_s);
}

double Eta::remaining_s(size_t current, double elapsed_s, double step_s) const {
  if (current >= limits_s_.size()) return 0;
  double remaining = std::max(0.0, expected_s(current, step_s) - elapsed_s);
  for (size_t i = current + 1; i < limits_s_.size(); ++i) remaining += expected_s(i);
  return remaining;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(std::max(0.0, seconds)));
  std::array<char, 64> text{};
  if (whole < 60) {
    std::snprintf(text.data(), text.size(), "%ld s", whole);
  } else if (whole < 3600) {
    std::snprintf(text.data(), text.size(), "%ld min %02ld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%ld h %02ld min", whole / 3600, whole % 3600 / 60);
  }
  return text.data();
}

}  // namespace assay
