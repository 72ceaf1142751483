// Percentiles with their bounds, and the whole of a latency summary, over 10 million step times.
//
//   bench_percentiles [million samples]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "results/metrics/latency.h"

namespace {

constexpr double kTargetS = 1;  // for 10 million

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

int main(int argc, char** argv) {
  const double millions = argc > 1 ? std::atof(argv[1]) : 10;
  if (!(millions > 0 && millions <= 1000)) {
    std::fprintf(stderr, "bench_percentiles: expected millions of samples from 0 to 1000\n");
    return 2;
  }
  const auto n = static_cast<size_t>(millions * 1e6);
  std::mt19937_64 random(1);
  std::exponential_distribution<double> tail(1e-5);
  std::vector<double> x(n), start(n);
  double now = 0;
  for (size_t i = 0; i < n; ++i) {
    x[i] = 1e6 + tail(random);
    start[i] = now;
    now += x[i];
  }
  const std::vector<uint64_t> ranks = [&] {
    std::vector<uint64_t> out;
    for (const double p : {0.5, 0.9, 0.99, 0.999}) {
      const assay::RankBounds b = assay::quantile_rank_bounds(n, p, 0.98);
      for (const auto& rank : {b.lower, b.upper}) out.push_back(rank.value_or(n));
    }
    return out;
  }();
  std::vector<double> copy = x;
  const double begin = now_s();
  const std::vector<double> values = assay::values_at_ranks(copy, ranks);
  const double selected = now_s();
  const assay::Latency l = assay::latency(x, start, 0.98);
  const double done = now_s();
  std::printf("%zu samples\n", n);
  const double per_10m = (selected - begin) * 10 / millions;
  std::printf(
      "p50, p90, p99, p99.9, each with two bounds:  %.3f s, %.3f s per 10 million: %.2f of the target of %.0f s\n",
      selected - begin, per_10m, per_10m / kTargetS, kTargetS);
  std::printf("whole summary with jitter, drift, period:    %.3f s\n", done - selected);
  std::printf("p99.9 %.0f ns (%.0f to %.0f)\n", l.quantiles[3].value.value_or(0), values[6], values[7]);
  return 0;
}
