// Acceptance clauses as a contract writes them, and their decision on a record.
//
//   clause    = subject op quantity [ "@" number "%" ]
//   subject   = "p" number "(" "step" ")"                       percentile of the step times, 0 < p < 100
//             | ("mean" | "max" | "jitter") "(" "step" ")"      times
//             | ("stall_rate" | "tail_ratio") "(" "step" ")"    shares and ratios
//             | "rate" | "rate_per_user"                        tokens/s, FLOP/s or bytes/s of the record
//             | "mfu" | "mbu" | "joules_per_token"
//   op        = "<=" | ">=" | "<" | ">"
//   quantity  = number [ unit ]      unit: ns us µs ms s | tokens/s | FLOP/s | bytes/s | % | J/token, as the subject
//   asks
//
// Blanks may stand between the parts. "@ 99 %" is the confidence at which it is decided.
#pragma once

#include <optional>
#include <string>

#include "results/metrics/acceptance.h"
#include "results/record.h"
#include "suites/base/result.h"

namespace assay {

enum class Quantity {
  kPercentile,
  kMean,
  kMax,
  kJitter,
  kStallRate,
  kTailRatio,
  kRate,
  kRatePerUser,
  kMfu,
  kMbu,
  kJoulesPerToken
};
enum class Compare { kAtMost, kAtLeast, kBelow, kAbove };

struct Subject {
  Quantity quantity = Quantity::kRate;
  double p = 0;      // of a percentile, in (0, 1)
  std::string text;  // "p99.9(step)"
};

struct Clause {
  std::string text;
  Subject subject;
  Compare compare = Compare::kAtMost;
  double limit = 0;                  // ns, per second, share, J
  std::string unit;                  // as written
  std::optional<double> confidence;  // 0.99; none where the clause gives none
};

// kBadInput with the column: "column 13: expected a unit of time (ns, us, ms, s), found 'm'".
Result<Clause> parse_clause(const std::string& text);
Result<Subject> parse_subject(const std::string& text);
// "60 ms" for a subject that asks for time: 6e7 (ns) and "ms".
struct Measure {
  double value = 0;  // ns, per second, share, J
  std::string unit;  // as written; "" where the subject has none
};
Result<Measure> parse_quantity(const std::string& text, const Subject& subject);

// What a record says of a subject, with one-sided bounds that each hold at `confidence`. `value` absent with the
// reason in `note`.
struct SubjectValue {
  std::optional<double> value, low, high;
  std::string note;
};
// `unit`: that of the limit it is held against; a rate in another unit is no value.
SubjectValue subject_value(const Record& record, const Subject& subject, const std::string& unit, double confidence);

struct ClauseOutcome {
  Accepted outcome = Accepted::kInconclusive;
  SubjectValue found;
  std::optional<Acceptance> counted;  // of percentiles and the stall rate
  std::string note;                   // why, and what it would take
};
// Percentiles and the stall rate by exact binomial over steps thinned by their autocorrelation time; means and rates by
// their bounds; what has no interval (max, jitter, tail ratio, energy) by its value, and the note says so. `confidence`
// where the clause gives none.
ClauseOutcome decide_clause(const Record& record, const Clause& clause, double confidence);

}  // namespace assay
