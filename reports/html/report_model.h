// What a report shows, as plain data. The page embeds it as JSON; every figure on the page is one of these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/trend.h"
#include "results/metrics/context_curve.h"
#include "results/metrics/metrics.h"
#include "results/metrics/record_ops.h"
#include "results/metrics/skew.h"
#include "results/metrics/target.h"
#include "results/metrics/video_clip.h"
#include "results/part.h"
#include "results/prices/cost_inputs.h"
#include "results/record.h"
#include "results/store/store.h"

namespace assay {

inline constexpr int kReportVersion = 1;
inline constexpr int64_t kSkewRanks = 8;  // expert-parallel ranks that the skew curves stand for

struct Bounded {  // a value with the interval it comes with; what is unknown is absent
  std::optional<double> value, low, high;
};

// A device as records name it. Records of one chip share product and adapter.
struct ReportChip {
  std::string product, adapter, arch, vendor, driver, support;
  uint64_t memory_bytes = 0;
  size_t records = 0;
};

struct ReportCase {
  std::string id, hash, suite, kind, model, dtype, token_class;
  int64_t batch = 0, tokens = 0, context = 0, tokens_per_step = 0;
  double flops = 0, weight_bytes = 0, kv_bytes = 0;  // of one step
  double parameters = 0;  // of the model, by its shape in a record, else as its name states them; 0: not known
  [[nodiscard]] std::string piece() const { return piece_text(kind, tokens, context); }
};

// One record's figures. Times in ns, rates in `unit`, power in W, energy in J.
struct ReportRow {
  size_t chip = 0, test_case = 0;  // indices into the model
  std::string id, created, tier, basis, status, reason, form, stop, numerics, tool_commit, executed;
  bool disturbed = false;
  // Setups::of(), "attention=own threads=2"; "" also where (aggregated from a store) it isn't known.
  std::string options;
  std::string part;                    // of the model that ran, "2/24 layers"; "": all of it. The rate is the part's
  std::optional<double> accelerators;  // of a reported row: of how many its source's figures are; the rate is of one
  std::vector<std::string> causes, warnings;
  int threads = 0;
  uint64_t steps = 0;
  double timed_s = 0, prepare_s = 0, load_s = 0;
  std::string unit;
  Bounded rate, p50, p90, p99, p999, drift;  // drift: share of the median per second
  std::optional<bool> one_launch;  // the rate's interval knows nothing between launches; absent: the rate has none of
                                   // steps, or (aggregated from a store) the record was not read
  std::optional<double> projected_rate, median, mean, max, jitter, tail_ratio, cov, qcd, stall_rate, stalls,
      stalls_host, period, independent;
  std::optional<bool> bimodal;
  std::optional<double> flops_per_s, bytes_per_s, mfu, mbu, ceiling_flops, ceiling_bytes;
  std::string ceiling_note;
  std::string ceiling_gemm, ceiling_read, ceiling_measured;  // what they were measured with, and when; "" where unknown
  bool ceiling_shared = false;                               // one was measured for several launches
  std::optional<double> joules_per_token, watts;
  std::string energy_source, energy_note;
};

// All records of one case on one chip with one basis, tier, part of the model and options of the adapter; `row` is the
// one that stands for them: the newest that is ok, undisturbed ones first.
struct ReportGroup {
  size_t chip = 0, test_case = 0, row = 0;
  size_t records = 0, ok = 0;
  std::optional<double> rate_min, rate_max;  // of the ok ones
};

enum class StepMark { kNone, kStall, kHostStall };

// Distribution and course of the steps of one record.
struct ReportCurve {
  size_t row = 0;
  std::vector<double> p;                         // probabilities, rising
  std::vector<double> quantile_ns;               // beside p
  std::vector<std::optional<double>> low, high;  // bounds that hold at 99 % each, where n allows them
  std::vector<double> start_s, step_ns;          // the longest step of each stretch of the run
  std::vector<StepMark> mark;                    // beside step_ns
  std::vector<double> gap_start_s, gap_ns;       // gaps of the host
  std::vector<double> launch_s;                  // where the second launch and each further one begins
};

struct EnvironmentLine {  // one fact, the values it takes on each chip (by index), for facts that are not the same
                          // everywhere
  std::string name;
  std::vector<std::vector<std::string>> values;
  std::vector<std::vector<std::string>> records;  // beside each value the id of the newest record that states it
};

// Why figures stand apart. The page words it; `detail` is the record's own reason.
struct Incomparable {
  std::string kind;  // basis, tier, one-chip, case-version, failed, no-rate, numerics, disturbed, part, chunk
  std::optional<size_t> chip, test_case;
  size_t count = 0;
  std::string detail;
};

struct ReportAnswer {
  std::string kind;                 // fastest, undecided, one-chip, none
  std::optional<size_t> test_case;  // on which it rests: measured on the most chips
  std::vector<size_t> groups;       // of that case and one basis, fastest first
  std::string basis;
};

// A target of the press or the buyer and what it comes to.
struct ReportTarget {
  std::string text;  // "0.01 CNY/100K tokens"
  double cny_per_token = 0;
};

struct ReportVerdict {
  size_t target = 0;
  Verdict verdict;
};

// What one chip costs with one model, dtype and basis.
struct ReportCost {
  size_t chip = 0;
  std::string model, dtype, basis, input_case, output_case;
  std::string variant;                       // of the cases (case_variant())
  size_t input_cases = 0, output_cases = 0;  // among which those were the fastest
  [[nodiscard]] std::string work() const {   // "llama-3.1-8b bf16 p16"; an import may state no dtype
    std::string text = model;
    for (const std::string& more : {dtype, variant}) text += more.empty() ? "" : " " + more;
    return text;
  }
  std::vector<size_t> rows;  // the records that the rates are from, where the model has them
  std::string missing;       // why there is no cost; else "" and all below is set
  CostInputs inputs;
  bool rentable = false, buyable = false;  // a rent, a price is known: --rented, --owned has one
  Cost cost;
  std::string price_currency;  // of the price or rent that counts; "CNY" where none is converted, or by a
                               // confidential rate
  double price_fx = 1;         // CNY of one of it
  // Rented instead of owned, or the other way round: what it is asked with. None where the prices don't allow it.
  struct OtherWay {
    CostInputs inputs;
    std::string price_currency = "CNY";
    double price_fx = 1;
  };
  std::optional<OtherWay> other_way;
  std::vector<ReportVerdict> verdicts;
  std::vector<std::string> notes;
};

// The headline is of the work that matters most: of the models with at least a tenth of the parameters of the largest
// one measured whole, the one that the most chips were priced on; of several the largest.
inline constexpr double kHeadlineShare = 0.1;
struct ReportCostAnswer {
  // cheapest, undecided, rounding (the exact figure within the step of a confidential one would decide), one-chip, none
  std::string kind = "none";
  std::vector<size_t> costs;  // comparable ones (model, dtype, basis, class of token), cheapest first
  size_t works = 0;           // among which that work was chosen
  // Where `costs` is of one chip: the work that the most chips, at least two, were priced on, cheapest first.
  std::vector<size_t> compared;
  // How likely the first is cheaper than each of the others, in their order (probability_cheaper()).
  std::vector<std::optional<Probability>> probabilities;
  size_t rival = 0;         // in `costs`: the one that the first is least surely cheaper than; 0 where there is none
  double decided_from = 1;  // the probability from which on the first counts as the cheaper
  bool mixed_ways = false;  // some are rented, others owned
  std::string alike_by;     // the option with which all are priced in one way (alike_by())
};

struct ReportOps {
  size_t test_case = 0;
  RecordOps of;
};

// A clip composed from the records of its parts, and what it costs on one accelerator.
struct ReportClip {
  size_t chip = 0;
  ClipEstimate clip;
  Amount cost;  // its reason: what the price lacks
  std::string price_basis;
};

// What the money is asked with.
struct ReportPricing {
  PriceBook book;
  CostChoices choices;
  LatencyLimits limits;
  CostOptions options;
  std::vector<ReportTarget> targets;
};

struct ReportSkew {  // of kSkewRanks ranks
  size_t chip = 0;
  SkewCurve curve;
};
struct ReportContext {
  size_t chip = 0;
  ContextCurve curve;
};

struct ReportModel {
  std::string created, tool_version, tool_commit, title;
  size_t records = 0;       // read
  bool aggregated = false;  // rows hold only what stands for each group
  std::vector<ReportChip> chips;
  std::vector<ReportCase> cases;
  std::vector<ReportRow> rows;
  std::vector<ReportGroup> groups;
  std::vector<ReportCurve> curves;
  std::vector<EnvironmentLine> environment;
  std::vector<Incomparable> incomparable;
  ReportAnswer answer;
  std::vector<ReportTarget> targets;
  std::vector<ReportCost> costs;
  std::vector<std::string> cost_left_out;  // what has no cost at all, and why
  ReportCostAnswer cost_answer;
  std::vector<ReportSkew> skew;
  std::vector<ReportContext> context;
  std::vector<ReportOps> ops;
  std::vector<ReportClip> clips;
  std::vector<TrendPlot> trends;  // of cases with records of several dates, what changed most first
  size_t trends_unread = 0;       // aggregated from a store: groups of several records, which were not read
};

struct ReportOptions {
  std::string title, created, tool_version, tool_commit;
  size_t max_rows = 2000;                // more records than that: aggregated
  size_t max_details = 500;              // aggregated from a store: groups of which the record itself is read
  std::optional<ReportPricing> pricing;  // absent: nothing is said of money
  size_t max_curves = 200;               // of the groups' rows, in order
  size_t max_trends = 60;
  size_t max_op_cases = 60;  // whose ops are listed, in order of the groups
};

ReportModel report_model(const std::vector<Record>& records, const ReportOptions& options);
// Over a store, by its headlines where it holds more than max_rows records: whole records are read only for the groups.
Result<ReportModel> report_model(const Store& store, const ReportOptions& options);

// JSON in UTF-8, one line. Rows are arrays in the order of "row_fields". No '<' stands in it, so that a page may embed
// it in a script element.
std::string report_json(const ReportModel& model);

}  // namespace assay
