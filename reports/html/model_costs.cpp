#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "reports/html/model_parts.h"

namespace assay {
namespace {

// The currency of the amount that the cost rests on, given or the book's, and its rate; yuan where none is converted.
std::pair<std::string, double> currency_of(const PricedSubject& priced, const PriceBook& book) {
  const std::optional<Estimate>& money =
      priced.inputs.at(priced.inputs.rented ? CostInput::kRent : CostInput::kChipPrice);
  for (const FxRate& rate : book.fx) {
    if (money && rate.currency == money->currency && !is_confidential(book, "fx." + rate.currency))
      return {rate.currency, rate.cny.value};
  }
  return {"CNY", 1};
}

// Bought what is rented, or rented what is bought.
std::optional<ReportCost::OtherWay> other_way(const CostSubject& subject, bool rented, const ReportPricing& pricing) {
  CostChoices choices = pricing.choices;
  choices.rented = !rented;
  const Result<PricedSubject> priced = price_subject(subject, choices, pricing.book);
  if (!priced.ok() || priced->inputs.rented == rented) return std::nullopt;
  const auto [currency, fx] = currency_of(*priced, pricing.book);
  return ReportCost::OtherWay{priced->inputs, currency, fx};
}

ReportCost cost_of(const CostSubject& subject, const ReportPricing& pricing, const ReportModel& model) {
  ReportCost out;
  out.chip = chip_of_records(model, subject.counted.empty() ? subject.records : subject.counted, subject.product);
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
  std::tie(out.price_currency, out.price_fx) = currency_of(*priced, pricing.book);
  if (out.rentable && out.buyable) out.other_way = other_way(subject, out.inputs.rented, pricing);
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

size_t chip_of_records(const ReportModel& model, const std::vector<std::string>& ids, const std::string& product) {
  for (const ReportRow& row : model.rows) {
    if (std::find(ids.begin(), ids.end(), row.id) != ids.end()) return row.chip;
  }
  const auto same = [&](const ReportChip& chip) { return chip.product == product; };
  const auto found = std::find_if(model.chips.begin(), model.chips.end(), same);
  return found == model.chips.end() ? 0 : static_cast<size_t>(found - model.chips.begin());
}

std::vector<ReportCost> costs_of(const std::vector<Record>& records, const std::vector<Metrics>& of_each,
                                 const ReportPricing& pricing, const ReportModel& model,
                                 std::vector<std::string>* left_out) {
  std::vector<ReportCost> out;
  for (const CostSubject& subject : cost_subjects(records, of_each, pricing.limits, pricing.book, left_out)) {
    if (!subject.clip_seconds) out.push_back(cost_of(subject, pricing, model));
  }
  constexpr std::string_view kPrefix = "left out: ";
  for (std::string& text : *left_out) {
    if (text.starts_with(kPrefix)) text.erase(0, kPrefix.size());
  }
  return out;
}

namespace {

// Costs of one work, basis and class of token.
using Comparable = std::map<std::tuple<std::string, std::string, TokenClass>, std::vector<size_t>>;

const Amount& headline_amount(const ReportCost& c) { return c.cost.of(c.cost.headline); }

double parameters_of(const ReportModel& model, const ReportCost& c) {
  double most = 0;
  for (const ReportCase& of : model.cases) {
    if (of.model == c.model) most = std::max(most, of.parameters);
  }
  return most;
}

// A cost from a part of a model is projected: what is measured is whole.
double largest_measured(const std::vector<ReportCost>& costs, const Comparable& comparable, const ReportModel& model) {
  double measured = 0, any = 0;
  for (const auto& [key, group] : comparable) {
    const ReportCost& c = costs[group[0]];
    any = std::max(any, parameters_of(model, c));
    if (c.basis == "measured") measured = std::max(measured, parameters_of(model, c));
  }
  return measured > 0 ? measured : any;
}

bool is_work_of_answer(const ReportModel& model, const ReportCost& c) {
  if (!model.answer.test_case) return false;
  const ReportCase& of = model.cases[*model.answer.test_case];
  return c.model == of.model && c.dtype == of.dtype && c.variant == case_variant(of.id);
}

}  // namespace

ReportCostAnswer cost_answer_of(const std::vector<ReportCost>& costs, const ReportModel& model) {
  Comparable comparable;
  for (size_t i = 0; i < costs.size(); ++i) {
    const ReportCost& c = costs[i];
    if (!c.missing.empty() || !headline_amount(c).value) continue;
    comparable[{c.work(), c.basis, c.cost.headline}].push_back(i);
  }
  ReportCostAnswer answer;
  std::set<std::string> works;
  for (const auto& [key, group] : comparable) works.insert(std::get<0>(key));
  answer.works = works.size();
  const double least = kHeadlineShare * largest_measured(costs, comparable, model);
  // What was measured or published before what was not; models that are not much smaller than the largest (of unknown
  // size: none is told to be); the most chips; measured before the rest; the largest; the work of the answer on speed;
  // what has a cost of input and output.
  const auto score = [&](const std::vector<size_t>& group, bool of_any_size) {
    if (group.empty()) return std::make_tuple(false, false, size_t{0}, false, 0.0, false, false);
    const ReportCost& c = costs[group[0]];
    const double parameters = parameters_of(model, c);
    return std::make_tuple(c.basis == "measured" || c.basis == "reported",
                           of_any_size || parameters == 0 || parameters >= least, group.size(), c.basis == "measured",
                           parameters, is_work_of_answer(model, c), c.cost.headline == TokenClass::kBlended);
  };
  std::vector<size_t> most;  // chips, whatever the size
  for (const auto& [key, group] : comparable) {
    if (score(group, false) > score(answer.costs, false)) answer.costs = group;
    if (score(group, true) > score(most, true)) most = group;
  }
  if (answer.costs.empty()) return answer;
  const auto cheaper = [&](size_t a, size_t b) {
    return *headline_amount(costs[a]).value < *headline_amount(costs[b]).value;
  };
  std::sort(answer.costs.begin(), answer.costs.end(), cheaper);
  if (answer.costs.size() == 1) {
    answer.kind = "one-chip";
    if (most.size() > 1) answer.compared = most;
    std::sort(answer.compared.begin(), answer.compared.end(), cheaper);
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
