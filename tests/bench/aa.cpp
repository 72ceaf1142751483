// A/A: two runs of the same case on the same idle machine must agree within their own intervals 95 times of 100.
// Runs the real command in pairs, one run right after the other. A pair agrees where the 95 % interval of the ratio of
// its two rates, made of both runs' own intervals as 'assay compare' makes it, holds 1: so honest intervals of runs
// that differ by chance alone agree 95 times of 100, too narrow ones less often. (That two intervals overlap is asked
// less: of such runs 99.4 of 100 do.) The share comes with its exact binomial interval, because 40 pairs tell it to a
// few percent only, and the spread of the rates between runs stands beside the interval's width: an interval that is
// merely wide shows there.
//
//   bench_aa [pairs] [suite] [case filter] [seconds of each run's timed part]
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "results/metrics/acceptance.h"
#include "results/metrics/metrics.h"
#include "results/metrics/two_sample.h"
#include "results/record.h"
#include "tests/bench/bench_program.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kTarget = 0.95;
constexpr size_t kFewestPairs = 40;
constexpr double kWide = 2;  // a share near 100 % is then the width's merit

struct Options {
  int pairs = 40;
  std::string suite = "decode", filter = "decode/smollm2-135m/f32/b1/c512", seconds = "3";
};

struct RunResult {
  BoundedValue rate;
  bool disturbed = false;
};

struct Pair {
  RunResult a, b;
  bool agree = false;

  [[nodiscard]] bool disturbed() const { return a.disturbed || b.disturbed; }
};

// Numbers are checked by every other run of the case; here they would take as long as what is timed.
RunResult run_once(const Options& o, const fs::path& out) {
  const std::string command = std::string(ASSAY_BINARY_DIR "/bin/assay run ") + o.suite +
                              " --quick --no-check --case '" + o.filter + "' --time-limit " + o.seconds + " --out " +
                              out.string() + " >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) fail("this command failed: " + command);
  const auto records = take(read_records(out));
  if (records.size() != 1) {
    fail("expected one case from filter '" + o.filter + "', found " + std::to_string(records.size()));
  }
  const Metrics m = metrics(records[0]);
  if (!m.rate || m.rate->n < 2) fail("no rate with an interval in " + out.string());
  return {{m.rate->per_s, m.rate->interval.low, m.rate->interval.high}, records[0].noise.disturbed};
}

Pair run_pair(const Options& o, const fs::path& root, int number) {
  Pair pair;
  pair.a = run_once(o, root / (std::to_string(number) + "a"));
  pair.b = run_once(o, root / (std::to_string(number) + "b"));
  const Ratio ratio = ratio_of(pair.a.rate, pair.b.rate);
  if (!ratio.low || !ratio.high) fail("no interval of the ratio of pair " + std::to_string(number));
  pair.agree = *ratio.low <= 1 && 1 <= *ratio.high;
  return pair;
}

void print_run(const RunResult& run) {
  std::printf("  %9.2f [%.2f, %.2f]%s", run.rate.value, *run.rate.low, *run.rate.high, run.disturbed ? "*" : " ");
}

const char* verdict(size_t pairs, double share, const Interval& bounds) {
  if (pairs < kFewestPairs) return "not shown by fewer than 40 pairs";
  if (share >= kTarget) return "reached, as far as so many pairs tell";
  return bounds.high >= kTarget ? "MISSED, by no more than so few pairs miss it by chance"
                                : "MISSED, and not by chance: the intervals are too narrow";
}

template <typename Counts>
void print_share(const char* what, const std::vector<Pair>& pairs, Counts counts) {
  if (pairs.empty()) {
    std::printf("%-40s no such pair\n", what);
    return;
  }
  const auto of = static_cast<size_t>(std::count_if(pairs.begin(), pairs.end(), counts));
  const double share = static_cast<double>(of) / static_cast<double>(pairs.size());
  const Interval bounds = share_interval(pairs.size(), of, 0.95);
  std::printf("%-40s %3zu of %3zu = %5.1f %%, 95 %% interval %.1f to %.1f %%; target %.0f %%: %s\n", what, of,
              pairs.size(), 100 * share, 100 * bounds.low, 100 * bounds.high, 100 * kTarget,
              verdict(pairs.size(), share, bounds));
}

// Too narrow beyond chance: what the exit code tells.
bool missed(const std::vector<Pair>& pairs) {
  const auto agree =
      static_cast<size_t>(std::count_if(pairs.begin(), pairs.end(), [](const Pair& p) { return p.agree; }));
  return share_interval(pairs.size(), agree, 0.95).high < kTarget;
}

void print_widths(const std::vector<Pair>& pairs) {
  std::vector<double> half_widths, rates;
  double within = 0;  // variance of a run against the one beside it
  for (const Pair& pair : pairs) {
    for (const BoundedValue& rate : {pair.a.rate, pair.b.rate}) {
      rates.push_back(rate.value);
      half_widths.push_back((*rate.high - *rate.low) / 2 / rate.value);
    }
    within += std::pow(std::log(pair.b.rate.value / pair.a.rate.value), 2) / 2 / static_cast<double>(pairs.size());
  }
  double mean = 0, variance = 0;
  for (const double rate : rates) mean += rate / static_cast<double>(rates.size());
  for (const double rate : rates) variance += (rate - mean) * (rate - mean) / static_cast<double>(rates.size() - 1);
  std::printf("%-40s %.2f %%\n", "half-width of an interval, median:", 100 * median(half_widths));
  std::printf("%-40s %.2f %% within a pair, %.2f %% over all runs\n",
              "spread between runs, 1.96 sigma:", 100 * 1.96 * std::sqrt(within),
              100 * 1.96 * std::sqrt(variance) / mean);
  // Of two independent runs that differ by what their intervals say, a run spreads by the half-width itself.
  const double excess = median(half_widths) / (1.96 * std::sqrt(within));
  std::printf("%-40s %.2f: %s\n", "half-width over the spread within a pair:", excess,
              excess > kWide ? "WIDER than the runs need" : "no wider than the runs need");
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay::bench;
  Options options;
  if (argc > 1) options.pairs = std::atoi(argv[1]);
  if (argc > 2) options.suite = argv[2];
  if (argc > 3) options.filter = argv[3];
  if (argc > 4) options.seconds = argv[4];
  if (options.pairs < 1) fail("expected a positive number of pairs");
  const fs::path root = fs::temp_directory_path() / ("assay-aa-" + std::to_string(::getpid()));
  const double begin = now_s();
  std::vector<Pair> pairs, quiet;
  for (int i = 1; i <= options.pairs; ++i) {
    pairs.push_back(run_pair(options, root, i));
    const Pair& pair = pairs.back();
    if (!pair.disturbed()) quiet.push_back(pair);
    std::printf("pair %2d", i);
    print_run(pair.a);
    print_run(pair.b);
    std::printf("  %s  %.0f s\n", pair.agree ? "agree" : "DIFFER", now_s() - begin);
    std::fflush(stdout);
  }
  fs::remove_all(root);
  std::printf("\n%d pairs of %s, %s s each, %.0f s in all (* disturbed, by the run's own judgement)\n", options.pairs,
              options.filter.c_str(), options.seconds.c_str(), now_s() - begin);
  const auto agree = [](const Pair& p) { return p.agree; };
  print_share("agree within their own intervals:", pairs, agree);
  print_share("of these with neither run disturbed:", quiet, agree);
  print_widths(pairs);
  return missed(pairs) ? 1 : 0;
}
