// What the commands about money share: their options, the price book, and the records that are priced.
#pragma once

#include <vector>

#include "harness/cli/common.h"
#include "reports/cost_sheet.h"

namespace assay {

// share/assay/prices beside the executable's folder; ASSAY_PRICES_DIR overrides it.
std::filesystem::path prices_dir();
// The shipped book with each of --prices over it, in order.
Result<PriceBook> price_book(const Arguments& arguments);

// --prices, --chip, --tariff, --rent, --set, ...: what a cost is reckoned with.
std::vector<OptionSpec> price_options();
// These, --rate and the formats.
std::vector<OptionSpec> money_options();

// What price_options() were given; each value is checked. Where --chip, --price and --rent were given several times,
// they are of the operands in order: `operand` says whose.
Result<CostChoices> choices_of(const Arguments& arguments, const PriceBook& book, size_t operand = 0);
Result<LatencyLimits> limits_of(const Arguments& arguments);
Result<CostOptions> draws_of(const Arguments& arguments);

struct PricedRows {
  PriceBook book;
  std::vector<CostRow> rows;          // of tokens: one per device product, model, dtype, tier and basis
  std::vector<CostRow> clips;         // one per clip that the records compose
  std::vector<std::string> left_out;  // what has no price, and what it needs
};
// Prices subjects; the book is not kept. `unpriced`: the last reason why one has no price.
PricedRows price_rows(const std::vector<CostSubject>& subjects, const CostChoices& choices, const CostOptions& options,
                      const PriceBook& book, std::optional<Error>* unpriced);
// --price and --rent where they were given: of one chip, so that of several products none gets what is another's.
Status check_given_prices(const Arguments& arguments, const std::vector<std::string>& products, const PriceBook& book);
// Prices the operands' records by the options. Without records, --rate makes the one subject.
Result<PricedRows> priced_rows(const Arguments& arguments);

}  // namespace assay
