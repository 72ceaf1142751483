// What a chip's datasheet promises, from the price book.
#pragma once

#include <optional>
#include <string>

#include "results/metrics/roofline.h"
#include "results/prices/price_book.h"

namespace assay {

// The dense peak in which a case of `dtype` computes, TFLOPS; none where the book has none. Weights-only dtypes compute
// in bf16.
std::optional<PriceCell> datasheet_compute(const PricedChip& chip, const std::string& dtype);
// It and the bandwidth, the first figures of each. The error says what the book lacks.
Result<Roofline> datasheet_roofline(const PricedChip& chip, const std::string& dtype);

}  // namespace assay
