#include "reports/html/cost_json.h"

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

using nlohmann::ordered_json;

ordered_json finite(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json amount_json(const Amount& a) {
  if (!a.value) return {{"value", nullptr}, {"low", nullptr}, {"high", nullptr}, {"reason", a.reason}};
  return {{"value", *a.value}, {"low", finite(a.interval.low)}, {"high", finite(a.interval.high)}, {"reason", ""}};
}

ordered_json input_json(CostInput input, const Estimate& e) {
  const auto shown = [&](double v) { return e.confidential ? ordered_json(nullptr) : ordered_json(v); };
  return {{"name", cost_input_name(input)},
          {"unit", cost_input_unit(input)},
          {"value", shown(e.typical)},
          {"low", shown(e.low)},
          {"high", shown(e.high)},
          {"basis", e.basis},
          {"source", e.confidential ? "" : e.source},
          {"date", e.date},
          {"grade", e.grade},
          {"note", e.confidential ? "" : e.note},
          {"confidential", e.confidential}};
}

ordered_json inputs_json(const CostInputs& inputs) {
  ordered_json out = ordered_json::array();
  for (const CostInput i : all_cost_inputs()) {
    if (inputs.at(i)) out.push_back(input_json(i, *inputs.at(i)));
  }
  return out;
}

ordered_json classes_json(const std::array<Amount, kTokenClasses>& amounts) {
  ordered_json out = ordered_json::array();
  for (const Amount& a : amounts) out.push_back(amount_json(a));
  return out;
}

ordered_json tornado_json(const Cost& cost, const CostInputs& inputs) {
  ordered_json out = ordered_json::array();
  for (const Sensitivity& s : cost.tornado) {
    // Its ends would give a confidential price away.
    if (is_confidential(inputs, s.input)) continue;
    out.push_back({{"input", cost_input_name(s.input)}, {"at_low", finite(s.at_low)}, {"at_high", finite(s.at_high)}});
  }
  return out;
}

ordered_json verdict_json(const ReportVerdict& v, const CostInputs& inputs) {
  ordered_json waterfall = ordered_json::array(), levers = ordered_json::array();
  // With a step missing it would end beside the cost: all or none.
  const std::vector<Factor>& factors = v.verdict.waterfall;
  const bool shown = std::none_of(factors.begin(), factors.end(), [](const Factor& f) { return f.confidential; });
  for (const Factor& f : shown ? factors : std::vector<Factor>()) {
    waterfall.push_back({{"name", f.name}, {"factor", finite(f.factor)}, {"meaning", f.meaning}, {"basis", f.basis}});
  }
  for (const Lever& l : v.verdict.levers) {
    if (l.input != CostInput::kCount && is_confidential(inputs, l.input)) continue;
    levers.push_back({{"input", lever_name(l)},
                      {"now", finite(l.now)},
                      {"needed", finite(l.needed)},
                      {"possible", l.possible},
                      {"limit", l.limit}});
  }
  return {{"target", v.target},
          {"reached", reached_name(v.verdict.reached)},
          {"gap", v.verdict.reason.empty() ? finite(v.verdict.gap) : ordered_json(nullptr)},
          {"gap_low", finite(v.verdict.gap_interval.low)},
          {"gap_high", finite(v.verdict.gap_interval.high)},
          {"waterfall", std::move(waterfall)},
          {"levers", std::move(levers)},
          {"impossible_by_electricity", v.verdict.by_electricity == Reached::kNotReached},
          {"reason", v.verdict.reason}};
}

}  // namespace

ordered_json targets_json(const std::vector<ReportTarget>& targets) {
  ordered_json out = ordered_json::array();
  for (const ReportTarget& t : targets) out.push_back({{"text", t.text}, {"cny_per_token", t.cny_per_token}});
  return out;
}

ordered_json cost_json(const ReportCost& c) {
  ordered_json out = {{"chip", c.chip},
                      {"model", c.model},
                      {"dtype", c.dtype},
                      {"basis", c.basis},
                      {"input_case", c.input_case},
                      {"output_case", c.output_case},
                      {"variant", c.variant},
                      {"input_cases", c.input_cases},
                      {"output_cases", c.output_cases},
                      {"rows", c.rows},
                      {"missing", c.missing},
                      {"notes", c.notes}};
  if (!c.missing.empty()) return out;
  ordered_json verdicts = ordered_json::array();
  for (const ReportVerdict& v : c.verdicts) verdicts.push_back(verdict_json(v, c.inputs));
  out["rented"] = c.inputs.rented;
  out["inputs"] = inputs_json(c.inputs);
  out["mix"] = {{"cached", c.inputs.mix.cached},
                {"input", c.inputs.mix.input},
                {"output", c.inputs.mix.output},
                {"source", c.inputs.mix.source}};
  out["price_currency"] = c.price_currency;
  out["price_fx"] = c.price_fx;
  out["other_way"] = nullptr;
  if (const std::optional<ReportCost::OtherWay>& other = c.other_way) {
    out["other_way"] = {{"rented", other->inputs.rented},
                        {"inputs", inputs_json(other->inputs)},
                        {"price_currency", other->price_currency},
                        {"price_fx", other->price_fx}};
  }
  out["price_basis"] = c.cost.price_basis;
  Amount hour = c.cost.per_hour;
  if (hour_is_confidential(c.inputs)) hour = {std::nullopt, {}, "withheld: a confidential rent"};
  out["per_hour"] = amount_json(hour);
  out["classes"] = {"cached", "input", "output", "blended"};
  out["headline"] = static_cast<int>(c.cost.headline);
  out["per_token"] = classes_json(c.cost.per_token);
  out["electricity_per_token"] = classes_json(c.cost.electricity_token);
  out["tornado"] = tornado_json(c.cost, c.inputs);
  out["seed"] = c.cost.options.seed;
  out["draws"] = c.cost.options.draws;
  out["verdicts"] = std::move(verdicts);
  return out;
}

ordered_json cost_answer_json(const ReportCostAnswer& a) {
  ordered_json probabilities = ordered_json::array();
  for (const std::optional<Probability>& p : a.probabilities) {
    probabilities.push_back(p ? ordered_json{{"low", p->low}, {"high", p->high}} : ordered_json(nullptr));
  }
  return {{"kind", a.kind},
          {"costs", a.costs},
          {"works", a.works},
          {"compared", a.compared},
          {"probabilities", std::move(probabilities)},
          {"rival", a.rival},
          {"decided_from", a.decided_from},
          {"mixed_ways", a.mixed_ways},
          {"alike_by", a.alike_by}};
}

}  // namespace assay
