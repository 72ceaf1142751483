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
  const bool apart = amount(answer.costs[0]).interval.high < amount(answer.costs[1]).interval.low;
  answer.kind = apart ? "cheapest" : "undecided";
  return answer;
}

}  // namespace assay
