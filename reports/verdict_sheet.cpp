#include <algorithm>
#include <cmath>

#include "reports/cost_sheet.h"
#include "reports/format.h"

namespace assay {
namespace {

// "rent, output_rate"
std::string unbounded(const CostInputs& inputs) {
  std::string out;
  for (const CostInput i : all_cost_inputs()) {
    if (inputs.at(i) && inputs.at(i)->spread == Spread::kUnknown)
      out += (out.empty() ? "" : ", ") + std::string(cost_input_name(i));
  }
  return out;
}

std::string times(double factor) { return "x " + money_text(factor); }

// The same amount for 100K and for 1M tokens, the one that was asked first.
std::vector<Target> both_units(const Target& asked) {
  std::vector<Target> out{asked};
  for (const double per : {1e5, 1e6}) {
    if (per == asked.per) continue;
    out.push_back(asked);
    out.back().per = per;
  }
  return out;
}

double cny_per_token(const Target& target, const Estimate& cny) { return target.value * cny.typical / target.per; }

SheetTable verdict_table() {
  return {"verdict",
          "",
          {{"chip", "chip", false},
           {"target", "target", false},
           {"class", "tokens", false},
           {"verdict", "verdict", false},
           {"target_cny_per_1m", "", true},
           {"actual_cny_per_1m", "CNY/1M", true},
           {"actual_interval", "95 %", true},
           {"actual_low", "", true},
           {"actual_high", "", true},
           {"gap", "actual/target", true},
           {"gap_interval", "95 %", true},
           {"gap_low", "", true},
           {"gap_high", "", true},
           {"at_any_price", "at any price?", false},
           {"basis", "basis", false}},
          {}};
}

const char* any_price_text(Reached by_electricity) {
  if (by_electricity == Reached::kCannotTell) return "can't tell";
  return by_electricity == Reached::kReached ? "yes" : "no: power alone costs more";
}

std::vector<SheetCell> verdict_row(const CostRow& r, const Target& target, const Verdict& v) {
  const TokenClass c = v.judged;
  const Amount& amount = r.cost.of(c);
  std::vector<SheetCell> row{subject_text(r.priced), target.text(), token_class_name(c), reached_name(v.reached)};
  row.push_back({"", v.target_per_token * 1e6});
  if (!amount.value) {
    row.insert(row.end(), 9, SheetCell{});
  } else {
    row.emplace_back(money_text(*amount.value * 1e6), *amount.value * 1e6);
    row.emplace_back(money_interval_text(amount.interval, 1e6));
    row.emplace_back("", amount.interval.low * 1e6);
    row.emplace_back("", amount.interval.high * 1e6);
    row.emplace_back(times(v.gap), v.gap);
    row.emplace_back(money_interval_text(v.gap_interval, 1));
    row.emplace_back("", v.gap_interval.low);
    row.emplace_back("", v.gap_interval.high);
    // A renter pays no power: some rent always reaches the target.
    row.emplace_back(r.cost.floor_of(c).value && !r.cost.rented ? any_price_text(v.by_electricity) : "");
  }
  row.emplace_back(cost_basis_text(r.cost));
  return row;
}

SheetTable waterfall_table(const Target& target) {
  return {"waterfall",
          "From " + target.text() + " to the actual cost: factors that multiply to the gap (typical values)",
          {{"chip", "chip", false},
           {"factor", "factor", false},
           {"times", "times", true},
           {"cny_per_1m", "CNY/1M so far", true},
           {"basis", "basis", false},
           {"meaning", "meaning", false}},
          {}};
}

void add_waterfall(const CostRow& r, const Verdict& v, SheetTable* table) {
  double so_far = v.target_per_token * 1e6;
  // What one factor is, the others and the gap give away: all of them or none.
  const bool hide_steps =
      std::any_of(v.waterfall.begin(), v.waterfall.end(), [](const Factor& f) { return f.confidential; });
  for (const Factor& f : v.waterfall) {
    so_far *= f.factor;
    Cost of_factor = r.cost;
    if (!f.basis.empty()) of_factor.basis = f.basis;
    table->rows.push_back({subject_text(r.priced), f.name,
                           hide_steps ? SheetCell{"withheld"} : SheetCell{times(f.factor), f.factor},
                           hide_steps ? SheetCell{"withheld"} : SheetCell{money_text(so_far), so_far},
                           cost_basis_text(of_factor), f.meaning});
  }
}

SheetTable lever_table(const Target& target) {
  return {"levers",
          "What one change alone would reach " + target.text() + ", the least change first",
          {{"chip", "chip", false},
           {"input", "input", false},
           {"now", "now", true},
           {"needed", "needed", true},
           {"unit", "unit", false},
           {"change", "change", true},
           {"possible", "possible", false},
           {"remark", "remark", false}},
          {}};
}

void add_levers(const CostRow& r, const Verdict& v, SheetTable* table) {
  for (const Lever& l : v.levers) {
    const bool both = l.input == CostInput::kCount;
    const auto figure = [&](double value) {
      if (both || std::isnan(value)) return SheetCell{};
      return is_confidential(r.priced.inputs, l.input) ? SheetCell{"withheld"} : SheetCell{money_text(value), value};
    };
    const SheetCell change = std::isnan(l.needed) ? SheetCell{} : SheetCell{times(l.needed / l.now), l.needed / l.now};
    table->rows.push_back({subject_text(r.priced), lever_name(l), figure(l.now), figure(l.needed),
                           both ? "" : cost_input_unit(l.input), change, l.possible ? "yes" : "no", l.limit});
  }
}

std::string sentence(const CostRow& r, const Target& target, const Verdict& v) {
  const std::string who = subject_text(r.priced) + ": ";
  if (!v.reason.empty()) return who + "no verdict: " + v.reason;
  if (v.by_electricity == Reached::kNotReached) {
    return who + target.text() + " is not possible at any price of the chip: electricity alone costs more";
  }
  if (v.levers.empty()) {
    return who + target.text() + " is met by the typical figures" +
           (std::isnan(v.gap_interval.low) ? ", which have no interval: no verdict at 95 %" : "");
  }
  const Lever& first = v.levers.front();
  if (!first.possible) return who + "no single change reaches " + target.text();
  std::string out = who + "the least single change that reaches " + target.text() + ": " + lever_name(first);
  if (first.input != CostInput::kCount && !is_confidential(r.priced.inputs, first.input)) {
    const std::string unit = cost_input_unit(first.input);
    out += " from " + money_text(first.now) + " to " + money_text(first.needed) + (unit.empty() ? "" : " " + unit);
  }
  out += " (" + times(first.needed / first.now) + ")" + (first.limit.empty() ? "" : "; " + first.limit);
  return out + (v.below_owners_power && first.input == CostInput::kRent
                    ? "; below what electricity alone costs an owner of the chip"
                    : "");
}

}  // namespace

Sheet verdict_sheet(const std::vector<CostRow>& rows, const Target& target, const Estimate& cny,
                    double reference_tariff) {
  SheetTable verdicts = verdict_table(), waterfall = waterfall_table(target), levers = lever_table(target);
  std::vector<std::string> notes;
  for (const CostRow& r : rows) {
    for (const Target& unit : both_units(target)) {
      const Verdict v = verdict(r.priced.inputs, r.cost, target.token_class, cny_per_token(unit, cny),
                                r.priced.subject.ladder, reference_tariff);
      verdicts.rows.push_back(verdict_row(r, unit, v));
      notes.push_back(sentence(r, unit, v));
      if (unit.per != target.per) continue;
      if (r.cost.of(v.judged).value && std::isnan(v.gap_interval.low)) {
        notes.push_back(subject_text(r.priced) + ": can't tell: no interval is known of " + unbounded(r.priced.inputs) +
                        ", so nothing holds at 95 %; VALUE:LOW:HIGH at --rate, --rent or --price gives one (three "
                        "times the same value holds it to be exact)");
      }
      if (v.upper_bound) {
        notes.push_back(subject_text(r.priced) +
                        ": the target names no class of tokens, and only output tokens have a rate: judged by their "
                        "cost, an upper bound of the blended one as far as an input token costs no more than an output "
                        "token; a blended cost needs the rates of input and of output");
      }
      add_waterfall(r, v, &waterfall);
      add_levers(r, v, &levers);
    }
  }
  Sheet costs = cost_sheet(rows);
  Sheet out;
  out.tables = {std::move(verdicts), std::move(waterfall), std::move(levers)};
  for (SheetTable& t : costs.tables) {
    if (t.name == "inputs") out.tables.push_back(std::move(t));
  }
  notes.push_back("the target stands for 100K and for 1M tokens, because the press prints both");
  notes.push_back("reference tariff of the waterfall: " + money_text(reference_tariff) + " CNY/kWh");
  if (target.currency != "CNY") {
    notes.push_back("1 " + target.currency + " = " + money_text(cny.typical) + " CNY (" + cny.source + ", " + cny.date +
                    ")");
  }
  out.notes = std::move(notes);
  out.notes.insert(out.notes.end(), costs.notes.begin(), costs.notes.end());
  return out;
}

}  // namespace assay
