#include "results/metrics/acceptance.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>

#include "results/metrics/latency.h"
#include "results/metrics/student.h"

namespace assay {

const char* accepted_name(Accepted a) {
  return a == Accepted::kPass ? "PASS" : a == Accepted::kFail ? "FAIL" : "INCONCLUSIVE";
}

Acceptance accept(uint64_t n, uint64_t over, double p, double confidence) {
  Acceptance out;
  out.n = n;
  out.over = over;
  out.n_needed = early_stopping_n(p, confidence, over);
  out.exceedance = share_interval(n, over, confidence);
  if (n >= out.n_needed) {
    out.verdict = Accepted::kPass;
  } else if (over > 0) {
    // P(Bin(n, 1 - p) >= over) = I_{1-p}(over, n - over + 1).
    const auto k = static_cast<double>(over), m = static_cast<double>(n);
    if (boost::math::ibeta(k, m - k + 1, 1 - p) <= 1 - confidence) out.verdict = Accepted::kFail;
  }
  return out;
}

Acceptance accept_samples(const std::vector<double>& x, double limit, double p, double confidence) {
  const double tau = significant_autocorrelation_time(x);
  const auto stride = static_cast<size_t>(std::ceil(tau));
  uint64_t n = 0, over = 0;
  for (size_t i = 0; i < x.size(); i += stride) {
    ++n;
    over += x[i] > limit;
  }
  Acceptance out = accept(n, over, p, confidence);
  out.thinning = static_cast<double>(stride);
  return out;
}

Interval share_interval(uint64_t n, uint64_t over, double confidence) {
  if (n == 0) return {0, 1};
  const auto k = static_cast<double>(over), m = static_cast<double>(n);
  const double tail = (1 - confidence) / 2;
  return {over == 0 ? 0 : boost::math::ibeta_inv(k, m - k + 1, tail),
          over == n ? 1 : boost::math::ibeta_inv(k + 1, m - k, 1 - tail)};
}

uint64_t mlperf_fixed_n(double p, double confidence) {
  const double margin = (1 - p) / 20, z = normal_two_sided(confidence);
  return static_cast<uint64_t>(std::llround(z * z * p * (1 - p) / (margin * margin)));
}

uint64_t mlperf_rounded_n(double p, double confidence) {
  constexpr uint64_t kStep = uint64_t{1} << 13;
  return (mlperf_fixed_n(p, confidence) + kStep - 1) / kStep * kStep;
}

std::optional<uint64_t> early_stopping_discard(uint64_t n, double p, double confidence) {
  if (n < early_stopping_n(p, confidence, 1)) return std::nullopt;
  uint64_t low = 1, high = n;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (early_stopping_n(p, confidence, middle) <= n ? low : high) = middle;
  }
  return low;
}

}  // namespace assay
