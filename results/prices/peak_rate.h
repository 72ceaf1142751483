// What a record's rate could be at most, by the roofline.
#pragma once

#include <optional>

#include "results/prices/price_book.h"
#include "results/record.h"

namespace assay {

// Tokens/s if the step took no longer than its FLOPs at the peak and its bytes at the bandwidth: of the datasheet where
// the book has it, else of the peaks that were measured beside the case.
std::optional<double> peak_rate(const Record& record, const PriceBook& book);

}  // namespace assay
