// A price book: refused with a message, or one whose every list of cells is an estimate in order and whose chips are
// found.
#include <cmath>

#include "results/prices/price_book.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace assay;

void check(const Result<Estimate>& estimate) {
  if (!estimate.ok()) return fuzz::must_explain(estimate.error());
  fuzz::must(std::isfinite(estimate->low) && std::isfinite(estimate->high), "an estimate is finite");
  fuzz::must(estimate->low <= estimate->typical && estimate->typical <= estimate->high, "an estimate is in order");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Result<PriceBook> book = parse_price_book(fuzz::text_of(data, size), "fuzz");
  if (!book.ok()) {
    fuzz::must_explain(book.error());
    return 0;
  }
  for (const PricedChip& chip : book->chips) {
    const Result<PricedChip> found = find_chip(*book, chip.id);
    fuzz::must(found.ok() && found->id == chip.id, "a chip is found by its id");
    for (const PriceCells* cells : {&chip.price, &chip.rent_per_hour, &chip.tdp_w, &chip.wall_kw, &chip.memory_gb}) {
      if (!cells->empty()) check(estimate_of(*cells, *book));
    }
  }
  for (const Tariff& tariff : book->tariffs) {
    for (const LoadShape shape : {LoadShape::kFlat, LoadShape::kCheapestHours}) {
      check(tariff_estimate(tariff, true, shape, 0.3, *book));
    }
  }
  const PriceBook both = merge_price_books(*book, *book);
  fuzz::must(both.chips.size() == book->chips.size() && both.tariffs.size() == book->tariffs.size(),
             "a book over itself is the same book");
  return 0;
}
