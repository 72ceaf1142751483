#include <algorithm>
#include <cmath>

#include "results/metrics/target.h"

namespace assay {
namespace {

const std::vector<CostInput> kRates{CostInput::kInputRate, CostInput::kOutputRate, CostInput::kBlendedRate};

constexpr double kFastest = 1e15;  // tokens/s: more than any device gives
constexpr const char* kInRent = "in the rent: its provider pays the power";

// The point with the rates of the ladder; a rate that the ladder lacks stays.
CostPoint with_rates(CostPoint p, const CostPoint& rates) {
  for (const CostInput i : kRates) {
    if (rates.has(i) && p.has(i)) p.at(i) = rates.at(i);
  }
  return p;
}

// Cost of one token at this point, cached tokens charged as misses.
CostPoint without_hits(CostPoint p) {
  p.at(CostInput::kCachedCostShare) = std::nan("");
  return p;
}

// The rates on which the cost of a token of class c rests.
std::vector<CostInput> rates_of(TokenClass c, const CostPoint& p, const TokenMix& mix) {
  if (c == TokenClass::kOutput) return {CostInput::kOutputRate};
  if (c != TokenClass::kBlended) return {CostInput::kInputRate};
  if (p.has(CostInput::kBlendedRate)) return {CostInput::kBlendedRate};
  std::vector<CostInput> out;
  if (mix.cached + mix.input > 0) out.push_back(CostInput::kInputRate);
  if (mix.output > 0) out.push_back(CostInput::kOutputRate);
  return out;
}

CostPoint at_full_use(CostPoint p) {
  p.at(CostInput::kUtilisation) = 1;
  return p;
}

// CNY per token at p; the other classes' inputs may be missing.
double token_cost(const CostInputs& inputs, const CostPoint& p, TokenClass c) {
  return cost_per_hour(p, inputs.rented) / 3600 * seconds_per_token(p, inputs.mix, c);
}

class Waterfall {
 public:
  Waterfall(const CostInputs& inputs, TokenClass c, double target, const RateLadder& ladder)
      : inputs_(inputs), c_(c), target_(target), now_(typical_point(inputs)) {
    saturation_ = with_rates(now_, ladder.saturation);
    const std::vector<CostInput> rates = rates_of(c, now_, inputs.mix);
    peak_known_ = std::all_of(rates.begin(), rates.end(), [&](CostInput i) { return ladder.peak.has(i); });
    peak_ = peak_known_ ? with_rates(saturation_, ladder.peak) : saturation_;
    of_datasheet_ = peak_known_ && std::any_of(rates.begin(), rates.end(),
                                               [&](CostInput i) { return ladder.of_datasheet.count(i) != 0; });
  }

  std::vector<Factor> factors(double reference_tariff) {
    const double full = cost_per_hour(at_full_use(now_), inputs_.rented);
    const double power = electricity_per_hour(at_full_use(now_));
    const bool has_power = std::isfinite(power) && power > 0;
    // Without a figure of power the hour stays whole in `capex`, counted from one yuan an hour. A rent is what it is,
    // whatever the tariff: all between it and the reference stays in `capex`, too.
    const bool pays_power = has_power && !inputs_.rented;
    const double base_hour = has_power ? now_.at(CostInput::kWallKw) * reference_tariff : 1;
    const double power_it = pays_power ? now_.at(CostInput::kWallKw) * now_.at(CostInput::kTariff) : base_hour;
    const double peak_seconds = seconds(without_hits(peak_)), sat_seconds = seconds(without_hits(saturation_));
    const double slo_seconds = seconds(without_hits(now_));
    add("peak", base_hour / 3600 * peak_seconds / target_,
        std::string(has_power ? "electricity alone at the reference tariff, " : "1 CNY an hour, ") +
            (!peak_known_    ? "at the rate at saturation, as no peak is known, over the target"
             : of_datasheet_ ? "at the peak rate by the datasheet, over the target"
                             : "at the peak rate by the ceilings beside the case, over the target") +
            (has_power ? "" : " (no power figure)"),
        {CostInput::kWallKw});
    add("mfu_mbu", sat_seconds / peak_seconds,
        !peak_known_ ? "not known: no peak to hold the rate against"
        : of_datasheet_
            ? "peak rate by the datasheet, where no ceiling stands beside the case, over the rate at saturation"
            : "peak rate by the ceilings beside the case, over the rate at saturation");
    if (of_datasheet_) {
      for (Factor& f : out_) f.basis = "projected";
    }
    add("slo", slo_seconds / sat_seconds, "rate at saturation over the rate within the limits of latency");
    add("utilisation", cost_per_hour(now_, inputs_.rented) / full, "an hour of use over an hour, both paid",
        {CostInput::kUtilisation});
    add("capex", full / (pays_power ? power : base_hour),
        !has_power       ? std::string(inputs_.rented ? "rent" : "owning and power") + " over 1 CNY an hour"
        : inputs_.rented ? "rent over power alone at the reference tariff"
                         : "owning and power over power alone",
        inputs_.rented ? Inputs{CostInput::kRent, CostInput::kWallKw} : Inputs{});
    add("power", pays_power ? power / power_it : 1,
        inputs_.rented ? kInRent : "PUE: power at the meter over power of the machine",
        pays_power ? Inputs{CostInput::kPue} : Inputs{});
    add("tariff", pays_power ? power_it / base_hour : 1, inputs_.rented ? kInRent : "tariff over the reference tariff",
        pays_power ? Inputs{CostInput::kTariff} : Inputs{});
    add("cache_mix", seconds(now_) / slo_seconds, "cached input at its own cost over charged as a miss");
    return std::move(out_);
  }

 private:
  double seconds(const CostPoint& p) const { return seconds_per_token(p, inputs_.mix, c_); }
  // `shows`: the inputs of which the factor is the figure, but for what is printed anyway.
  using Inputs = std::vector<CostInput>;
  void add(const char* name, double factor, const std::string& meaning, const Inputs& shows = {}) {
    const bool secret =
        std::any_of(shows.begin(), shows.end(), [&](CostInput i) { return is_confidential(inputs_, i); });
    out_.push_back({name, factor, meaning, secret});
  }

  const CostInputs& inputs_;
  TokenClass c_;
  double target_;
  bool peak_known_ = false, of_datasheet_ = false;
  CostPoint now_, saturation_, peak_;
  std::vector<Factor> out_;
};

struct Bound {
  CostInput input;
  double min, max;
  const char* limit;
};

// The value of one input at which the cost meets the target, by bisection: the cost is monotone in each of them.
std::optional<double> solve(const CostInputs& inputs, TokenClass c, double target, CostInput input, double min,
                            double max) {
  CostPoint p = typical_point(inputs);
  const auto over = [&](double x) {
    p.at(input) = x;
    return token_cost(inputs, p, c) > target;
  };
  const bool over_min = over(min), over_max = over(max);
  if (over_min == over_max) return std::nullopt;
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (min + max);
    (over(middle) == over_min ? min : max) = middle;
  }
  return 0.5 * (min + max);
}

double peak_of(const RateLadder& ladder, CostInput rate) {
  return ladder.bound.has(rate) ? ladder.bound.at(rate) : std::nan("");
}

// How far the peaks allow the rates to grow.
void hold_against_peaks(bool over, bool known, Lever* lever) {
  lever->possible = !over;
  if (over) {
    lever->limit = "over the roofline's peak";
  } else if (!known) {
    lever->limit = "no peak is known to hold it against";
  }
}

// Each rate alone; where two make up the cost, both by the same factor, too.
std::vector<Lever> rate_levers(const CostInputs& inputs, TokenClass c, double target, double gap,
                               const RateLadder& ladder) {
  std::vector<Lever> out;
  const CostPoint now = typical_point(inputs);
  const std::vector<CostInput> rates = rates_of(c, now, inputs.mix);
  bool any_over = false, all_known = true;
  for (const CostInput i : rates) {
    const double peak = peak_of(ladder, i);
    any_over = any_over || now.at(i) * gap > peak;
    all_known = all_known && !std::isnan(peak);
    const std::optional<double> needed =
        rates.size() == 1 ? now.at(i) * gap : solve(inputs, c, target, i, now.at(i), kFastest);
    Lever& lever = out.emplace_back(Lever{i, now.at(i), needed.value_or(std::nan("")), false, ""});
    if (needed) {
      hold_against_peaks(*needed > peak, !std::isnan(peak), &lever);
    } else {
      lever.limit = "not even at any speed: the other tokens alone cost more";
    }
  }
  if (rates.size() < 2) return out;
  hold_against_peaks(any_over, all_known, &out.emplace_back(Lever{CostInput::kCount, 1, gap, false, ""}));
  return out;
}

std::vector<Lever> levers_of(const CostInputs& inputs, TokenClass c, double target, double gap,
                             const RateLadder& ladder) {
  const std::vector<Bound> owned{{CostInput::kChipPrice, 0, 1e12, "even a free chip costs more"},
                                 {CostInput::kUtilisation, 1e-6, 1, "not even at full use"},
                                 {CostInput::kPue, 1, 100, "not even at a PUE of 1"},
                                 {CostInput::kTariff, 0, 1e6, "not even with free electricity"},
                                 {CostInput::kLifeYears, 0.1, 1000, "not even if it never wears out"}};
  const std::vector<Bound> rented{{CostInput::kRent, 0, 1e12, "not even for nothing"},
                                  {CostInput::kUtilisation, 1e-6, 1, "not even at full use"}};
  std::vector<Lever> out = rate_levers(inputs, c, target, gap, ladder);
  const CostPoint now = typical_point(inputs);
  for (const Bound& b : inputs.rented ? rented : owned) {
    if (!now.has(b.input)) continue;
    const std::optional<double> needed = solve(inputs, c, target, b.input, b.min, b.max);
    out.push_back({b.input, now.at(b.input), needed.value_or(std::nan("")), needed.has_value(), needed ? "" : b.limit});
  }
  const auto change = [](const Lever& l) { return l.possible ? std::abs(std::log(l.needed / l.now)) : 1e300; };
  std::stable_sort(out.begin(), out.end(), [&](const Lever& a, const Lever& b) { return change(a) < change(b); });
  return out;
}

}  // namespace

std::string lever_name(const Lever& lever) {
  return lever.input == CostInput::kCount ? "both rates" : cost_input_name(lever.input);
}

const char* reached_name(Reached r) {
  return r == Reached::kReached ? "reached" : r == Reached::kNotReached ? "not reached" : "can't tell";
}

Reached reached(const Amount& amount, double target) {
  if (!amount.value) return Reached::kCannotTell;
  if (amount.interval.high <= target) return Reached::kReached;
  return amount.interval.low > target ? Reached::kNotReached : Reached::kCannotTell;
}

Verdict verdict(const CostInputs& inputs, const Cost& cost, std::optional<TokenClass> named, double target_per_token,
                const RateLadder& ladder, double reference_tariff) {
  Verdict out;
  out.target_per_token = target_per_token;
  out.upper_bound = !named && cost.headline == TokenClass::kOutput;
  const TokenClass c = named.value_or(out.upper_bound ? TokenClass::kOutput : TokenClass::kBlended);
  out.judged = c;
  const Amount& amount = cost.of(c);
  if (!amount.value) {
    out.reason = amount.reason;
    return out;
  }
  out.reached = reached(amount, target_per_token);
  out.gap = *amount.value / target_per_token;
  out.gap_interval = {amount.interval.low / target_per_token, amount.interval.high / target_per_token};
  out.waterfall = Waterfall(inputs, c, target_per_token, ladder).factors(reference_tariff);
  if (out.gap > 1) out.levers = levers_of(inputs, c, target_per_token, out.gap, ladder);
  const Reached by_electricity = reached(cost.floor_of(c), target_per_token);
  out.below_owners_power = inputs.rented && !out.upper_bound && by_electricity == Reached::kNotReached;
  if (!inputs.rented) out.by_electricity = by_electricity;
  if (out.upper_bound) {  // a bound from above never shows that something is missed
    for (Reached* r : {&out.reached, &out.by_electricity}) {
      if (*r == Reached::kNotReached) *r = Reached::kCannotTell;
    }
  }
  return out;
}

}  // namespace assay
