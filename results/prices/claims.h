// Claims in print: what someone says that tokens, clips or tasks cost, with the source. Schema:
// results/prices/claims.schema.json.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/metrics/target.h"
#include "results/prices/cost_inputs.h"
#include "results/prices/price_book.h"

namespace assay {

enum class ClaimKind { kTokenPrice, kClipPrice, kClipTime, kTaskPrice };
struct Claim {
  std::string id, text;  // text: as printed
  ClaimKind kind = ClaimKind::kTokenPrice;
  Target target;                 // token price and clip price
  double limit = 0;              // clip time: seconds; task price: in `currency`
  int64_t height = 0;            // of the clip's frames, where the claim says so
  std::string currency;          // task price
  std::string chip, vendor;      // whose cost it is of: a chip, or a vendor's chips; both "": not stated, or
  bool market = false;           // a price in the market, whatever the chip
  std::string model;             // a name or the beginning of one up to a dash; or
  double params = 0;             // its class of size; 0: not stated
  std::optional<TokenMix> task;  // task price: the tokens of a task by class (counts), where the claim states them
  std::string source, date, grade, note;
};
Result<std::vector<Claim>> parse_claims(const std::string& text, const std::string& where);
Result<std::vector<Claim>> read_claims(const std::string& path);

// What the claims are held against, beside the cost of tokens.
struct ClaimEvidence {
  std::optional<Estimate> clip_seconds;  // on `accelerators`
  double accelerators = 1;
  int64_t clip_height = 0;       // of a clip that records compose; 0: someone's word
  std::optional<TokenMix> task;  // tokens of a task by class (counts), where the claim states none
};

struct ClaimVerdict {
  bool speaks = false;  // the cost is of the claim's chip, model and tokens; else it says nothing of the claim
  size_t gaps = 0;      // in how many of these it is not
  Reached reached = Reached::kCannotTell;
  Amount actual;                    // in the claim's unit of money or seconds
  double limit = 0;                 // in the same unit
  bool limit_confidential = false;  // converted by a confidential rate: never printed
  std::string unit;                 // "CNY/1M tokens", "CNY/clip", "s", "CNY/task"
  std::string reason;               // why nothing can be said, or not more
};
// The claim against the cost of one subject.
Result<ClaimVerdict> judge_claim(const Claim& claim, const PricedSubject& of, const Cost& cost,
                                 const ClaimEvidence& evidence, const PriceBook& book);

// Why the records of a subject say nothing of a claim: what it names and they are not of, and what it leaves out. Empty
// where they are of its chip and model. `of_clip_word`: a time of the claim's own clip that someone reports, no record.
std::vector<std::string> claim_gaps(const Claim& claim, const PricedSubject& of, const PriceBook& book,
                                    bool of_clip_word);

}  // namespace assay
