#include "reports/cost_cells.h"

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
