// From records and a price book to the inputs of the cost.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "results/metrics/metrics.h"
#include "results/metrics/target.h"
#include "results/prices/price_book.h"
#include "results/record.h"

namespace assay {

// Limits of latency that a rate must keep to count: p99 of a decode step, p99 of a prefill, in ms.
struct LatencyLimits {
  std::optional<double> tpot_ms, ttft_ms;
};

// What is priced together: the records of one device product, model, dtype, variant, tier and basis (never mixed).
struct CostSubject {
  std::string product, device, model, dtype, tier, basis;
  std::string variant;                              // case_variant() of all of them
  double params = 0;                                // of the model, 0: not known
  std::optional<Estimate> input_rate, output_rate;  // tokens/s of one accelerator, the best within the limits
  std::optional<Estimate> blended_rate;             // of all tokens, where a source says no more
  std::optional<Estimate> clip_seconds;             // of a clip composed from its parts' records; then no rates
  std::string clip;                                 // "81f 480x832, 50 x 2"
  int64_t clip_height = 0;                          // of its frames
  std::string input_case, output_case;              // that were taken, of how many
  size_t input_cases = 0, output_cases = 0;
  RateLadder ladder;                       // at saturation and at the roofline's peak
  std::optional<Estimate> wall_kw;         // where the record's energy source sees the whole machine
  std::optional<double> joules_per_token;  // of the output case, else of the input case
  std::vector<std::string> records;        // ids
  std::vector<std::string> counted;        // of those the ones that the rates are from
  std::vector<std::string> notes;          // what was left out and why
};
// In order of the records, clips last. Records without a rate of tokens are left out; of several of one case (of one
// chip, adapter with its options and part of the model) the one that stands for it counts, as in a report's tables
// (results/standing.h). left_out: where given, what makes no subject, and why.
std::vector<CostSubject> cost_subjects(const std::vector<Record>& records, const LatencyLimits& limits,
                                       const PriceBook& book, std::vector<std::string>* left_out = nullptr);
// The same where the records' metrics are known, in their order.
std::vector<CostSubject> cost_subjects(const std::vector<Record>& records, const std::vector<Metrics>& of_each,
                                       const LatencyLimits& limits, const PriceBook& book,
                                       std::vector<std::string>* left_out = nullptr);

struct CostChoices {
  std::string chip;           // id or name in the book; "": from the product's name
  std::string tariff;         // id
  bool tariff_given = false;  // by the user
  LoadShape load = LoadShape::kFlat;
  std::optional<bool> rented;               // not said: rented where the book has only a rent
  std::map<CostInput, Estimate> overrides;  // --set, --rent, --price: over the book's
  TokenMix mix{0, 608.0 / 776, 168.0 / 776, "DeepSeek day 6: 608 G input and 168 G output tokens; hits not counted"};
};

struct PricedSubject {
  CostSubject subject;
  CostInputs inputs;
  std::optional<PricedChip> chip;
  bool rent_known = false, price_known = false;  // given or in the book, whichever of them counts
  bool of_another_chip = false;                  // the rates are of another than the chip whose prices are taken
  std::vector<std::string> notes;
};
// Figures of a confidential book were rounded when it was read (price_book.h), which a note says. An error names what
// is missing and how to give it.
Result<PricedSubject> price_subject(const CostSubject& subject, const CostChoices& choices, const PriceBook& book);

// The same of an hour of choices.chip alone, whatever it computes.
Result<PricedSubject> price_hour(const CostChoices& choices, const PriceBook& book);

// What `option` ("price", "rent") gives is of one chip: an error that names them where the products, as records name
// them, are of several.
Status check_of_one_chip(const std::string& option, const std::vector<std::string>& products, const PriceBook& book);

// Whether a price (of a rented one a rent) is known, so that it could be priced in that way.
inline bool can_be_priced(const PricedSubject& subject, bool rented) {
  return rented ? subject.rent_known : subject.price_known;
}
// The option that prices in one way what all can be priced in; "" for neither way.
std::string alike_by(bool all_rentable, bool all_buyable);

// CNY per kWh from which a waterfall's factor `tariff` counts: the lowest price after a subsidy in the book.
double reference_tariff(const PriceBook& book);

// "342:266:168" as cached, input and output tokens.
Result<TokenMix> parse_mix(const std::string& text, const std::string& where);
// "13.2 CNY/h", "25000 USD": an amount of money in CNY. suffix: "/h" or "".
Result<Estimate> parse_money(const std::string& text, const std::string& suffix, const PriceBook& book,
                             const std::string& where);
// "36667" or "36667:35000:38000" (value:low:high).
Result<Estimate> parse_estimate(const std::string& text, double min, double max, const std::string& where);
// The same of what somebody measured: without bounds its spread is unknown ("36667:36667:36667" holds it to be exact).
Result<Estimate> parse_measured(const std::string& text, double min, double max, const std::string& where);

}  // namespace assay
