// Planning of prefill and decode on one or two kinds of chips from measured curves (facts C6).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/metrics/cost.h"
#include "results/prices/price_book.h"

namespace assay {

struct PrefillPoint {
  double prompt_tokens = 0, per_s = 0, low = 0, high = 0;  // tokens/s of one unit, with its interval
};
struct DecodePoint {
  double batch = 0, context = 0, step_ms = 0, low = 0, high = 0;  // time of one step of the batch, with its interval
};

// What is bought and counted: a card or a node, as its curves were measured.
struct PlanUnit {
  std::string name, basis, source;
  Estimate cost_per_hour;             // CNY, of an hour that it is there, in use or not
  std::optional<double> purchase;     // CNY, of one with its share of a server; none where it is rented or not known
  std::optional<double> wall_kw;      // under load, by the price book
  double memory_bytes = 0;            // 0: not known, as with the next three: what rests on it is not counted, and said
  double link_bytes_per_s = 0;        // of KV cache in or out
  double kv_bytes_per_token = 0;      // in this unit's format; of records where none is given: by their model's shape
  double kv_window_tokens = 0;        // that a windowed layer holds at most; 0: no layer has a window
  double kv_bytes_behind_window = 0;  // per token beyond that
  double weight_bytes = 0;            // that each unit holds beside the KV cache
  std::vector<PrefillPoint> prefill;  // by prompt length
  std::vector<DecodePoint> decode;    // by context, then batch
  bool bounded = true;                // every point has an interval
  std::vector<std::string> notes;     // of records: what was taken, what left out
};
// Of one sequence of so many tokens.
double kv_bytes(const PlanUnit& unit, double tokens);

struct PlanTraffic {
  // Of the hour that the units must serve, which is the busiest.
  double requests_per_s = 0, prompt_tokens = 0, output_tokens = 0;
  double cache_hit = 0;         // share of prompt tokens that need no prefill
  bool hits_are_moved = false;  // their KV comes over the link too (a remote pool)
  double prompt_cv = 0;         // coefficient of variation of the prefill's time: 0 deterministic, 1 exponential
};
struct PlanLimits {
  std::optional<double> ttft_ms, tpot_ms;  // absent: flows only
  double quantile = 0.99;                  // of requests that keep them
};

struct PlanRequest {
  std::string name;
  PlanTraffic traffic;
  PlanLimits limits;
  double kv_overlap = 0;  // share of the transfer that is hidden behind the prefill
  std::vector<PlanUnit> units;
};
// Schema: results/plan/plan.schema.json. A unit may name records (relative to the file) instead of curves.
Result<PlanRequest> parse_plan(const std::string& text, const std::string& where, const PriceBook& book);
Result<PlanRequest> read_plan(const std::string& path, const PriceBook& book);

// One way to serve the traffic.
struct Plan {
  std::string prefill, decode;  // names; the same where one unit does both without a transfer (split = false)
  bool split = true;
  double prefill_flow = 0, decode_flow = 0;    // units at full load, fractions: what the flows alone need
  double prefill_units = 0, decode_units = 0;  // whole units that keep the limits too; not split: all in prefill_units
  double batch = 0;                            // of a decode unit
  double ttft_ms = 0, tpot_ms = 0;             // at the quantile
  double transfer_ms = 0;                      // of one prompt's KV
  double cost_per_hour = 0, flow_cost_per_hour = 0;  // CNY: of whole units, and of the fractions
  std::optional<double> purchase, wall_kw;           // CNY and kW of all units; none where one's isn't known
  double per_1m_tokens = 0;                          // CNY, prompt and output tokens together
  Interval cost_interval;  // CNY/h: rates and prices at their bad and at their good ends; NaN where one is not bounded
  std::string basis;
  std::string not_counted;  // what the figures leave out and why: the KV transfer, the memory limit; "": nothing
  std::string problem;      // why it can't serve, or can't be judged; the rest is then not meaningful
  bool judged = true;       // false: the problem is what isn't known
};
// Every pair and every single unit; those that serve first, cheapest first.
std::vector<Plan> plans(const PlanRequest& request);

// Curves. Prefill: tokens/s at a prompt length, linear between points; below the shortest its rate, beyond the longest
// none. Decode: the largest batch whose step keeps limit_ms (none: the largest measured) at this context, linear
// between points in both; below the shortest context its time, beyond the longest none.
std::optional<double> prefill_rate(const PlanUnit& unit, double prompt_tokens);
std::optional<double> decode_step_ms(const PlanUnit& unit, double batch, double context);
std::optional<double> decode_batch(const PlanUnit& unit, double context, std::optional<double> limit_ms);

}  // namespace assay
