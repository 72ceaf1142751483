// A/A: two runs of the same case on the same machine must agree within their own intervals 95 times of 100.
// Runs the real command in pairs and counts; also prints the spread between runs against the interval's width,
// which shows whether the interval is honest or merely wide.
//
//   bench_aa [pairs] [suite] [case filter]
#include <unistd.h>
#include <cmath>

#include <filesystem>

#include "results/metrics/metrics.h"
#include "results/record.h"
#include "tests/bench/bench_program.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;

struct RunResult {
  double rate = 0, low = 0, high = 0;
  bool disturbed = false;
};

RunResult run_once(const std::string& suite, const std::string& filter, const fs::path& out) {
  const std::string command = std::string(ASSAY_BINARY_DIR "/bin/assay run ") + suite + " --quick --case '" + filter +
                              "' --out " + out.string() + " >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) fail("this command failed: " + command);
  const auto records = take(read_records(out));
  if (records.size() != 1) {
    fail("expected one case from filter '" + filter + "', found " + std::to_string(records.size()));
  }
  const Metrics m = metrics(records[0]);
  if (!m.rate) fail("no rate in " + out.string());
  return {m.rate->per_s, m.rate->interval.low, m.rate->interval.high, records[0].noise.disturbed};
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay::bench;
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 40;
  const std::string suite = argc > 2 ? argv[2] : "decode";
  const std::string filter = argc > 3 ? argv[3] : "decode/smollm2-135m/f32/b1/c512";
  if (pairs < 1) fail("expected a positive number of pairs");
  const fs::path root = fs::temp_directory_path() / ("assay-aa-" + std::to_string(::getpid()));
  int overlap = 0, difference_within = 0, disturbed = 0, undisturbed = 0, undisturbed_overlap = 0;
  std::vector<double> half_widths, rates;
  for (int i = 0; i < pairs; ++i) {
    const auto a = run_once(suite, filter, root / (std::to_string(i) + "a"));
    const auto b = run_once(suite, filter, root / (std::to_string(i) + "b"));
    const bool agree = a.low <= b.high && b.low <= a.high;
    const double half_a = (a.high - a.low) / 2, half_b = (b.high - b.low) / 2;
    overlap += agree;
    difference_within += std::abs(a.rate - b.rate) <= std::hypot(half_a, half_b);
    if (a.disturbed || b.disturbed) {
      ++disturbed;
    } else {
      ++undisturbed;
      undisturbed_overlap += agree;
    }
    for (const auto& run : {a, b}) {
      rates.push_back(run.rate);
      half_widths.push_back((run.high - run.low) / 2 / run.rate);
    }
    std::printf("pair %2d  %9.2f [%.2f, %.2f]%s  %9.2f [%.2f, %.2f]%s  %s\n", i + 1, a.rate, a.low, a.high,
                a.disturbed ? "*" : " ", b.rate, b.low, b.high, b.disturbed ? "*" : " ", agree ? "agree" : "DIFFER");
    std::fflush(stdout);
  }
  fs::remove_all(root);
  double mean = 0, variance = 0;
  for (const double rate : rates) mean += rate / static_cast<double>(rates.size());
  for (const double rate : rates) variance += (rate - mean) * (rate - mean) / static_cast<double>(rates.size() - 1);
  std::printf("\n%d pairs of %s\n", pairs, filter.c_str());
  std::printf("intervals overlap:                     %d of %d = %.1f %% (target 95 %%)\n", overlap, pairs,
              100.0 * overlap / pairs);
  std::printf("difference within sqrt(ha^2 + hb^2):   %d of %d = %.1f %%\n", difference_within, pairs,
              100.0 * difference_within / pairs);
  if (undisturbed > 0) {
    std::printf("pairs with neither run marked (*):     %d of %d overlap\n", undisturbed_overlap, undisturbed);
  }
  std::printf("half-width of an interval, median:     %.2f %%\n", 100 * median(half_widths));
  std::printf("spread between runs, 1.96 sigma:       %.2f %%\n", 100 * 1.96 * std::sqrt(variance) / mean);
  return 0;
}
