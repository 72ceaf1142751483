// Comparison of two sets of records: what is comparable is paired and decided metric by metric (the rule stands in
// results/metrics/two_sample.h), what is not is listed with the reason. Nothing is ranked across basis or tier.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/sheet.h"
#include "results/metrics/pareto.h"
#include "results/metrics/two_sample.h"
#include "results/record.h"

namespace assay {

struct CompareOptions {
  double margin = kDefaultMargin;  // the smallest change worth telling, relative
  double confidence = 0.95;        // of each interval
};

struct CompareSide {
  std::string name;  // as the user gave it
  std::vector<Record> records;
};

struct MetricDifference {
  std::string metric, unit;  // "rate" in tokens/s, "step p99" in ns, ...
  bool higher_is_better = false;
  BoundedValue a, b;
  Ratio ratio;                   // b / a of the metric itself
  double margin = 0;             // that decided, after the A/A control
  std::optional<double> effect;  // of step times: P(a step of B is faster than a step of A)
  Difference verdict = Difference::kAmbiguous;
  std::string note;  // why it is ambiguous, or what the A/A control found
};

struct PairComparison {
  std::string case_id, dtype, tier, basis, form;
  std::string device_a, device_b;
  std::string setup;              // Setups::of() of the sides, "products=own against none" where they differ
  size_t runs_a = 0, runs_b = 0;  // repeats of the case on each side
  std::vector<MetricDifference> metrics;
  std::string part, piece;             // part_text(), piece_text(): of both sides
  std::vector<std::string> disturbed;  // "A: steal 4.1 %"
  std::vector<std::string> unchecked;  // "A: numbers not checked: switched off"
};

struct Unmatched {
  std::string side, case_id, reason;
};

// Decode at equal tokens/s per user, on the fronts of two chips.
struct EqualLoad {
  double per_user = 0;
  RateAt a, b;
  Ratio ratio;  // b / a
  Difference verdict = Difference::kAmbiguous;
};
struct LoadComparison {
  std::string work;  // "decode qwen2.5-0.5b bf16 c512, measured"
  std::string device_a, device_b;
  std::vector<LoadPoint> front_a, front_b;
  std::vector<EqualLoad> at;
  std::string note;  // why there is no equal load
};

struct EnvironmentDifference {
  std::string name, a, b;
};

struct Comparison {
  std::string name_a, name_b;
  CompareOptions options;
  std::vector<PairComparison> pairs;
  std::vector<Unmatched> unmatched;
  std::vector<Unmatched> unsupported_on_both;  // none of the unmatched: neither side can run them
  std::vector<Unmatched> failed_on_b;          // of them: B ran what A has figures of, and got none
  std::vector<LoadComparison> loads;
  std::vector<EnvironmentDifference> environment;  // of the pairs; several values are joined by " / "
};

Comparison compare(const CompareSide& a, const CompareSide& b, const CompareOptions& options);
// The records of `side` that compare() pairs with some of the other side.
std::vector<Record> paired_records(const CompareSide& side, const CompareSide& other);
// The parts of it that have a file of their own.
std::vector<LoadComparison> compare_loads(const CompareSide& a, const CompareSide& b, const CompareOptions& options);
std::vector<EnvironmentDifference> environment_differences(
    const std::vector<std::pair<const Record*, const Record*>>& pairs);

// Verdicts of one kind over all pairs and metrics.
size_t count_verdicts(const Comparison& comparison, Difference verdict);

// The differences first, then equal loads, what was left out, and the environments; the rule in the notes.
Sheet comparison_sheet(const std::vector<Comparison>& comparisons);

}  // namespace assay
