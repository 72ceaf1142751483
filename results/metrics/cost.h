// Cost: yuan per hour of an accelerator and per token of each class, with intervals (metrics.md Money, facts C4).
// Pure functions of stated inputs; every amount of money in here is in yuan (CNY).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "results/metrics/throughput.h"

namespace assay {

// One input of the cost: a typical value between a low and a high one, and where it is from.
// Drawn as a triangle over the range, or as a normal whose 95 % it is; unknown (one sample): what follows from it has a
// typical value, but no interval and no probability.
enum class Spread { kRange, kInterval95, kUnknown };
struct Estimate {
  double low = 0, typical = 0, high = 0;
  Spread spread = Spread::kRange;
  std::string basis;  // measured, simulated, reported, projected, or assumed
  std::string source, date, grade, note;
  bool confidential = false;  // used, never printed; known to a step, which the range spans
  std::string cell;           // of the price book: "h100-sxm.price"; "" where it is from none
  std::string only_rate;      // the currency whose rate of exchange is all of the range, "" otherwise
  std::string currency;       // from which `typical` was converted to CNY; "" where nothing was
};
Estimate exact_estimate(double value, const std::string& basis, const std::string& source);

enum class CostInput : size_t {
  kRent,            // CNY per hour of one accelerator
  kChipPrice,       // CNY of one accelerator, without its share of the server
  kServerFactor,    // price of the server's share / price of the chip
  kLifeYears,       // until it is written off
  kDiscountRate,    // a year
  kSalvageShare,    // of the chip's price with server, at the end of the life
  kOpexShare,       // of the same price, a year: maintenance, rack, network, staff
  kUtilisation,     // useful hours / all hours: availability x load that the SLO admits
  kWallKw,          // kW at the wall under load, an accelerator's share of the server
  kIdlePowerShare,  // power in the other hours / power under load
  kPue,
  kTariff,           // CNY per kWh
  kInputRate,        // tokens/s of one accelerator, by class of token
  kOutputRate,       //
  kBlendedRate,      // where only all tokens together are known
  kCachedCostShare,  // cost of a cached input token / cost of one that misses
  kCount
};
inline constexpr size_t kCostInputs = static_cast<size_t>(CostInput::kCount);
const char* cost_input_name(CostInput input);  // "chip_price"
const char* cost_input_unit(CostInput input);  // "CNY"; "" for a ratio
const std::vector<CostInput>& all_cost_inputs();

// Shares of the tokens of each class; they add up to 1.
struct TokenMix {
  double cached = 0, input = 0, output = 0;
  std::string source;
};

struct CostInputs {
  bool rented = false;  // else owned
  std::array<std::optional<Estimate>, kCostInputs> values;
  TokenMix mix;

  [[nodiscard]] const std::optional<Estimate>& at(CostInput i) const { return values[static_cast<size_t>(i)]; }
  std::optional<Estimate>& at(CostInput i) { return values[static_cast<size_t>(i)]; }
};

// One value of each input; NaN where the input is not given.
struct CostPoint {
  CostPoint();
  std::array<double, kCostInputs> values;
  [[nodiscard]] double at(CostInput i) const { return values[static_cast<size_t>(i)]; }
  double& at(CostInput i) { return values[static_cast<size_t>(i)]; }
  [[nodiscard]] bool has(CostInput i) const;
};
CostPoint typical_point(const CostInputs& inputs);
// A confidential figure counts as the step that holds it: what is said must be true wherever in the step it lies.
bool is_known_to_a_step(const CostInputs& inputs, CostInput i);
// The end of the input's range at which a cost is the highest, or the lowest.
double cost_end(const CostInputs& inputs, CostInput i, bool highest);
// With each input that is known to a step at that end.
CostInputs at_step_ends(CostInputs inputs, bool highest);
bool is_confidential(const CostInputs& inputs, CostInput i);
// A useful hour of a rented chip is the rent over the share of use: printed, it would print a confidential rent.
bool hour_is_confidential(const CostInputs& inputs);

// Capital recovery factor r / (1 - (1+r)^-n); 1/n at r = 0.
double capital_recovery_factor(double rate, double years);
// CNY per useful hour of owning: [CRF (P m - salvage (1+r)^-n) + opex] / (8760 u), without electricity.
double owning_per_hour(const CostPoint& p);
// CNY per useful hour: kW x PUE x tariff, and the idle power of the other hours.
double electricity_per_hour(const CostPoint& p);
// Owned: both of the above. Rented: rent / utilisation, electricity is in the rent.
double cost_per_hour(const CostPoint& p, bool rented);

enum class TokenClass : size_t { kCached, kInput, kOutput, kBlended };
inline constexpr size_t kTokenClasses = 4;
const char* token_class_name(TokenClass c);  // "cached input", "input", "output", "blended"

// Seconds of one accelerator per token of a class; NaN where the rates don't say. Blended: weighted by the mix, or
// 1 / kBlendedRate. A cached token costs kCachedCostShare of a miss; without that input it is charged as a miss.
double seconds_per_token(const CostPoint& p, const TokenMix& mix, TokenClass c);

// CNY of a token of class c at one point.
double cost_per_token(const CostPoint& p, const CostInputs& inputs, TokenClass c);

struct Amount {
  std::optional<double> value;  // CNY
  // Monte Carlo over the inputs, of one known to a step at either end of it; NaN where one that counts has an unknown
  // spread.
  Interval interval;
  std::string reason;  // why absent
};

// What moves the blended (or the only) cost when one input goes from its low to its high value, others typical.
struct Sensitivity {
  CostInput input = CostInput::kCount;
  double at_low = 0, at_high = 0;  // CNY per token
  [[nodiscard]] double swing() const;
};

struct CostOptions {
  uint64_t seed = 1;
  int draws = 10000;
  double confidence = 0.95;
};

struct Cost {
  bool rented = false;
  Amount per_hour;                                      // CNY per useful hour of one accelerator
  std::array<Amount, kTokenClasses> per_token;          // CNY per token
  std::array<Amount, kTokenClasses> electricity_token;  // the floor: what power alone costs, whatever the chip's price
  TokenClass headline = TokenClass::kBlended;           // blended where it exists, else the one class measured
  std::vector<Sensitivity> tornado;                     // of the headline, largest swing first
  TokenMix mix;
  std::string basis;        // of the rates: measured, reported, ...
  std::string price_basis;  // of the rest: reported, assumed, or both
  CostOptions options;

  [[nodiscard]] const Amount& of(TokenClass c) const { return per_token[static_cast<size_t>(c)]; }
  [[nodiscard]] const Amount& floor_of(TokenClass c) const { return electricity_token[static_cast<size_t>(c)]; }
};
Cost cost(const CostInputs& inputs, const CostOptions& options = {});

// Names of the inputs that are needed and missing, "" if none: rent, or price and the rest of owning; and for a cost of
// tokens a rate.
std::string missing_cost_inputs(const CostInputs& inputs, bool of_tokens = true);

// CNY of one clip that takes `seconds` on `accelerators`, an hour of each costing per_hour. The interval has both at
// the same end: the widest that the two allow.
Amount clip_cost(const Amount& per_hour, double accelerators, const Estimate& seconds);

// Apart where an input is known to a step: bounds that hold wherever in it the figure lies.
struct Probability {
  double low = 0, high = 0;
  [[nodiscard]] bool is_range() const { return low < high; }
};
// P(a < b), the costs of a token of class c: both drawn together, an input that both share (the same figure of the same
// source) with one draw, so too amounts that only one rate of exchange makes uncertain, the others apart. None where
// one has no cost of it, or an input of unknown spread.
std::optional<Probability> probability_cheaper(const CostInputs& a, const CostInputs& b, TokenClass c,
                                               const CostOptions& options = {});
// From this probability on one counts as the cheaper: the interval of the difference, at the options' confidence, then
// lies on one side.
double decided_from(const CostOptions& options);

// The chip price at which the owned `inputs` cost `rival_per_token` for a token of class c, in closed form; negative
// where not even a gift would do. None where the inputs are rented or incomplete.
std::optional<double> break_even_chip_price(const CostInputs& inputs, TokenClass c, double rival_per_token);

// Joules per token that electricity leaves under a target: CNY per token / (tariff x PUE) x 3.6e6.
double joules_per_token_ceiling(double cny_per_token, double tariff, double pue);
// Tokens/s that one accelerator must sustain at c_hour CNY per hour to cost cny_per_token.
double required_tokens_per_s(double cny_per_token, double c_hour);

}  // namespace assay
