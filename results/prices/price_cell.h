// Reading one cell of a price book; other files that state a price use the same.
#pragma once

#include <string>
#include <vector>

#include "results/prices/price_book.h"
#include "suites/base/json_input.h"

namespace assay {

struct PriceCellRules {
  bool money = false;  // a currency must stand there; else none may
  double min = 0, max = 1e12;
  std::vector<std::string> bases;  // what its basis may be; empty: none may stand there
  bool may_be_from = false;        // an offer "from" a value on
};
// {value, low, high, from, currency, basis, date, source, grade, note}; faults are kept in the node's input.
PriceCell price_cell(const JsonNode& node, const PriceCellRules& rules);
// A currency that a book may use: CNY, USD, ...
std::string currency_at(const JsonNode& node);

// One cell as an input of the cost, in CNY where it is money.
Result<Estimate> cell_estimate(const PriceCell& cell, const PriceBook& book);

}  // namespace assay
