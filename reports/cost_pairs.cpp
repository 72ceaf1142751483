#include "reports/cost_pairs.h"

#include <algorithm>
#include <cmath>

#include "reports/cost_cells.h"
#include "reports/format.h"

namespace assay {
namespace {

// Costs of the same work, known in the same way.
bool alike(const CostRow& a, const CostRow& b) {
  const CostSubject &sa = a.priced.subject, &sb = b.priced.subject;
  return sa.model == sb.model && sa.dtype == sb.dtype && sa.variant == sb.variant && sa.tier == sb.tier &&
         a.cost.basis == b.cost.basis;
}

// Whether two rows are two offers: of different chips, or of one at another price or in another way.
bool two_offers(const CostRow& a, const CostRow& b) {
  if (a.priced.subject.product != b.priced.subject.product || a.cost.rented != b.cost.rented) return true;
  const CostInput money = a.cost.rented ? CostInput::kRent : CostInput::kChipPrice;
  return a.priced.inputs.at(money)->typical != b.priced.inputs.at(money)->typical;
}

void add_sides(const std::string& name, const std::string& title, const std::string& way, SheetTable* table) {
  table->columns.push_back({name, title, false});
  add_way_columns(way, table);
}

void add_pair_columns(SheetTable* table) {
  add_sides("chip", "chip", "", table);
  add_sides("rival", "rival", "rival_", table);
  table->columns.push_back({"class", "tokens", false});
}

// Two costs, each with its way of paying, and the class of tokens.
std::vector<SheetCell> pair_cells(const CostRow& a, const CostRow& b, TokenClass c) {
  std::vector<SheetCell> row;
  for (const CostRow* side : {&a, &b}) {
    row.emplace_back(subject_text(side->priced));
    add_way(side->priced.inputs, &row);
  }
  row.emplace_back(token_class_name(c));
  return row;
}

std::string basis_of_both(const CostRow& a, const CostRow& b) {
  std::string basis = cost_basis_text(a.cost);
  if (const std::string other = cost_basis_text(b.cost); other != basis) basis.append(" | ").append(other);
  return basis;
}

// The price of a's chip at which it ties b: apart where another input of either is known to a step.
std::optional<Interval> break_even(const CostInputs& a, const CostInputs& b, TokenClass c) {
  const auto at = [&](bool highest) {
    const CostInputs rival = at_step_ends(b, highest);
    return break_even_chip_price(at_step_ends(a, !highest), c, cost_per_token(typical_point(rival), rival, c));
  };
  const std::optional<double> low = at(false), high = at(true);
  if (!low || !high) return std::nullopt;
  return Interval{*low, *high};
}

std::string break_even_text(const Interval& price) {
  if (price.high < 0) return "not even for nothing";
  if (!(price.low < price.high)) return money_text(price.low);
  return money_text(std::max(price.low, 0.0)) + "–" + money_text(price.high);
}

}  // namespace

SheetTable break_even_table(const std::vector<CostRow>& rows) {
  SheetTable table{"break_even", "Chip price at which it ties the rival (other inputs typical)", {}, {}};
  add_pair_columns(&table);
  for (const SheetColumn& c : std::vector<SheetColumn>{{"break_even_price_cny", "CNY", true},
                                                       {"break_even_low_cny", "", true},
                                                       {"break_even_high_cny", "", true},
                                                       {"now_cny", "now", true},
                                                       {"basis", "basis", false}})
    table.columns.push_back(c);
  for (const CostRow& a : rows) {
    for (const CostRow& b : rows) {
      const TokenClass c = a.cost.headline;
      if (&a == &b || !alike(a, b) || !two_offers(a, b) || !b.cost.of(c).value) continue;
      const std::optional<Interval> price = break_even(a.priced.inputs, b.priced.inputs, c);
      if (!price) continue;
      const Estimate& now = *a.priced.inputs.at(CostInput::kChipPrice);
      std::vector<SheetCell> row = pair_cells(a, b, c);
      row.emplace_back(break_even_text(*price), price->low < price->high ? std::nan("") : price->low);
      row.emplace_back("", price->low);
      row.emplace_back("", price->high);
      row.push_back(now.confidential ? SheetCell{"withheld"} : SheetCell{money_text(now.typical), now.typical});
      row.emplace_back(cost_basis_text(a.cost));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

SheetTable probability_table(const std::vector<CostRow>& rows) {
  SheetTable table{"probability_cheaper",
                   "How likely it is the cheaper at the same dtype (Monte Carlo over all inputs; shared inputs move "
                   "together)",
                   {},
                   {}};
  add_pair_columns(&table);
  add_probability_columns("P(cheaper)", &table);
  table.columns.push_back({"basis", "basis", false});
  for (size_t a = 0; a < rows.size(); ++a) {
    for (size_t b = a + 1; b < rows.size(); ++b) {
      const TokenClass c = rows[a].cost.headline;
      if (!alike(rows[a], rows[b]) || !two_offers(rows[a], rows[b]) || c != rows[b].cost.headline) continue;
      const std::optional<Probability> p =
          probability_cheaper(rows[a].priced.inputs, rows[b].priced.inputs, c, rows[a].cost.options);
      if (!p) continue;
      std::vector<SheetCell> row = pair_cells(rows[a], rows[b], c);
      add_probability(p, &row);
      add_range_note(p, &table);
      row.emplace_back(basis_of_both(rows[a], rows[b]));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

SheetTable cheaper_table(const std::vector<CostRow>& a, const std::vector<CostRow>& b) {
  SheetTable table{
      "cheaper", "Which is the cheaper (Monte Carlo over all inputs; shared inputs move together)", {}, {}};
  add_sides("chip_a", "A", "a_", &table);
  add_sides("chip_b", "B", "b_", &table);
  table.columns.push_back({"class", "tokens", false});
  for (const SheetColumn& c : amount_columns("a_yuan_per_1m_tokens", "A CNY/1M")) table.columns.push_back(c);
  for (const SheetColumn& c : amount_columns("b_yuan_per_1m_tokens", "B CNY/1M")) table.columns.push_back(c);
  add_probability_columns("P(B cheaper)", &table);
  table.columns.push_back({"basis", "basis", false});
  for (const CostRow& of_a : a) {
    for (const CostRow& of_b : b) {
      const TokenClass c = of_a.cost.headline;
      if (!alike(of_a, of_b) || c != of_b.cost.headline) continue;
      if (!of_a.cost.of(c).value || !of_b.cost.of(c).value) continue;
      const std::optional<Probability> p =
          probability_cheaper(of_b.priced.inputs, of_a.priced.inputs, c, of_a.cost.options);
      std::vector<SheetCell> row = pair_cells(of_a, of_b, c);
      add_amount(of_a.cost.of(c), kPer1M, &row);
      add_amount(of_b.cost.of(c), kPer1M, &row);
      add_probability(p, &row);
      add_range_note(p, &table);
      row.emplace_back(basis_of_both(of_a, of_b));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

std::vector<std::string> way_notes(const std::vector<CostRow>& a, const std::vector<CostRow>& b) {
  std::vector<std::string> notes;
  for (const CostRow& one : a) {
    for (const CostRow& other : b) {
      if (one.cost.rented == other.cost.rented || !alike(one, other)) continue;
      const CostRow &owned = one.cost.rented ? other : one, &rented = one.cost.rented ? one : other;
      add_cost_note(&notes,
                    chip_text(owned.priced) + " is owned (used " + use_text(owned.priced.inputs) + "), " +
                        chip_text(rented.priced) + " rented (used " + use_text(rented.priced.inputs) +
                        "; electricity and the provider's margin are in the rent): " +
                        alike_text(alike_by(can_be_priced(owned.priced, true), can_be_priced(rented.priced, false))));
    }
  }
  return notes;
}

}  // namespace assay
