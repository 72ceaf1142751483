// A target price of tokens or clips, with its units; and the verdict on it (metrics.md Money, facts 0 and D1).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "results/metrics/cost.h"
#include "suites/base/result.h"

namespace assay {

// "0.01 CNY/100k tokens", "0.65 USD/1M output tokens", "2.10 USD/clip".
struct Target {
  double value = 0;  // in `currency`, for `per` units
  std::string currency;
  double per = 0;                          // tokens or clips
  bool clips = false;                      // else tokens
  std::optional<TokenClass> token_class;   // not said: blended
  [[nodiscard]] std::string text() const;  // "0.01 CNY/100K tokens"
};
// A number without a currency or without "/N tokens" is refused: the press prints one target for 100K and for 1M.
Result<Target> parse_target(const std::string& text, const std::string& where);

enum class Reached { kReached, kNotReached, kCannotTell };
const char* reached_name(Reached r);  // "reached", "not reached", "can't tell"
// At the interval's confidence: reached if all of it is at or below the target, not reached if all of it is above.
Reached reached(const Amount& amount, double target);

// A step of the way from the target to the actual cost: actual = target x product of the factors.
struct Factor {
  std::string name;  // peak, mfu_mbu, slo, utilisation, capex, power, tariff, cache_mix
  double factor = 1;
  std::string meaning;
  bool confidential = false;  // it would give a confidential input away: never printed
  std::string basis = {};     // where it isn't the cost's: projected from a datasheet's peak
};

// Rates of one accelerator that the waterfall compares: at the roofline's peak, at saturation, and what is counted.
struct RateLadder {
  CostPoint peak, saturation;        // only the rates are read; NaN where not known
  CostPoint bound;                   // that no rate passes: the higher of the datasheet's peak and the measured one
  std::set<CostInput> of_datasheet;  // peaks that the datasheet has a part in; the others were measured
};

struct Lever {
  CostInput input = CostInput::kCount;  // kCount: the rates of input and of output tokens, by the same factor
  double now = 0, needed = 0;           // the value at which this input alone reaches the target; of both rates 1 and
                                        // the factor
  bool possible = false;                // within its physical bounds
  std::string limit;                    // why not: "over 1", "below 0", "over the roofline's peak"
};
std::string lever_name(const Lever& lever);  // "input_rate"; "both rates"

struct Verdict {
  TokenClass judged = TokenClass::kBlended;  // the class whose cost was held against the target
  bool upper_bound = false;  // judged by output tokens, as only they have a rate: the blended cost is no higher as far
                             // as an input token costs no more than an output token
  double target_per_token = 0;  // CNY
  Reached reached = Reached::kCannotTell;
  double gap = 0;  // actual / target
  Interval gap_interval;
  std::vector<Factor> waterfall;  // empty where the cost is absent
  std::vector<Lever> levers;      // least relative change first, possible ones before impossible ones
  // Of an owned chip's electricity alone, whatever the chip's price, at the interval's confidence: not reached where it
  // costs more than the target (no price of the chip reaches it), reached where it costs less (some price does).
  Reached by_electricity = Reached::kCannotTell;
  // A rented chip's power is its owner's to pay and rules no rent out: whether it costs more than the target.
  bool below_owners_power = false;
  std::string reason;  // why there is no verdict
};
// A target that names no class (c absent) is of all tokens. Where only output tokens have a rate their cost bounds the
// blended one from above: it may show the target reached, never missed. Input tokens alone bound nothing.
// reference_tariff: CNY per kWh from which the factor `tariff` counts.
Verdict verdict(const CostInputs& inputs, const Cost& cost, std::optional<TokenClass> c, double target_per_token,
                const RateLadder& ladder, double reference_tariff);

}  // namespace assay
