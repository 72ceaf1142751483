#include "reports/plan_sheet.h"

#include <algorithm>
#include <cmath>

#include "reports/cost_sheet.h"
#include "reports/format.h"

namespace assay {
namespace {

SheetCell number(double value, const std::string& unit = "") { return {money_text(value) + unit, value}; }

std::string decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string names(const Plan& p) { return p.split ? p.prefill + " + " + p.decode : p.prefill + " alone"; }

std::vector<SheetColumn> columns(bool some_left_out, bool priced, bool powered) {
  return {{"prefill", "prefill", false},
          {"decode", "decode", false},
          {"prefill_flow", "flow P", true},
          {"decode_flow", "flow D", true},
          {"prefill_units", "units P", true},
          {"decode_units", "units D", true},
          {"batch", "batch", true},
          {"ttft_ms", "TTFT ms", true},
          {"tpot_ms", "TPOT ms", true},
          {"transfer_ms", "KV ms", true},
          {"yuan_per_hour", "CNY/h", true},
          {"interval", "best to worst case", true},
          {"yuan_per_hour_low", "", true},
          {"yuan_per_hour_high", "", true},
          {"flow_yuan_per_hour", "", true},
          {"yuan_per_1m_tokens", "CNY/1M", true},
          {"purchase_yuan", priced ? "purchase CNY" : "", true},
          {"wall_kw", powered ? "kW" : "", true},
          {"basis", "basis", false},
          {"not_counted", some_left_out ? "not counted" : "", false},
          {"problem", "", false}};
}

std::vector<SheetCell> row_of(const Plan& p, const PlanLimits& limits) {
  std::vector<SheetCell> row{p.prefill, p.split ? p.decode : "the same"};
  if (!p.problem.empty()) {
    row.insert(row.end(), 16, SheetCell{});
    row.emplace_back(p.basis);
    row.emplace_back("");
    row.emplace_back(p.problem);
    return row;
  }
  row.push_back({decimal(p.prefill_flow), p.prefill_flow});
  row.push_back({decimal(p.decode_flow), p.decode_flow});
  row.push_back(number(p.prefill_units));
  row.push_back(p.split ? number(p.decode_units) : SheetCell{});
  row.push_back({decimal(p.batch), p.batch});
  row.push_back(limits.ttft_ms ? SheetCell{decimal(p.ttft_ms), p.ttft_ms} : SheetCell{});
  row.push_back({decimal(p.tpot_ms), p.tpot_ms});
  row.push_back(p.transfer_ms > 0 ? SheetCell{decimal(p.transfer_ms), p.transfer_ms} : SheetCell{});
  row.push_back(number(p.cost_per_hour));
  const bool serves = std::isfinite(p.cost_interval.high);
  row.push_back(std::isnan(p.cost_interval.low)
                    ? SheetCell{"none known"}
                    : SheetCell{money_text(p.cost_interval.low) + "–" +
                                (serves ? money_text(p.cost_interval.high) : "can't serve")});
  row.emplace_back("", p.cost_interval.low);
  row.emplace_back("", p.cost_interval.high);
  row.emplace_back("", p.flow_cost_per_hour);
  row.push_back(number(p.per_1m_tokens));
  row.push_back(p.purchase ? number(*p.purchase) : SheetCell{});
  row.push_back(p.wall_kw ? number(*p.wall_kw) : SheetCell{});
  row.emplace_back(p.basis);
  row.emplace_back(p.not_counted);
  row.emplace_back("");
  return row;
}

const Plan* best(const std::vector<Plan>& plans, bool split) {
  for (const Plan& p : plans) {
    if (p.problem.empty() && p.split == split) return &p;
  }
  return nullptr;
}

std::string not_counted_of(const Plan& p) {
  return p.not_counted.empty() ? "" : "; not counted of " + names(p) + ": " + p.not_counted;
}

std::string answer(const std::vector<Plan>& plans) {
  const Plan *pair = best(plans, true), *single = best(plans, false);
  const bool all_judged = std::all_of(plans.begin(), plans.end(), [](const Plan& p) { return p.judged; });
  const std::string unjudged = all_judged ? "" : ", but not every pair could be judged";
  if (pair == nullptr && single == nullptr) return "nothing here serves this traffic within the limits" + unjudged;
  if (pair == nullptr) return "cheapest: " + names(*single) + "; no pair serves" + unjudged + not_counted_of(*single);
  if (single == nullptr) return "cheapest: " + names(*pair) + "; no single kind serves" + not_counted_of(*pair);
  const bool pays = pair->cost_per_hour < single->cost_per_hour;
  const Plan &first = pays ? *pair : *single, &second = pays ? *single : *pair;
  std::string text = "cheapest: " + names(first) + ", " + money_text(first.cost_per_hour) + " CNY/h; " +
                     (pays ? "the best single kind, " : "the best pair, ") + names(second) + ", costs " +
                     percent_text(second.cost_per_hour / first.cost_per_hour - 1) + " more";
  const std::string left_out = not_counted_of(first) + not_counted_of(second) + unjudged;
  if (std::isnan(first.cost_interval.low) || std::isnan(second.cost_interval.low))
    return text + " (no interval is known of a curve: how certain that is can't be told)" + left_out;
  const bool apart = first.cost_interval.high < second.cost_interval.low;
  return text + (apart ? "" : " (their ranges overlap: not certain)") + left_out;
}

}  // namespace

Sheet plan_sheet(const PlanRequest& request, const std::vector<Plan>& plans) {
  Sheet sheet;
  const bool some_left_out =
      std::any_of(plans.begin(), plans.end(), [](const Plan& p) { return !p.not_counted.empty(); });
  const bool priced = std::any_of(plans.begin(), plans.end(), [](const Plan& p) { return p.purchase.has_value(); });
  const bool powered = std::any_of(plans.begin(), plans.end(), [](const Plan& p) { return p.wall_kw.has_value(); });
  SheetTable table{"plans", request.name, columns(some_left_out, priced, powered), {}};
  for (const Plan& p : plans) table.rows.push_back(row_of(p, request.limits));
  sheet.tables.push_back(std::move(table));
  sheet.notes.push_back(answer(plans));
  for (const Plan& p : plans) {
    if (p.problem.empty() && p.split) {
      sheet.notes.push_back(names(p) +
                            " at the flows alone, without whole units and waiting: " + decimal(p.prefill_flow) + " + " +
                            decimal(p.decode_flow) + " units, " + money_text(p.flow_cost_per_hour) + " CNY/h");
      break;
    }
  }
  for (const Plan& p : plans) {
    if (!p.problem.empty()) sheet.notes.push_back(names(p) + (p.judged ? " can't serve: " : " ") + p.problem);
  }
  const PlanLimits& l = request.limits;
  if (l.ttft_ms || l.tpot_ms) {
    sheet.notes.push_back(
        "limits hold for " + percent_text(l.quantile) +
        " of requests: waiting for prefill as M/G/1 with an exponential tail, requests in decode as Poisson");
  } else {
    sheet.notes.push_back("no limits of latency: units for the flows alone");
  }
  sheet.notes.push_back(
      "best to worst case: rates and prices all at the good and all at the bad end of their intervals; "
      "CNY/1M: prompt and output tokens together, at this traffic all the time");
  if (priced || powered) {
    sheet.notes.emplace_back(
        "purchase: the units with their servers' share, without network and building; kW: at the wall under load; both "
        "of whole units at typical figures, without spares");
  }
  for (const PlanUnit& u : request.units) {
    sheet.notes.push_back(
        u.name + ": " + money_text(u.cost_per_hour.typical) + " CNY/h (" + u.cost_per_hour.source + ", " +
        u.cost_per_hour.date + ", grade " + u.cost_per_hour.grade + "), curves " + u.basis +
        (u.bounded ? "" : ", not all with an interval") +
        (u.kv_bytes_per_token > 0 ? ", KV cache " + number_text(u.kv_bytes_per_token, 7) + " B/token" : "") +
        (u.kv_window_tokens > 0 ? ", beyond " + number_text(u.kv_window_tokens, 7) + " tokens " +
                                      number_text(u.kv_bytes_behind_window, 7) + " B/token"
                                : "") +
        (u.source.empty() ? "" : ": " + u.source));
    for (const std::string& note : u.notes) sheet.notes.push_back(u.name + ": " + note);
  }
  return sheet;
}

}  // namespace assay
