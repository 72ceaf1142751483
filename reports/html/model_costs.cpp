#include <algorithm>
#include <map>
#include <tuple>

#include "reports/html/model_parts.h"

namespace assay {
namespace {

// The currency of the amount that the cost rests on, and its rate.
void add_currency(const PricedSubject& priced, const PriceBook& book, ReportCost* out) {
  out->price_currency = "CNY";
  if (!priced.chip) return;
  const PriceCells& cells = priced.inputs.rented ? priced.chip->rent_per_hour : priced.chip->price;
  if (cells.empty() || cells.front().currency.empty()) return;
  for (const FxRate& rate : book.fx) {
    if (rate.currency != cells.front().currency || is_confidential(book, "fx." + rate.currency)) continue;
    out->price_currency = rate.currency;
    out->price_fx = rate.cny.value;
  }
}

ReportCost cost_of(const CostSubject& subject, const ReportPricing& pricing, const ReportModel& model) {
  ReportCost out;
  out.chip = chip_index(model, subject.product);
  out.model = subject.model;
  out.dtype = subject.dtype;
  out.basis = subject.basis;
  out.input_case = subject.input_case;
  out.output_case = subject.output_case;
  out.variant = subject.variant;
  out.input_cases = subject.input_cases;
  out.output_cases = subject.output_cases;
  out.notes = subject.notes;
  for (size_t i = 0; i < model.rows.size(); ++i) {
    const std::vector<std::string>& counted = subject.counted;
    if (std::find(counted.begin(), counted.end(), model.rows[i].id) != counted.end()) out.rows.push_back(i);
  }
  const Result<PricedSubject> priced = price_subject(subject, pricing.choices, pricing.book);
  if (!priced.ok()) {
    out.missing = priced.error().message;
    return out;
  }
  out.inputs = priced->inputs;
  out.rentable = can_be_priced(*priced, true);
  out.buyable = can_be_priced(*priced, false);
  out.notes.insert(out.notes.end(), priced->notes.begin(), priced->notes.end());
  out.cost = cost(out.inputs, pricing.options);
  add_currency(*priced, pricing.book, &out);
  const double reference = reference_tariff(pricing.book);
  for (size_t t = 0; t < pricing.targets.size(); ++t) {
    out.verdicts.push_back(
        {t, verdict(out.inputs, out.cost, std::nullopt, pricing.targets[t].cny_per_token, subject.ladder, reference)});
  }
  return out;
}

using Probabilities = std::vector<std::optional<Probability>>;

// P(the first is cheaper) against each of the others.
Probabilities against_the_others(const std::vector<ReportCost>& costs, const std::vector<size_t>& order) {
  Probabilities out;
  const ReportCost& first = costs[order[0]];
  for (size_t i = 1; i < order.size(); ++i) {
    out.push_back(probability_cheaper(first.inputs, costs[order[i]].inputs, first.cost.headline, first.cost.options));
  }
  return out;
}

// By the least sure of its probabilities.
std::string kind_of(const std::optional<Probability>& p, double from) {
  if (!p) return "undecided";
  if (p->low >= from) return "cheapest";
  return p->is_range() && (p->high >= from || p->low <= 1 - from) ? "rounding" : "undecided";
}

// Marginal intervals that overlap say nothing where inputs are shared: as `assay cost` does, both are drawn together.
void decide(const std::vector<ReportCost>& costs, ReportCostAnswer* answer) {
  std::vector<size_t>& order = answer->costs;
  const double from = answer->decided_from = decided_from(costs[order[0]].cost.options);
  Probabilities& all = answer->probabilities = against_the_others(costs, order);
  // One that is surely cheaper than the first by its typical value goes before it.
  for (size_t turn = 1; turn < order.size(); ++turn) {
    const auto better = std::find_if(all.begin(), all.end(), [&](const auto& p) { return p && p->high <= 1 - from; });
    if (better == all.end()) break;
    const auto at = order.begin() + 1 + (better - all.begin());
    std::rotate(order.begin(), at, at + 1);
    all = against_the_others(costs, order);
  }
  const auto low = [](const std::optional<Probability>& p) { return p ? p->low : -1; };
  const auto least =
      std::min_element(all.begin(), all.end(), [&](const auto& a, const auto& b) { return low(a) < low(b); });
  answer->rival = 1 + static_cast<size_t>(least - all.begin());
  answer->kind = kind_of(*least, from);
}

}  // namespace

size_t chip_index(const ReportModel& model, const std::string& product) {
  for (size_t i = 0; i < model.chips.size(); ++i) {
    if (model.chips[i].product == product) return i;
  }
  return 0;
}

std::vector<ReportCost> costs_of(const std::vector<Record>& records, const std::vector<Metrics>& of_each,
                                 const ReportPricing& pricing, const ReportModel& model) {
  std::vector<ReportCost> out;
  for (const CostSubject& subject : cost_subjects(records, of_each, pricing.limits, pricing.book)) {
    if (!subject.clip_seconds) out.push_back(cost_of(subject, pricing, model));
  }
  return out;
}

ReportCostAnswer cost_answer_of(const std::vector<ReportCost>& costs, const ReportModel& model) {
  const auto amount = [&](size_t i) -> const Amount& { return costs[i].cost.of(costs[i].cost.headline); };
  std::map<std::tuple<std::string, std::string, TokenClass>, std::vector<size_t>> comparable;
  for (size_t i = 0; i < costs.size(); ++i) {
    const ReportCost& c = costs[i];
    if (!c.missing.empty() || !amount(i).value) continue;
    comparable[{c.work(), c.basis, c.cost.headline}].push_back(i);
  }
  ReportCostAnswer answer;
  // The most chips; measured before the rest; then the model of the case that the answer on speed rests on.
  const auto score = [&](const std::vector<size_t>& group) {
    if (group.empty()) return std::make_tuple(size_t{0}, false, false);
    const ReportCost& c = costs[group[0]];
    const bool same = model.answer.test_case && c.model == model.cases[*model.answer.test_case].model &&
                      c.dtype == model.cases[*model.answer.test_case].dtype &&
                      c.variant == case_variant(model.cases[*model.answer.test_case].id);
    return std::make_tuple(group.size(), c.basis == "measured", same);
  };
  for (const auto& [key, group] : comparable) {
    if (score(group) > score(answer.costs)) answer.costs = group;
  }
  if (answer.costs.empty()) return answer;
  std::sort(answer.costs.begin(), answer.costs.end(),
            [&](size_t a, size_t b) { return *amount(a).value < *amount(b).value; });
  if (answer.costs.size() == 1) {
    answer.kind = "one-chip";
    return answer;
  }
  const auto all = [&](const auto& has) {
    return std::all_of(answer.costs.begin(), answer.costs.end(), [&](size_t i) { return has(costs[i]); });
  };
  answer.mixed_ways =
      !all([&](const ReportCost& c) { return c.inputs.rented == costs[answer.costs[0]].inputs.rented; });
  answer.alike_by =
      alike_by(all([](const ReportCost& c) { return c.rentable; }), all([](const ReportCost& c) { return c.buyable; }));
  decide(costs, &answer);
  return answer;
}

}  // namespace assay
