#include "reports/cost_sheet.h"

#include <algorithm>
#include <cmath>

#include "reports/cost_cells.h"
#include "reports/cost_pairs.h"
#include "reports/format.h"

namespace assay {
namespace {

constexpr double kPer100K = 1e5;

SheetTable cost_table(const std::vector<CostRow>& rows, std::vector<std::string>* notes) {
  SheetTable table{"cost", "", {{"chip", "chip", false}, {"class", "tokens", false}}, {}};
  add_way_columns("", &table);
  for (const auto& [name, title] : {std::pair("yuan_per_100k_tokens", "CNY/100K"),
                                    {"yuan_per_1m_tokens", "CNY/1M"},
                                    {"electricity_per_1m_tokens", "power alone/1M"}}) {
    for (const SheetColumn& c : amount_columns(name, title)) table.columns.push_back(c);
  }
  table.columns.push_back({"basis", "basis", false});
  for (const CostRow& r : rows) {
    for (size_t c = 0; c < kTokenClasses; ++c) {
      const auto token_class = static_cast<TokenClass>(c);
      const Amount& amount = r.cost.of(token_class);
      if (!amount.value && token_class != TokenClass::kBlended) {
        add_cost_note(notes, subject_text(r.priced) + ": no cost of " + token_class_name(token_class) +
                                 " tokens: " + amount.reason);
        continue;
      }
      std::vector<SheetCell> row{subject_text(r.priced), token_class_name(token_class)};
      add_way(r.priced.inputs, &row);
      add_amount(amount, kPer100K, &row);
      add_amount(amount, kPer1M, &row);
      add_amount(r.cost.floor_of(token_class), kPer1M, &row);
      row.emplace_back(cost_basis_text(r.cost));
      table.rows.push_back(std::move(row));
      if (!amount.value) add_cost_note(notes, subject_text(r.priced) + ": " + amount.reason);
    }
  }
  return table;
}

SheetTable hour_table(const std::vector<CostRow>& rows) {
  SheetTable table{"hour", "An hour of use of one accelerator", {{"chip", "chip", false}}, {}};
  add_way_columns("", &table);
  for (const SheetColumn& c : amount_columns("yuan_per_hour", "CNY/h")) table.columns.push_back(c);
  table.columns.push_back({"basis", "basis", false});
  for (const CostRow& r : rows) {
    std::vector<SheetCell> row{subject_text(r.priced)};
    add_way(r.priced.inputs, &row);
    if (hour_is_confidential(r.priced.inputs)) {
      row.insert(row.end(), 4, SheetCell{"withheld"});
    } else {
      add_amount(r.cost.per_hour, 1, &row);
    }
    row.emplace_back(r.cost.price_basis);
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string range_text(CostInput input, const Estimate& e) {
  const bool price = input == CostInput::kChipPrice || input == CostInput::kRent;  // "from" this on
  if (e.spread == Spread::kUnknown)
    return price && e.high > e.low ? money_text(e.low) + "–" + money_text(e.high) + " or more" : "none known";
  return e.high > e.low ? money_text(e.low) + "–" + money_text(e.high) : "";
}

// The same figure of the same source in every row.
bool all_share(const std::vector<CostRow>& rows, CostInput i) {
  const std::optional<Estimate>& first = rows.front().priced.inputs.at(i);
  return std::all_of(rows.begin(), rows.end(), [&](const CostRow& r) {
    const std::optional<Estimate>& e = r.priced.inputs.at(i);
    return first && e && e->low == first->low && e->typical == first->typical && e->high == first->high &&
           e->source == first->source && e->note == first->note;
  });
}

SheetTable inputs_table(const std::vector<CostRow>& rows) {
  SheetTable table{"inputs",
                   "Inputs",
                   {{"chip", "chip", false},
                    {"input", "input", false},
                    {"value", "value", true},
                    {"low", "", true},
                    {"high", "", true},
                    {"range", "range", true},
                    {"unit", "unit", false},
                    {"basis", "basis", false},
                    {"grade", "grade", false},
                    {"date", "date", false},
                    {"source", "source", false}},
                   {}};
  for (size_t at = 0; at < rows.size(); ++at) {
    const CostRow& r = rows[at];
    for (const CostInput i : all_cost_inputs()) {
      const std::optional<Estimate>& e = r.priced.inputs.at(i);
      if (!e) continue;
      const bool shared = rows.size() > 1 && all_share(rows, i);
      if (shared && at > 0) continue;
      const std::string who = shared ? "all" : subject_text(r.priced);
      const std::string source = e->source + (e->note.empty() ? "" : "; " + e->note);
      const bool hidden = e->confidential;
      const bool rate = i == CostInput::kInputRate || i == CostInput::kOutputRate || i == CostInput::kBlendedRate;
      const bool bare = rate && e->spread == Spread::kUnknown;
      const auto figure = [&](double v) {
        return hidden ? SheetCell{"withheld"} : SheetCell{bare ? rate_text(v, 0, "tokens/s") : money_text(v), v};
      };
      table.rows.push_back({who, cost_input_name(i), figure(e->typical), figure(e->low), figure(e->high),
                            hidden ? "withheld" : range_text(i, *e), cost_input_unit(i), e->basis, e->grade, e->date,
                            hidden ? "a confidential price book" : source});
    }
  }
  return table;
}

SheetTable tornado_table(const std::vector<CostRow>& rows) {
  SheetTable table{"sensitivity",
                   "What moves the result: CNY/1M tokens with one input at the ends of its range",
                   {{"chip", "chip", false},
                    {"class", "tokens", false},
                    {"input", "input", false},
                    {"at_low", "at its low", true},
                    {"at_high", "at its high", true},
                    {"swing", "swing", true},
                    {"share", "of the cost", true}},
                   {}};
  for (const CostRow& r : rows) {
    const Amount& amount = r.cost.of(r.cost.headline);
    for (const Sensitivity& s : r.cost.tornado) {
      if (r.priced.inputs.at(s.input)->confidential) continue;
      const auto money = [](double v) { return SheetCell{money_text(v * kPer1M), v * kPer1M}; };
      table.rows.push_back({subject_text(r.priced), token_class_name(r.cost.headline), cost_input_name(s.input),
                            money(s.at_low), money(s.at_high), money(s.swing()),
                            SheetCell{percent_text(s.swing() / *amount.value), s.swing() / *amount.value}});
    }
  }
  return table;
}

// Which case each rate is of, where there was a choice.
void add_taken_notes(const PricedSubject& priced, std::vector<std::string>* notes) {
  const CostSubject& s = priced.subject;
  const auto add = [&](const char* tokens, const std::string& taken, size_t of) {
    if (taken.empty() || of < 2) return;
    add_cost_note(notes, subject_text(priced) + ": " + tokens + " tokens by the case of the highest rate within the " +
                             "limits, of " + std::to_string(of) + ": " + taken);
  };
  add("input", s.input_case, s.input_cases);
  add("output", s.output_case, s.output_cases);
}

SheetTable clip_table(const std::vector<CostRow>& clips) {
  SheetTable table{"clip", "A clip on one accelerator", {{"chip", "chip", false}, {"seconds", "seconds", true}}, {}};
  for (const SheetColumn& c : amount_columns("yuan_per_clip", "CNY/clip")) table.columns.push_back(c);
  table.columns.push_back({"basis", "basis", false});
  for (const CostRow& r : clips) {
    const Estimate& seconds = *r.priced.subject.clip_seconds;
    std::vector<SheetCell> row{subject_text(r.priced), SheetCell{money_text(seconds.typical), seconds.typical}};
    add_amount(clip_cost(r.cost.per_hour, 1, seconds), 1, &row);
    row.emplace_back(r.priced.subject.basis + "; prices " + r.cost.price_basis);
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

std::string money_text(double value) {
  if (value == 0) return "0";
  const int decimals = std::clamp(3 - static_cast<int>(std::floor(std::log10(std::abs(value)))), 0, 9);
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  std::string out = text;
  if (out.find('.') == std::string::npos) return out;
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out;
}

std::string money_interval_text(const Interval& interval, double scale) {
  if (std::isnan(interval.low) || std::isnan(interval.high)) return "";
  return money_text(interval.low * scale) + "–" + money_text(interval.high * scale);
}

std::string probability_text(const Probability& p) {
  if (!p.is_range()) return percent_text(p.low);
  const std::string low = percent_text(p.low), high = percent_text(p.high);
  return low == high ? low : low.substr(0, low.size() - 2) + "–" + high;
}

const char* way_text(const CostInputs& inputs) { return inputs.rented ? "rented" : "owned"; }

std::string use_text(const CostInputs& inputs) {
  const std::optional<Estimate>& use = inputs.at(CostInput::kUtilisation);
  return !use ? "not known" : use->confidential ? "withheld" : percent_text(use->typical);
}

std::string alike_text(const std::string& option) {
  if (!option.empty()) return option + " takes them alike";
  return "a price, or a rent, of each in a price book (--prices) with --owned, or --rented, takes them alike";
}

std::string chip_text(const PricedSubject& subject) {
  const std::string& product = subject.subject.product;
  const std::string name = !subject.chip ? product : subject.chip->name.empty() ? subject.chip->id : subject.chip->name;
  return subject.of_another_chip ? name + " (rates of " + product + ")" : name;
}

std::string subject_text(const PricedSubject& subject) {
  const CostSubject& s = subject.subject;
  std::string out = chip_text(subject);
  if (s.model.empty()) return out;
  out += ", " + s.model + (s.dtype.empty() ? "" : " " + s.dtype) + (s.variant.empty() ? "" : " " + s.variant);
  if (!s.clip.empty()) return out + ", " + s.clip;
  if (s.basis != "measured") out += ", " + s.basis;
  return s.tier == "program" ? out : out + ", " + s.tier;
}

std::string cost_basis_text(const Cost& cost) {
  return cost.basis + (cost.price_basis.empty() ? "" : "; prices " + cost.price_basis);
}

Sheet cost_sheet(const std::vector<CostRow>& tokens, const std::vector<CostRow>& clips) {
  Sheet sheet;
  std::vector<CostRow> rows = tokens;
  rows.insert(rows.end(), clips.begin(), clips.end());
  if (!tokens.empty()) sheet.tables.push_back(cost_table(tokens, &sheet.notes));
  if (!clips.empty()) sheet.tables.push_back(clip_table(clips));
  sheet.tables.push_back(hour_table(rows));
  sheet.tables.push_back(inputs_table(rows));
  sheet.tables.push_back(tornado_table(tokens));
  sheet.tables.push_back(break_even_table(tokens));
  sheet.tables.push_back(probability_table(tokens));
  for (const std::string& note : way_notes(tokens, tokens)) add_cost_note(&sheet.notes, note);
  for (const CostRow& r : rows) {
    add_taken_notes(r.priced, &sheet.notes);
    for (const std::string& note : r.priced.subject.notes)
      add_cost_note(&sheet.notes, subject_text(r.priced) + ": " + note);
    for (const std::string& note : r.priced.notes) add_cost_note(&sheet.notes, subject_text(r.priced) + ": " + note);
    const TokenMix& mix = r.cost.mix;
    if (r.cost.of(TokenClass::kBlended).value) {
      std::string text = "blended: ";
      text += mix.cached + mix.input + mix.output > 0
                  ? percent_text(mix.cached) + " cached input, " + percent_text(mix.input) + " input, " +
                        percent_text(mix.output) + " output (" + mix.source + ")"
                  : mix.source;
      add_cost_note(&sheet.notes, text);
    }
    if (!r.priced.inputs.at(CostInput::kCachedCostShare) && r.cost.of(TokenClass::kCached).value) {
      add_cost_note(&sheet.notes,
                    "cached input is charged as a miss: no record measures a hit; --set cached_cost_share=SHARE "
                    "says what a hit costs of a miss");
    }
  }
  if (!rows.empty()) {
    const CostOptions& o = rows.front().cost.options;
    add_cost_note(
        &sheet.notes,
        "95 %: Monte Carlo over the inputs, " + std::to_string(o.draws) + " draws, seed " + std::to_string(o.seed) +
            "; a range is drawn as a triangle, a measured rate by its interval; it reaches to the typical value");
    add_cost_note(&sheet.notes,
                  "power alone: what electricity costs whatever the chip's price (of a rented chip its owner pays it); "
                  "grades: V vendor, M measured and published, C community, R press, A assumption, ? conflicting");
  }
  return sheet;
}

}  // namespace assay
