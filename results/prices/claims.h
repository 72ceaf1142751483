// Claims in print: what someone says that tokens, clips or tasks cost, with the source. Schema:
// results/prices/claims.schema.json.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/metrics/target.h"
#include "results/prices/price_book.h"

namespace assay {

enum class ClaimKind { kTokenPrice, kClipPrice, kClipTime, kTaskPrice };
struct Claim {
  std::string id, text;  // text: as printed
  ClaimKind kind = ClaimKind::kTokenPrice;
  Target target;         // token price and clip price
  double limit = 0;      // clip time: seconds; task price: in `currency`
  int64_t height = 0;    // of the clip's frames, where the claim says so
  std::string currency;  // task price
  std::string source, date, grade, note;
};
Result<std::vector<Claim>> parse_claims(const std::string& text, const std::string& where);
Result<std::vector<Claim>> read_claims(const std::string& path);

// What the claims are held against, beside the cost of tokens.
struct ClaimEvidence {
  std::optional<Estimate> clip_seconds;  // on `accelerators`
  double accelerators = 1;
  int64_t clip_height = 0;       // of a clip that records compose; 0: someone's word
  std::optional<TokenMix> task;  // tokens of a task by class: counts, not shares
};

struct ClaimVerdict {
  Reached reached = Reached::kCannotTell;
  Amount actual;                    // in the claim's unit of money or seconds
  double limit = 0;                 // in the same unit
  bool limit_confidential = false;  // converted by a confidential rate: never printed
  std::string unit;                 // "CNY/1M tokens", "CNY/clip", "s", "CNY/task"
  std::string reason;               // why nothing can be said, or not more
};
// The claim against one chip's cost.
Result<ClaimVerdict> judge_claim(const Claim& claim, const Cost& cost, const ClaimEvidence& evidence,
                                 const PriceBook& book);

}  // namespace assay
