// A/A: two campaigns of the same cases on the same idle machine must agree within their own intervals 95 times of 100.
//
// A round is what a user does: the real command runs a campaign of ten small cases, then once more. Each case is then a
// pair. It agrees where the 95 % interval of the ratio of its two rates, made of both records' own intervals as 'assay
// compare' makes it, holds 1: so honest intervals of runs that differ by chance alone agree 95 times of 100, too narrow
// ones less often. (That two intervals overlap is asked less: of such runs 99.4 of 100 do.)
//
// An interval that is merely wide would agree, too. So beside the share stands what the ratios really spread by over
// what their intervals say they do: 1 where the intervals are right, over 1 where they are too narrow, far under 1
// where they are too wide.
//
// Rounds are kept in a folder, and further calls add to them, so that the machine need not be had in one piece:
//
//   bench_aa FOLDER [rounds to add, 1] [arguments of 'assay run' instead of the ten cases]
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

#include "results/metrics/acceptance.h"
#include "results/metrics/metrics.h"
#include "results/metrics/student.h"
#include "results/metrics/two_sample.h"
#include "results/record.h"
#include "tests/bench/bench_program.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kTarget = 0.95;
constexpr size_t kFewestPairs = 40;
constexpr double kWide = 0.5;  // of what the intervals say: the share is then the width's merit
constexpr const char* kDone = "done";

struct Pair {
  std::string case_id;
  BoundedValue a, b;
  double log_ratio = 0, log_half_width = 0;  // of b over a, and of its interval
  bool disturbed = false;

  [[nodiscard]] bool agree() const { return std::abs(log_ratio) <= log_half_width; }
};

// Numbers are checked by every other run of these cases; here they would take as long as what is timed.
void run_campaign(const std::string& arguments, const fs::path& out) {
  const std::string command = std::string(ASSAY_BINARY_DIR "/bin/assay run ") + arguments + " --no-check --out " +
                              out.string() + " >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) fail("this command failed: " + command);
}

// A round that was cut off has no mark, and is run anew.
void add_round(const std::string& arguments, const fs::path& folder) {
  int number = 1;
  while (fs::exists(folder / std::to_string(number) / kDone)) ++number;
  const fs::path round = folder / std::to_string(number);
  fs::remove_all(round);
  run_campaign(arguments, round / "a");
  run_campaign(arguments, round / "b");
  if (const Status marked = write_file_atomic(round / kDone, arguments + "\n"); !marked.ok()) {
    fail(marked.error().message);
  }
}

BoundedValue rate_of(const Record& r) {
  const Metrics m = metrics(r);
  if (!m.rate || m.rate->n < 2) fail("no rate with an interval: " + r.case_id + ": " + r.reason);
  return {m.rate->per_s, m.rate->interval.low, m.rate->interval.high};
}

std::vector<Pair> pairs_of(const fs::path& round) {
  std::map<std::string, Record> before;
  for (Record& r : take(read_records(round / "a"))) before.emplace(r.case_hash, std::move(r));
  std::vector<Pair> pairs;
  for (const Record& r : take(read_records(round / "b"))) {
    const auto a = before.find(r.case_hash);
    if (a == before.end()) fail(round.string() + ": " + r.case_id + " has no other half");
    Pair pair{r.case_id, rate_of(a->second), rate_of(r)};
    const Ratio ratio = ratio_of(pair.a, pair.b);
    if (!ratio.low || !ratio.high) fail(round.string() + ": no interval of the ratio of " + r.case_id);
    pair.log_ratio = std::log(ratio.value);
    pair.log_half_width = std::log(*ratio.high / *ratio.low) / 2;
    pair.disturbed = a->second.noise.disturbed || r.noise.disturbed;
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

void print_pair(const Pair& pair) {
  const auto run = [](const BoundedValue& x) { std::printf("  %8.2f [%.2f, %.2f]", x.value, *x.low, *x.high); };
  std::printf("  %-38s", pair.case_id.c_str());
  run(pair.a);
  run(pair.b);
  std::printf("  %+6.2f %% +- %.2f  %s%s\n", 100 * pair.log_ratio, 100 * pair.log_half_width,
              pair.agree() ? "agree" : "DIFFER", pair.disturbed ? " *" : "");
}

size_t agreeing(const std::vector<Pair>& pairs) {
  return static_cast<size_t>(std::count_if(pairs.begin(), pairs.end(), [](const Pair& p) { return p.agree(); }));
}

const char* verdict(size_t pairs, double share, const Interval& bounds) {
  if (pairs < kFewestPairs) return "not shown by fewer than 40 pairs";
  if (share >= kTarget) return "reached";
  return bounds.high >= kTarget ? "MISSED, by no more than so few pairs miss it by chance"
                                : "MISSED, and not by chance: the intervals are too narrow";
}

void print_share(const char* what, const std::vector<Pair>& pairs) {
  if (pairs.empty()) return;
  const size_t of = agreeing(pairs);
  const double share = static_cast<double>(of) / static_cast<double>(pairs.size());
  const Interval bounds = share_interval(pairs.size(), of, 0.95);
  std::printf("%-42s %3zu of %3zu = %5.1f %%, 95 %% interval %.1f to %.1f %%; expected and target %.0f %%: %s\n", what,
              of, pairs.size(), 100 * share, 100 * bounds.low, 100 * bounds.high, 100 * kTarget,
              verdict(pairs.size(), share, bounds));
}

double root_mean_square(const std::vector<Pair>& pairs, double (*value)(const Pair&)) {
  double sum = 0;
  for (const Pair& p : pairs) sum += value(p) * value(p) / static_cast<double>(pairs.size());
  return std::sqrt(sum);
}

// The ratio's spread over what its interval says: both as 1.96 standard deviations.
double spread_over_claim(const std::vector<Pair>& pairs) {
  return 1.96 * root_mean_square(pairs, [](const Pair& p) { return p.log_ratio / p.log_half_width; });
}

void print_widths(const std::vector<Pair>& pairs) {
  std::vector<double> half_widths;
  for (const Pair& p : pairs) {
    for (const BoundedValue& rate : {p.a, p.b}) half_widths.push_back(std::log(*rate.high / *rate.low) / 2);
  }
  std::printf("%-42s %.2f %%\n", "half-width of a rate's interval, median:", 100 * median(half_widths));
  const double spread = 1.96 * root_mean_square(pairs, [](const Pair& p) { return p.log_ratio; }) / std::sqrt(2.0);
  std::printf("%-42s %.2f %%\n", "spread of a rate within a pair, 1.96 sigma:", 100 * spread);
  const double excess = spread_over_claim(pairs);
  std::printf("%-42s %.2f: %s\n", "spread of ratios over what intervals say:", excess,
              excess < kWide ? "intervals WIDER than the runs need" : "intervals no wider than the runs need");
}

// Too narrow beyond chance: what the exit code tells.
bool missed(const std::vector<Pair>& pairs) {
  return share_interval(pairs.size(), agreeing(pairs), 0.95).high < kTarget;
}

int report(const fs::path& folder, const std::string& arguments) {
  std::vector<Pair> all, quiet;
  int number = 1;
  for (; fs::exists(folder / std::to_string(number) / kDone); ++number) {
    const fs::path round = folder / std::to_string(number);
    const std::vector<Pair> pairs = pairs_of(round);
    std::printf("round %d: %zu of %zu agree\n", number, agreeing(pairs), pairs.size());
    for (const Pair& pair : pairs) print_pair(pair);
    all.insert(all.end(), pairs.begin(), pairs.end());
  }
  if (all.empty()) fail("no round in " + folder.string());
  std::copy_if(all.begin(), all.end(), std::back_inserter(quiet), [](const Pair& p) { return !p.disturbed; });
  std::printf("\n%d rounds of two campaigns: assay run %s (* disturbed, by a record's own judgement)\n", number - 1,
              arguments.c_str());
  print_share("agree within their own intervals:", all);
  print_share("of these with neither run disturbed:", quiet);
  print_widths(all);
  return missed(all) ? 1 : 0;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay::bench;
  if (argc < 2) fail("expected a folder for the rounds: bench_aa FOLDER [rounds to add] [arguments of assay run]");
  const fs::path folder = argv[1];
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 1;
  std::string arguments = argc > 3 ? "" : ASSAY_SOURCE_DIR "/tests/bench/aa.suite.json --quick";
  for (int i = 3; i < argc; ++i) arguments += (i == 3 ? "" : " ") + std::string(argv[i]);
  for (int i = 0; i < rounds; ++i) {
    const double begin = now_s();
    add_round(arguments, folder);
    std::printf("a round of two campaigns took %.0f s\n", now_s() - begin);
  }
  return report(folder, arguments);
}
