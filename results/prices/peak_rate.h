// What a record's rate could be at most, by the roofline.
#pragma once

#include <optional>

#include "results/prices/price_book.h"
#include "results/record.h"

namespace assay {

// Tokens/s if the step took no longer than its FLOPs at the peak and its bytes at the bandwidth.
struct PeakRate {
  double per_s = 0;           // by the ceilings measured beside the case; what they lack by the book's datasheet
  bool of_datasheet = false;  // whether it has a part in it
  double bound = 0;           // by the higher of both, which no rate passes
};
std::optional<PeakRate> peak_rate(const Record& record, const PriceBook& book);

}  // namespace assay
