// A tender: refused with a message, or one that nobody passes who has measured nothing.
#include "reports/tender.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const Result<Tender> tender = parse_tender(fuzz::text_of(data, size), "fuzz");
  if (!tender.ok()) {
    fuzz::must_explain(tender.error());
    return 0;
  }
  fuzz::must(!tender->basis.empty(), "a tender admits a basis");
  for (const Gate& gate : tender->gates) fuzz::must(!gate.clause.text.empty(), "a gate has a clause");
  const TenderResult result = judge(*tender, {{"nobody", {}}});
  const CandidateResult& nobody = result.candidates.at(0);
  fuzz::must(nobody.points == 0, "no record, no points");
  fuzz::must(nobody.passed == tender->gates.empty(), "a gate without a record fails");
  return 0;
}
