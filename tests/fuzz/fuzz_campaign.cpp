// The plan of a run: refused with a message, or the same again after being written.
#include "harness/plan/campaign.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const Result<Campaign> campaign = campaign_from_json(fuzz::text_of(data, size), "fuzz");
  if (!campaign.ok()) {
    fuzz::must_explain(campaign.error());
    return 0;
  }
  const Result<Campaign> back = campaign_from_json(campaign_to_json(*campaign), "fuzz");
  fuzz::must(back.ok() && campaign_difference(*campaign, *back).empty(), "a plan survives the way");
  return 0;
}
