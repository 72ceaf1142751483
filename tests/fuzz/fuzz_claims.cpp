// A claims file: refused with a message, or claims that each say what and by whom.
#include <cmath>

#include "results/prices/claims.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const Result<std::vector<Claim>> claims = parse_claims(fuzz::text_of(data, size), "fuzz");
  if (!claims.ok()) {
    fuzz::must_explain(claims.error());
    return 0;
  }
  for (const Claim& claim : *claims) {
    fuzz::must(!claim.id.empty() && !claim.source.empty(), "a claim has a name and a source");
    fuzz::must(std::isfinite(claim.limit) && claim.limit >= 0, "a limit is a number");
    fuzz::must(!claim.market || (claim.chip.empty() && claim.vendor.empty()), "a price of the market is of no chip");
    const Result<ClaimVerdict> verdict = judge_claim(claim, PricedSubject{}, Cost{}, ClaimEvidence{}, PriceBook{});
    fuzz::must(!verdict.ok() || verdict->reached != Reached::kReached, "nothing measured reaches nothing");
  }
  return 0;
}
