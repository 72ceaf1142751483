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

// --prices, --chip, --tariff, ... and the formats.
std::vector<OptionSpec> money_options();

struct PricedRows {
  PriceBook book;
  std::vector<CostRow> rows;  // one per device product, model, dtype and basis
};
// Prices the operands' records by the options. Without records, --rate makes the one subject.
Result<PricedRows> priced_rows(const Arguments& arguments);

}  // namespace assay
