#include "results/plan/plan.h"

#include <algorithm>
#include <cmath>

#include "results/plan/queueing.h"

namespace assay {
namespace {

constexpr double kMaxPlannedUnits = 1e7;

// Which ends of the intervals a plan is made from.
enum class Side { kTypical, kBad, kGood };

PlanUnit at_side(PlanUnit unit, Side side) {
  if (side == Side::kTypical) return unit;
  const bool bad = side == Side::kBad;
  for (PrefillPoint& p : unit.prefill) p.per_s = bad ? p.low : p.high;
  for (DecodePoint& p : unit.decode) p.step_ms = bad ? p.high : p.low;
  unit.cost_per_hour.typical = bad ? unit.cost_per_hour.high : unit.cost_per_hour.low;
  return unit;
}

double context_of(const PlanTraffic& t) { return t.prompt_tokens + t.output_tokens / 2; }

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 1e6 && value == std::floor(value) ? "%.0f" : "%.4g", value);
  return text;
}

// Bytes of one prompt's KV cache that move. Hits lie at its start, so that what misses has all of the windowed layers'.
double moved_bytes(const PlanUnit& from, const PlanTraffic& t) {
  return kv_bytes(from, t.prompt_tokens * (t.hits_are_moved ? 1 : 1 - t.cache_hit));
}

std::string longest_known(double tokens) { return tokens > 0 ? "; the longest is " + number(tokens) : ""; }

// What one prefill unit does with a prompt.
struct Prefill {
  double service_s = 0;
  double flow = 0;  // units at full load
  std::string problem;
};

Prefill prefill_of(const PlanUnit& unit, const PlanTraffic& t) {
  Prefill out;
  const std::optional<double> rate = prefill_rate(unit, t.prompt_tokens);
  if (!rate) {
    double longest = 0;
    for (const PrefillPoint& p : unit.prefill) longest = std::max(longest, p.prompt_tokens);
    out.problem = unit.name + ": no prefill was measured at " + number(t.prompt_tokens) + " tokens or more" +
                  longest_known(longest);
    return out;
  }
  out.service_s = t.prompt_tokens * (1 - t.cache_hit) / *rate;
  out.flow = t.requests_per_s * out.service_s;
  return out;
}

struct Decode {
  double batch = 0, step_ms = 0, flow = 0;
  std::string problem;
};

// The largest batch of a unit within the limit of time and its memory, and what the flow needs of such units.
Decode decode_of(const PlanUnit& unit, const PlanTraffic& t, std::optional<double> limit_ms) {
  Decode out;
  const double context = context_of(t);
  std::optional<double> batch = decode_batch(unit, context, limit_ms);
  if (!batch) {
    double longest = 0;
    for (const DecodePoint& p : unit.decode) longest = std::max(longest, p.context);
    const bool too_long = longest < context;
    out.problem =
        unit.name + ": no decode step was measured at a context of " + number(context) + " tokens" +
        (too_long ? " or more" + longest_known(longest) : (limit_ms ? " within " + number(*limit_ms) + " ms" : ""));
    return out;
  }
  if (unit.memory_bytes > 0 && unit.kv_bytes_per_token > 0) {
    const double room = (unit.memory_bytes - unit.weight_bytes) / kv_bytes(unit, context);
    if (room < 1) {
      out.problem = unit.name + ": its memory holds no sequence of " + number(context) + " tokens beside the weights";
      return out;
    }
    *batch = std::min(*batch, room);
  }
  out.batch = *batch;
  out.step_ms = *decode_step_ms(unit, out.batch, context);
  out.flow = t.requests_per_s * t.output_tokens * out.step_ms / 1000 / out.batch;
  return out;
}

// Units that hold the requests in flight at the quantile, if latency counts; else the flow alone.
double decode_units(const Decode& d, const PlanTraffic& t, const PlanLimits& limits, double stretch) {
  const double in_flight = t.requests_per_s * t.output_tokens * d.step_ms / 1000 * stretch;
  const double slots = limits.tpot_ms ? slots_for_poisson(in_flight, limits.quantile) : in_flight;
  return std::max(1.0, std::ceil(slots / d.batch - 1e-9));
}

// Seconds to move the KV cache of one prompt, between the two units' links.
double transfer_s(const PlanUnit& from, const PlanUnit& to, const PlanTraffic& t) {
  double link = from.link_bytes_per_s;
  if (to.link_bytes_per_s > 0) link = link > 0 ? std::min(link, to.link_bytes_per_s) : to.link_bytes_per_s;
  return link > 0 ? moved_bytes(from, t) / link : 0;
}

// What of the KV transfer's time isn't known; "" where it is.
std::string unknown_of_transfer(const PlanUnit& from, const PlanUnit& to) {
  std::string out;
  const auto add = [&](const std::string& name) { out += (out.empty() ? "" : ", ") + name; };
  if (!(from.kv_bytes_per_token > 0)) add("KV bytes per token of " + from.name + " unknown");
  if (!(from.link_bytes_per_s > 0)) add("link of " + from.name + " unknown");
  if (!(to.link_bytes_per_s > 0) && to.name != from.name) add("link of " + to.name + " unknown");
  return out;
}

// What of a decode unit's memory isn't known; "" where it bounds the batch.
std::string unknown_of_memory(const PlanUnit& unit) {
  if (!(unit.memory_bytes > 0)) return "memory of " + unit.name + " unknown";
  if (!(unit.kv_bytes_per_token > 0)) return "KV bytes per token of " + unit.name + " unknown";
  return unit.weight_bytes > 0 ? "" : "weights of " + unit.name + " unknown, its memory holds KV cache alone";
}

std::string left_out(const std::string& transfer, const std::string& memory) {
  std::string out = transfer.empty() ? "" : "KV transfer (" + transfer + ")";
  if (!memory.empty()) out += (out.empty() ? "" : "; ") + ("memory limit (" + memory + ")");
  return out;
}

double link_units(const PlanUnit& unit, const PlanUnit& from, const PlanTraffic& t) {
  if (!(unit.link_bytes_per_s > 0)) return 0;
  return t.requests_per_s * moved_bytes(from, t) / unit.link_bytes_per_s;
}

// Fewest whole units, from `least` on, whose first token keeps the limit; ttft_s: seconds at n units, falling with n.
template <typename Ttft>
std::optional<double> fewest_units(double least, std::optional<double> limit_ms, const Ttft& ttft_s) {
  double low = std::max(1.0, std::ceil(least - 1e-9));
  if (!limit_ms) return low;
  const auto keeps = [&](double n) { return ttft_s(n) * 1000 <= *limit_ms; };
  if (keeps(low)) return low;
  double high = low;
  while (!keeps(high)) {
    high *= 2;
    if (high > kMaxPlannedUnits) return std::nullopt;
  }
  while (high - low > 1) {
    const double middle = std::floor((low + high) / 2);
    (keeps(middle) ? high : low) = middle;
  }
  return high;
}

double queued_s(const Prefill& p, const PlanTraffic& t, const PlanLimits& limits, double n) {
  const double load = p.flow / n;
  if (load >= 1) return limits.ttft_ms ? 1e300 : 0;
  return mg1_wait_quantile(load, p.service_s, t.prompt_cv, limits.quantile) + p.service_s;
}

void price(const PlanUnit& prefill, const PlanUnit& decode, const PlanTraffic& t, Plan* plan) {
  const double a = prefill.cost_per_hour.typical, b = decode.cost_per_hour.typical;
  plan->cost_per_hour = a * plan->prefill_units + b * plan->decode_units;
  plan->flow_cost_per_hour = a * plan->prefill_flow + b * plan->decode_flow;
  const double tokens_per_hour = 3600 * t.requests_per_s * (t.prompt_tokens + t.output_tokens);
  plan->per_1m_tokens = plan->cost_per_hour / tokens_per_hour * 1e6;
  const auto sum = [&](const std::optional<double>& of_prefill, const std::optional<double>& of_decode) {
    const bool known = of_prefill && (of_decode || !(plan->decode_units > 0));
    return known ? std::optional(*of_prefill * plan->prefill_units + of_decode.value_or(0) * plan->decode_units)
                 : std::nullopt;
  };
  plan->purchase = sum(prefill.purchase, decode.purchase);
  plan->wall_kw = sum(prefill.wall_kw, decode.wall_kw);
}

Plan split_plan(const PlanUnit& prefill, const PlanUnit& decode, const PlanRequest& r) {
  Plan plan;
  plan.prefill = prefill.name;
  plan.decode = decode.name;
  plan.basis = prefill.basis == decode.basis ? prefill.basis : prefill.basis + " and " + decode.basis;
  const Prefill p = prefill_of(prefill, r.traffic);
  const Decode d = decode_of(decode, r.traffic, r.limits.tpot_ms);
  plan.problem = p.problem.empty() ? d.problem : p.problem;
  if (!plan.problem.empty()) return plan;
  const std::string unknown = unknown_of_transfer(prefill, decode);
  if (!unknown.empty() && r.limits.ttft_ms && r.kv_overlap < 1) {
    if (p.service_s * 1000 > *r.limits.ttft_ms) {
      plan.problem = "TTFT: prefill of " + number(p.service_s * 1000) + " ms alone doesn't keep " +
                     number(*r.limits.ttft_ms) + " ms";
      return plan;
    }
    plan.problem = "not judged: TTFT has the KV transfer in it, and " + unknown;
    plan.judged = false;
    return plan;
  }
  plan.not_counted = left_out(unknown, unknown_of_memory(decode));
  plan.prefill_flow = p.flow;
  plan.decode_flow = d.flow;
  plan.batch = d.batch;
  plan.tpot_ms = d.step_ms;
  const double moved = unknown.empty() ? transfer_s(prefill, decode, r.traffic) : 0;
  plan.transfer_ms = moved * 1000;
  const auto ttft_s = [&](double n) { return queued_s(p, r.traffic, r.limits, n) + moved * (1 - r.kv_overlap); };
  const double least = std::max(p.flow, link_units(prefill, prefill, r.traffic));
  const std::optional<double> units = fewest_units(least, r.limits.ttft_ms, ttft_s);
  if (!units) {
    plan.problem = "TTFT: prefill of " + number(p.service_s * 1000) + " ms and transfer of " +
                   number(plan.transfer_ms) + " ms don't keep " + number(*r.limits.ttft_ms) + " ms";
    return plan;
  }
  plan.prefill_units = *units;
  plan.ttft_ms = ttft_s(*units) * 1000;
  plan.decode_units =
      std::max(decode_units(d, r.traffic, r.limits, 1), std::ceil(link_units(decode, prefill, r.traffic) - 1e-9));
  price(prefill, decode, r.traffic, &plan);
  return plan;
}

// One kind of unit for both: each gives the share of its time that prefill takes, and a decode step waits for it, so
// that the step is longer by 1 / (1 - share).
Plan single_plan(const PlanUnit& unit, const PlanRequest& r) {
  Plan plan;
  plan.prefill = plan.decode = unit.name;
  plan.split = false;
  plan.basis = unit.basis;
  const Prefill p = prefill_of(unit, r.traffic);
  plan.problem = p.problem;
  if (!plan.problem.empty()) return plan;
  const Decode at_most = decode_of(unit, r.traffic, r.limits.tpot_ms);
  plan.problem = at_most.problem;
  if (!plan.problem.empty()) return plan;
  plan.not_counted = left_out("", unknown_of_memory(unit));
  plan.prefill_flow = p.flow;
  plan.decode_flow = at_most.flow;
  const auto serves = [&](double n, Decode* d) {
    const double share = p.flow / n;
    if (share >= 1) return false;
    const std::optional<double> limit =
        r.limits.tpot_ms ? std::optional<double>(*r.limits.tpot_ms * (1 - share)) : std::nullopt;
    *d = decode_of(unit, r.traffic, limit);
    if (!d->problem.empty()) return false;
    if (r.limits.ttft_ms && queued_s(p, r.traffic, r.limits, n) * 1000 > *r.limits.ttft_ms) return false;
    return decode_units(*d, r.traffic, r.limits, 1 / (1 - share)) <= n;
  };
  Decode d;
  double high = std::max(1.0, std::ceil(p.flow + at_most.flow - 1e-9)), low = high - 1;
  while (!serves(high, &d)) {
    low = high;
    high *= 2;
    if (high > kMaxPlannedUnits) {
      plan.problem = unit.name + ": no number of them keeps the limits";
      return plan;
    }
  }
  while (high - low > 1) {
    const double middle = std::floor((low + high) / 2);
    (serves(middle, &d) ? high : low) = middle;
  }
  (void)serves(high, &d);
  plan.prefill_units = high;
  plan.batch = d.batch;
  plan.tpot_ms = d.step_ms / (1 - p.flow / high);
  plan.ttft_ms = queued_s(p, r.traffic, r.limits, high) * 1000;
  price(unit, unit, r.traffic, &plan);
  return plan;
}

Plan plan_of(const PlanRequest& r, size_t i, size_t j, bool split, Side side) {
  const PlanUnit a = at_side(r.units[i], side), b = at_side(r.units[j], side);
  return split ? split_plan(a, b, r) : single_plan(a, r);
}

}  // namespace

double kv_bytes(const PlanUnit& unit, double tokens) {
  const double held = unit.kv_window_tokens > 0 ? std::min(tokens, unit.kv_window_tokens) : tokens;
  return held * unit.kv_bytes_per_token + (tokens - held) * unit.kv_bytes_behind_window;
}

std::vector<Plan> plans(const PlanRequest& request) {
  std::vector<Plan> out;
  const auto add = [&](size_t i, size_t j, bool split) {
    Plan plan = plan_of(request, i, j, split, Side::kTypical);
    const Plan bad = plan_of(request, i, j, split, Side::kBad), good = plan_of(request, i, j, split, Side::kGood);
    plan.cost_interval = {good.problem.empty() ? good.cost_per_hour : plan.cost_per_hour,
                          bad.problem.empty() ? bad.cost_per_hour : INFINITY};
    if (!request.units[i].bounded || !request.units[j].bounded) plan.cost_interval = {NAN, NAN};
    out.push_back(std::move(plan));
  };
  for (size_t i = 0; i < request.units.size(); ++i) {
    add(i, i, false);
    for (size_t j = 0; j < request.units.size(); ++j) add(i, j, true);
  }
  std::stable_sort(out.begin(), out.end(), [](const Plan& a, const Plan& b) {
    const bool serves_a = a.problem.empty(), serves_b = b.problem.empty();
    return serves_a != serves_b ? serves_a : serves_a && a.cost_per_hour < b.cost_per_hour;
  });
  return out;
}

}  // namespace assay
