#include "results/metrics/cost.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "results/metrics/draw.h"

namespace assay {
namespace {

constexpr double kHoursPerYear = 8760;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct InputText {
  const char *name, *unit;
};
constexpr std::array<InputText, kCostInputs> kTexts{{{"rent", "CNY/h"},
                                                     {"chip_price", "CNY"},
                                                     {"server_factor", ""},
                                                     {"life", "years"},
                                                     {"discount_rate", "/year"},
                                                     {"salvage_share", ""},
                                                     {"opex_share", "/year"},
                                                     {"utilisation", ""},
                                                     {"wall_power", "kW"},
                                                     {"idle_power_share", ""},
                                                     {"pue", ""},
                                                     {"tariff", "CNY/kWh"},
                                                     {"input_rate", "tokens/s"},
                                                     {"output_rate", "tokens/s"},
                                                     {"blended_rate", "tokens/s"},
                                                     {"cached_cost_share", ""}}};

bool is_rate(CostInput i) {
  return i == CostInput::kInputRate || i == CostInput::kOutputRate || i == CostInput::kBlendedRate;
}

// Owning: CNY a year for one CNY of chip price.
double yearly_share_of_price(const CostPoint& p) {
  const double rate = p.at(CostInput::kDiscountRate), years = p.at(CostInput::kLifeYears);
  const double salvage = p.at(CostInput::kSalvageShare) * std::pow(1 + rate, -years);
  const double capital = capital_recovery_factor(rate, years) * (1 - salvage);
  return p.at(CostInput::kServerFactor) * (capital + p.at(CostInput::kOpexShare));
}

double quantile_of(const std::vector<double>& sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - static_cast<double>(below));
}

double quantile_of_draws(std::vector<double>* draws, double p) {
  if (std::any_of(draws->begin(), draws->end(), [](double x) { return std::isnan(x); })) return kNan;
  std::sort(draws->begin(), draws->end());
  return quantile_of(*draws, p);
}

// `highest`: the same draws with what is known to a step at its other end; empty where nothing is.
Interval interval_of(std::vector<double> draws, std::vector<double> highest, double confidence) {
  const double low = quantile_of_draws(&draws, (1 - confidence) / 2);
  if (std::isnan(low)) return {kNan, kNan};
  const double upper = (1 + confidence) / 2;
  return {low, highest.empty() ? quantile_of(draws, upper) : quantile_of_draws(&highest, upper)};
}

// What is computed of one point: the hour, then each class's token, then each class's electricity.
constexpr size_t kOutputs = 1 + 2 * kTokenClasses;
std::array<double, kOutputs> outputs_at(const CostPoint& p, const CostInputs& inputs) {
  std::array<double, kOutputs> out{};
  const double hour = cost_per_hour(p, inputs.rented), power = electricity_per_hour(p);
  out[0] = hour;
  for (size_t c = 0; c < kTokenClasses; ++c) {
    const double seconds = seconds_per_token(p, inputs.mix, static_cast<TokenClass>(c));
    out[1 + c] = hour / 3600 * seconds;
    out[1 + kTokenClasses + c] = power / 3600 * seconds;
  }
  return out;
}

std::string why_absent(const CostPoint& p, size_t output) {
  if (output == 0) return "no rent and no chip price";
  if (output > kTokenClasses && std::isnan(electricity_per_hour(p))) return "no power at the wall or no tariff";
  const auto c = static_cast<TokenClass>((output - 1) % kTokenClasses);
  if (c == TokenClass::kOutput) return "no rate of output tokens (decode)";
  if (c != TokenClass::kBlended) return "no rate of input tokens (prefill)";
  return "blended needs the rates of input and of output tokens";
}

std::string bases(const CostInputs& inputs, bool rates) {
  std::vector<std::string> seen;
  for (const CostInput i : all_cost_inputs()) {
    const std::optional<Estimate>& e = inputs.at(i);
    if (!e || is_rate(i) != rates || std::find(seen.begin(), seen.end(), e->basis) != seen.end()) continue;
    seen.push_back(e->basis);
  }
  std::sort(seen.begin(), seen.end());
  std::string out;
  for (const std::string& basis : seen) out += (out.empty() ? "" : " and ") + basis;
  return out;
}

std::vector<Sensitivity> tornado_of(const CostInputs& inputs, TokenClass c) {
  std::vector<Sensitivity> out;
  const size_t output = 1 + static_cast<size_t>(c);
  for (const CostInput i : all_cost_inputs()) {
    const std::optional<Estimate>& e = inputs.at(i);
    if (!e || !(e->high > e->low)) continue;
    CostPoint p = typical_point(inputs);
    Sensitivity s;
    s.input = i;
    p.at(i) = e->low;
    s.at_low = outputs_at(p, inputs)[output];
    p.at(i) = e->high;
    s.at_high = outputs_at(p, inputs)[output];
    if (s.swing() > 0) out.push_back(s);
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.swing() > b.swing(); });
  return out;
}

TokenClass headline_of(const std::array<Amount, kTokenClasses>& amounts) {
  for (const TokenClass c : {TokenClass::kBlended, TokenClass::kOutput, TokenClass::kInput}) {
    if (amounts[static_cast<size_t>(c)].value) return c;
  }
  return TokenClass::kBlended;
}

}  // namespace

Estimate exact_estimate(double value, const std::string& basis, const std::string& source) {
  Estimate e;
  e.low = e.typical = e.high = value;
  e.basis = basis;
  e.source = source;
  return e;
}

const char* cost_input_name(CostInput input) { return kTexts[static_cast<size_t>(input)].name; }
const char* cost_input_unit(CostInput input) { return kTexts[static_cast<size_t>(input)].unit; }

const std::vector<CostInput>& all_cost_inputs() {
  static const std::vector<CostInput> kAll = [] {
    std::vector<CostInput> all;
    for (size_t i = 0; i < kCostInputs; ++i) all.push_back(static_cast<CostInput>(i));
    return all;
  }();
  return kAll;
}

const char* token_class_name(TokenClass c) {
  constexpr std::array<const char*, kTokenClasses> kNames{"cached input", "input", "output", "blended"};
  return kNames[static_cast<size_t>(c)];
}

CostPoint::CostPoint() { values.fill(kNan); }

bool CostPoint::has(CostInput i) const { return !std::isnan(at(i)); }

double Sensitivity::swing() const { return std::abs(at_high - at_low); }

bool is_known_to_a_step(const CostInputs& inputs, CostInput i) {
  return is_confidential(inputs, i) && inputs.at(i)->spread != Spread::kUnknown;
}

double cost_end(const CostInputs& inputs, CostInput i, bool highest) {
  const bool falls =
      is_rate(i) || i == CostInput::kLifeYears || i == CostInput::kSalvageShare || i == CostInput::kUtilisation;
  return falls == highest ? inputs.at(i)->low : inputs.at(i)->high;
}

CostInputs at_step_ends(CostInputs inputs, bool highest) {
  for (const CostInput i : all_cost_inputs()) {
    if (is_known_to_a_step(inputs, i)) inputs.at(i)->typical = cost_end(inputs, i, highest);
  }
  return inputs;
}

CostPoint typical_point(const CostInputs& inputs) {
  CostPoint p;
  for (const CostInput i : all_cost_inputs()) {
    if (inputs.at(i)) p.at(i) = inputs.at(i)->typical;
  }
  return p;
}

bool is_confidential(const CostInputs& inputs, CostInput i) { return inputs.at(i) && inputs.at(i)->confidential; }

bool hour_is_confidential(const CostInputs& inputs) {
  return inputs.rented && is_confidential(inputs, CostInput::kRent);
}

double capital_recovery_factor(double rate, double years) {
  return rate == 0 ? 1 / years : rate / -std::expm1(-years * std::log1p(rate));
}

double owning_per_hour(const CostPoint& p) {
  return p.at(CostInput::kChipPrice) * yearly_share_of_price(p) / (kHoursPerYear * p.at(CostInput::kUtilisation));
}

double electricity_per_hour(const CostPoint& p) {
  const double u = p.at(CostInput::kUtilisation);
  const double idle = p.has(CostInput::kIdlePowerShare) ? p.at(CostInput::kIdlePowerShare) * (1 - u) / u : 0;
  return p.at(CostInput::kWallKw) * p.at(CostInput::kPue) * p.at(CostInput::kTariff) * (1 + idle);
}

double cost_per_hour(const CostPoint& p, bool rented) {
  if (rented) return p.at(CostInput::kRent) / p.at(CostInput::kUtilisation);
  return owning_per_hour(p) + electricity_per_hour(p);
}

double seconds_per_token(const CostPoint& p, const TokenMix& mix, TokenClass c) {
  const double miss = 1 / p.at(CostInput::kInputRate), out = 1 / p.at(CostInput::kOutputRate);
  const double hit = p.has(CostInput::kCachedCostShare) ? p.at(CostInput::kCachedCostShare) * miss : miss;
  switch (c) {
    case TokenClass::kCached:
      return hit;
    case TokenClass::kInput:
      return miss;
    case TokenClass::kOutput:
      return out;
    case TokenClass::kBlended:
      break;
  }
  if (p.has(CostInput::kBlendedRate)) return 1 / p.at(CostInput::kBlendedRate);
  if (!(mix.cached + mix.input + mix.output > 0)) return kNan;  // the mix of a blended rate, and none is known here
  const auto part = [](double share, double seconds) { return share == 0 ? 0 : share * seconds; };
  return part(mix.cached, hit) + part(mix.input, miss) + part(mix.output, out);
}

Cost cost(const CostInputs& inputs, const CostOptions& options) {
  Cost result;
  result.rented = inputs.rented;
  result.mix = inputs.mix;
  result.options = options;
  result.basis = bases(inputs, true);
  result.price_basis = bases(inputs, false);
  const CostPoint typical = typical_point(inputs);
  const auto centre = outputs_at(typical, inputs);
  std::vector<CostInput> steps;
  for (const CostInput i : all_cost_inputs()) {
    if (is_known_to_a_step(inputs, i)) steps.push_back(i);
  }
  std::array<std::vector<double>, kOutputs> draws, highest;
  const auto add = [&](const CostPoint& p, std::array<std::vector<double>, kOutputs>* to) {
    const auto at = outputs_at(p, inputs);
    for (size_t o = 0; o < kOutputs; ++o) (*to)[o].push_back(at[o]);
  };
  Draw draw(options.seed);
  for (int d = 0; d < options.draws; ++d) {
    CostPoint p;
    for (const CostInput i : all_cost_inputs()) {
      if (inputs.at(i)) p.at(i) = draw.value_of(*inputs.at(i));
    }
    for (const CostInput i : steps) p.at(i) = cost_end(inputs, i, false);
    add(p, &draws);
    for (const CostInput i : steps) p.at(i) = cost_end(inputs, i, true);
    if (!steps.empty()) add(p, &highest);
  }
  const auto amount = [&](size_t o) {
    Amount a;
    if (std::isnan(centre[o])) {
      a.reason = why_absent(typical, o);
    } else {
      a.value = centre[o];
      a.interval = interval_of(std::move(draws[o]), std::move(highest[o]), options.confidence);
      // A typical value at an end of its range lies beyond the draws' quantile: the interval holds it, too.
      a.interval = {std::min(a.interval.low, centre[o]), std::max(a.interval.high, centre[o])};
    }
    return a;
  };
  result.per_hour = amount(0);
  for (size_t c = 0; c < kTokenClasses; ++c) {
    result.per_token[c] = amount(1 + c);
    result.electricity_token[c] = amount(1 + kTokenClasses + c);
  }
  result.headline = headline_of(result.per_token);
  result.tornado = tornado_of(inputs, result.headline);
  return result;
}

std::string missing_cost_inputs(const CostInputs& inputs, bool of_tokens) {
  static const std::vector<CostInput> kOwned{CostInput::kChipPrice,    CostInput::kServerFactor, CostInput::kLifeYears,
                                             CostInput::kDiscountRate, CostInput::kSalvageShare, CostInput::kOpexShare,
                                             CostInput::kUtilisation,  CostInput::kWallKw,       CostInput::kPue,
                                             CostInput::kTariff};
  static const std::vector<CostInput> kRented{CostInput::kRent, CostInput::kUtilisation};
  std::string out;
  const auto add = [&](const char* name) { out += (out.empty() ? "" : ", ") + std::string(name); };
  for (const CostInput i : inputs.rented ? kRented : kOwned) {
    if (!inputs.at(i)) add(cost_input_name(i));
  }
  if (of_tokens && !inputs.at(CostInput::kInputRate) && !inputs.at(CostInput::kOutputRate) &&
      !inputs.at(CostInput::kBlendedRate)) {
    add("a rate of tokens");
  }
  return out;
}

double cost_per_token(const CostPoint& p, const CostInputs& inputs, TokenClass c) {
  return cost_per_hour(p, inputs.rented) / 3600 * seconds_per_token(p, inputs.mix, c);
}

Amount clip_cost(const Amount& per_hour, double accelerators, const Estimate& seconds) {
  Amount out = per_hour;
  const double hours = accelerators / 3600;
  if (out.value) *out.value *= hours * seconds.typical;
  const double low = seconds.spread == Spread::kUnknown ? kNan : seconds.low;
  const double high = seconds.spread == Spread::kUnknown ? kNan : seconds.high;
  out.interval = {per_hour.interval.low * hours * low, per_hour.interval.high * hours * high};
  return out;
}

std::optional<double> break_even_chip_price(const CostInputs& inputs, TokenClass c, double rival_per_token) {
  if (inputs.rented) return std::nullopt;
  CostPoint p = typical_point(inputs);
  p.at(CostInput::kChipPrice) = 1;
  const double hour = rival_per_token * 3600 / seconds_per_token(p, inputs.mix, c);
  const double price = (hour - electricity_per_hour(p)) / owning_per_hour(p);
  return std::isnan(price) ? std::nullopt : std::optional<double>(price);
}

double joules_per_token_ceiling(double cny_per_token, double tariff, double pue) {
  return cny_per_token / (tariff * pue) * 3.6e6;
}

double required_tokens_per_s(double cny_per_token, double c_hour) { return c_hour / 3600 / cny_per_token; }

}  // namespace assay
