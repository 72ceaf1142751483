#include "reports/cost_cells.h"

#include <limits>

#include "reports/format.h"

namespace assay {
namespace {

SheetCell money_cell(const Amount& amount, double scale) {
  if (!amount.value) return {};
  return {money_text(*amount.value * scale), *amount.value * scale};
}

}  // namespace

void add_amount(const Amount& amount, double scale, std::vector<SheetCell>* row) {
  row->push_back(money_cell(amount, scale));
  if (!amount.value) {
    row->insert(row->end(), 3, SheetCell{});
    return;
  }
  row->push_back(money_interval_text(amount.interval, scale));
  row->emplace_back("", amount.interval.low * scale);
  row->emplace_back("", amount.interval.high * scale);
}

std::vector<SheetColumn> amount_columns(const std::string& name, const std::string& title) {
  return {
      {name, title, true}, {name + "_interval", "95 %", true}, {name + "_low", "", true}, {name + "_high", "", true}};
}

void add_cost_note(std::vector<std::string>* notes, const std::string& note) {
  for (const std::string& known : *notes) {
    if (known == note) return;
  }
  notes->push_back(note);
}

void add_probability_columns(const std::string& title, SheetTable* table) {
  table->columns.push_back({"probability", title, true});
  table->columns.push_back({"probability_low", "", true});
  table->columns.push_back({"probability_high", "", true});
}

void add_probability(const std::optional<Probability>& p, std::vector<SheetCell>* row) {
  if (!p) {
    row->insert(row->end(), 3, SheetCell{});
    return;
  }
  row->emplace_back(probability_text(*p), p->is_range() ? std::numeric_limits<double>::quiet_NaN() : p->low);
  row->emplace_back("", p->low);
  row->emplace_back("", p->high);
}

void add_range_note(const std::optional<Probability>& p, SheetTable* table) {
  if (!p || !p->is_range()) return;
  add_cost_note(&table->notes,
                "P as a range: the exact figure within the step of a confidential one decides where in it; it names "
                "the cheaper only where all of it does");
}

void add_way_columns(const std::string& name, SheetTable* table) {
  table->columns.push_back({name + "way", "way", false});
  table->columns.push_back({name + "utilisation", "used", true});
}

void add_way(const CostInputs& inputs, std::vector<SheetCell>* row) {
  row->push_back(way_text(inputs));
  const std::optional<Estimate>& use = inputs.at(CostInput::kUtilisation);
  if (!use) {
    row->emplace_back();
  } else {
    row->push_back(use->confidential ? SheetCell{"withheld"} : SheetCell{percent_text(use->typical), use->typical});
  }
}

}  // namespace assay
