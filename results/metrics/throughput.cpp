#include "results/metrics/throughput.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>

#include "results/metrics/student.h"

namespace assay {
namespace {

constexpr double kWindow = 5;        // Sokal: stop at the first lag M >= 5 tau(M)
constexpr double kMinBlocks = 8;     // blocks never grow beyond n / 8: fewer would not show their own spread
constexpr double kMaxBlocks = 1024;  // more show the spread no better, and a resample costs a draw for each
constexpr double kBlockTaus = 2;     // block length in autocorrelation times

double mean_of(const std::vector<double>& x) {
  return x.empty() ? 0 : std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

struct Blocks {
  size_t length = 1;
  double independent = 0;  // n / tau: values that carry the information of the n correlated ones
};

Blocks blocks_of(const std::vector<double>& x) {
  const auto n = static_cast<double>(x.size());
  const double tau = autocorrelation_time(x);
  Blocks out;
  // Blocks of about n^(1/3) tau^(2/3) minimise the error of a block bootstrap's variance; two tau at the least.
  const double wanted = std::max(tau <= 1 ? 1 : std::max(kBlockTaus * tau, std::cbrt(n * tau * tau)), n / kMaxBlocks);
  out.length = static_cast<size_t>(std::clamp(std::ceil(wanted), 1.0, std::max(1.0, std::floor(n / kMinBlocks))));
  out.independent = n / std::max(tau, static_cast<double>(out.length));
  return out;
}

// Draws of 32 bits, the two halves of each of a seeded generator's. Every record is resampled by the same seed: a
// thread keeps the draws of its last one, since making them costs more than the sums that they choose.
const std::vector<uint32_t>& draws(uint64_t seed, size_t count) {
  struct Kept {
    uint64_t seed = 0;
    std::mt19937_64 random{0};
    std::vector<uint32_t> draws;
  };
  thread_local Kept kept;
  if (kept.seed != seed || kept.draws.empty()) kept = {seed, std::mt19937_64(seed), {}};
  while (kept.draws.size() < count) {
    const uint64_t bits = kept.random();
    kept.draws.push_back(static_cast<uint32_t>(bits));
    kept.draws.push_back(static_cast<uint32_t>(bits >> 32));
  }
  return kept.draws;
}

// Means of resamples of x by circular blocks, in no order.
std::vector<double> resampled_means(const std::vector<double>& x, size_t block, uint64_t seed, int resamples) {
  constexpr size_t kAtOnce = 4;  // sums that do not wait for one another
  const size_t n = x.size();
  // Of the values before i on the circle, each less the first value: keeps the digits.
  std::vector<double> sums(n + block + 1, 0);
  for (size_t i = 0; i < n + block; ++i) sums[i + 1] = sums[i] + (x[i < n ? i : i - n] - x[0]);
  const size_t blocks = (n + block - 1) / block, last = n - (blocks - 1) * block;
  std::vector<double> means(std::max(static_cast<size_t>(std::max(resamples, 1)), kAtOnce));
  const std::vector<uint32_t>& random = draws(seed, means.size() * blocks);
  // Uniform in [0, n) up to n / 2^32, n below that: the high half of a product, as a division costs more than the draw.
  const auto sum_from = [&](uint64_t draw, size_t length) {
    const size_t start = draw * n >> 32;
    return sums[start + length] - sums[start];
  };
  for (size_t i = 0; i < means.size(); i += kAtOnce) {
    const size_t first = std::min(i, means.size() - kAtOnce);
    const uint32_t* draw = random.data() + first * blocks;
    std::array<double, kAtOnce> sum{};
    for (size_t b = 0; b + 1 < blocks; ++b) {
      for (size_t k = 0; k < kAtOnce; ++k) sum[k] += sum_from(draw[k * blocks + b], block);
    }
    for (size_t k = 0; k < kAtOnce; ++k) {
      means[first + k] = x[0] + (sum[k] + sum_from(draw[k * blocks + blocks - 1], last)) / static_cast<double>(n);
    }
  }
  return means;
}

// Between neighbours in order, linear, `at` of them from the first: begin is the smallest, or (reverse) the largest.
template <typename Iterator, typename Before>
double value_at(Iterator begin, Iterator end, double at, Before before) {
  const auto whole = static_cast<std::ptrdiff_t>(at);
  const Iterator kept = end - begin > whole + 2 ? begin + whole + 2 : end;
  std::partial_sort(begin, kept, end, before);
  const double value = *(begin + whole);
  return begin + whole + 1 == end ? value : value + (*(begin + whole + 1) - value) * (at - std::floor(at));
}

// The percentile bootstrap takes the spread that it sees for the true one and is too narrow where few independent
// values showed it. Both sides are stretched about the mean: by Student's t over the normal's z, and by the bias of
// a variance from m values, sqrt(m / (m - 1)).
double small_sample_factor(double confidence, double independent) {
  const double dof = std::max(independent - 1, 1.0);
  return student_two_sided(confidence, dof) / normal_two_sided(confidence) * std::sqrt((dof + 1) / dof);
}

Interval bootstrap(const std::vector<double>& x, const Blocks& blocks, double confidence, uint64_t seed,
                   int resamples) {
  const double mean = mean_of(x);
  if (x.size() < 2) return {mean, mean};
  std::vector<double> means = resampled_means(x, blocks.length, seed, resamples);
  const double factor = small_sample_factor(confidence, blocks.independent);
  // Both ends lie near the edge: the few values beyond them are found faster than a middle one.
  const double at = (1 - confidence) / 2 * static_cast<double>(means.size() - 1);
  const double low = value_at(means.begin(), means.end(), at, std::less<>());
  const double high = value_at(means.rbegin(), means.rend(), at, std::greater<>());
  return {mean - std::max(0.0, mean - low) * factor, mean + std::max(0.0, high - mean) * factor};
}

}  // namespace

double autocorrelation_time(const std::vector<double>& x) {
  const size_t n = x.size();
  if (n < 4) return 1;
  const double mean = mean_of(x);
  std::vector<double> d(n);
  for (size_t i = 0; i < n; ++i) d[i] = x[i] - mean;
  const double variance = std::inner_product(d.begin(), d.end(), d.begin(), 0.0);
  // Equal values but for the mean's rounding have no correlation to speak of.
  if (variance <= 1e-24 * mean * mean * static_cast<double>(n)) return 1;
  double tau = 1;
  for (size_t lag = 1; lag < n / 2; ++lag) {
    const auto shift = static_cast<std::ptrdiff_t>(lag);
    tau += 2 * std::inner_product(d.begin() + shift, d.end(), d.begin(), 0.0) / variance;
    if (static_cast<double>(lag) >= kWindow * tau) break;
  }
  return std::max(tau, 1.0);
}

double significant_autocorrelation_time(const std::vector<double>& x) {
  if (x.size() < 4) return 1;
  const double tau = autocorrelation_time(x);
  const double error = std::sqrt(2 * (2 * kWindow + 1) / static_cast<double>(x.size()));
  return tau > 1 + 3 * error ? tau : 1;
}

Interval bootstrap_mean(const std::vector<double>& x, double confidence, uint64_t seed, int resamples) {
  return bootstrap(x, blocks_of(x), confidence, seed, resamples);
}

Throughput throughput(const std::vector<double>& step_ns, double units_per_step, double confidence, uint64_t seed) {
  Throughput out;
  out.n = step_ns.size();
  const double mean = mean_of(step_ns);
  if (!(mean > 0)) return out;
  out.per_s = units_per_step / mean * 1e9;
  const Blocks blocks = blocks_of(step_ns);
  out.block_length = static_cast<double>(blocks.length);
  const Interval step = bootstrap(step_ns, blocks, confidence, seed, kResamples);
  // A mean's interval that reaches 0 bounds the rate on one side only; the fastest step bounds it then.
  const double least = *std::min_element(step_ns.begin(), step_ns.end());
  const double low_ns = step.low > 0 ? step.low : std::max(least, 1e-3);
  out.interval = {units_per_step / step.high * 1e9, units_per_step / low_ns * 1e9};
  return out;
}

}  // namespace assay
