#include <algorithm>
#include <map>

#include "reports/cells.h"
#include "reports/compare.h"
#include "reports/format.h"
#include "suites/base/words.h"

namespace assay {
namespace {

std::string value_text(const BoundedValue& x, const std::string& unit) {
  if (unit == "ns") return time_text(x.value);
  if (unit == "s") return time_text(x.value * 1e9);
  if (unit == "J/token") return number_text(x.value, 3) + " J";
  const double half = x.low && x.high ? (*x.high - *x.low) / 2 : 0;
  if (is_rate_unit(unit)) return rate_text(x.value, half, unit);
  return number_text(x.value, 4) + (unit.empty() ? "" : " " + unit);
}

// As value_text() has the value, without its unit.
std::string bounds_text(const BoundedValue& x, const std::string& unit) {
  if (!x.low || !x.high) return "";
  if (unit == "ns") return time_bounds_text(x.value, *x.low, *x.high);
  if (unit == "s") return time_bounds_text(x.value * 1e9, *x.low * 1e9, *x.high * 1e9);
  if (is_rate_unit(unit)) return interval_text(x.value, {*x.low, *x.high}, unit);
  return number_text(*x.low, 4) + "–" + number_text(*x.high, 4);
}

SheetCell value_cell(const BoundedValue& x, const std::string& unit) {
  return {value_text(x, unit), x.value, bounds_text(x, unit)};
}

std::string ratio_text(double ratio) { return number_text(ratio, 4); }

std::string interval_of(const Ratio& ratio) {
  return ratio.low ? ratio_text(*ratio.low) + "–" + ratio_text(*ratio.high) : "";
}

SheetCell ratio_cell(const Ratio& ratio) { return {ratio_text(ratio.value), ratio.value, interval_of(ratio)}; }

SheetCell number(std::optional<double> value) { return {value ? number_text(*value, 6) : "", value}; }

// What holds for every metric of a pair: what ran, whether its numbers were checked, what disturbed it.
std::string of_pair_text(const PairComparison& p, const std::string& shaken) {
  std::vector<std::string> all;
  if (!p.part.empty()) all.push_back(p.part + " ran");
  if (!p.piece.empty()) all.push_back(p.piece);
  all.insert(all.end(), p.unchecked.begin(), p.unchecked.end());
  if (!shaken.empty()) all.push_back(shaken);
  return joined(all, "; ");
}

// What a narrow terminal can do without, by the columns' names: the ratio with its interval, and what it is of, stay.
void rank_columns(SheetTable* table) {
  const std::map<std::string, int> ranks{{"effect", 7}, {"basis", 6}, {"note", 5}, {"a", 4}, {"b", 4}, {"interval", 1}};
  for (size_t c = 0; c < table->columns.size(); ++c) {
    SheetColumn& column = table->columns[c];
    if (const auto rank = ranks.find(column.name); rank != ranks.end()) column.drop_rank = rank->second;
    // One basis is named where its column goes; several need it.
    const bool several = std::any_of(table->rows.begin(), table->rows.end(),
                                     [&](const auto& row) { return row[c].text != table->rows.front()[c].text; });
    if (column.name == "basis" && several) column.drop_rank = 0;
  }
}

// CSV has but this table: what has no figures in it is a row with the side and the reason.
void add_not_compared(const Comparison& c, SheetTable* table) {
  for (const auto* list : {&c.unmatched, &c.unsupported_on_both}) {
    for (const Unmatched& u : *list) {
      std::vector<SheetCell>& row = table->csv_rows.emplace_back(table->columns.size());
      for (size_t i = 0; i < row.size(); ++i) {
        const std::string& name = table->columns[i].name;
        if (name == "case") row[i] = u.case_id;
        if (name == "set_a") row[i] = c.name_a;
        if (name == "set_b") row[i] = c.name_b;
        if (name == "not_compared_of") row[i] = u.side;
        if (name == "not_compared") row[i] = u.reason;
      }
    }
  }
}

SheetTable differences(const std::vector<Comparison>& comparisons) {
  SheetTable table;
  table.name = "differences";
  const bool several = comparisons.size() > 1;
  table.columns = {{"case", "case"},
                   {"set_b", several ? "B" : ""},
                   {"metric", "metric"},
                   {"a", "A", true},
                   {"b", "B", true},
                   {"ratio", "B/A", true},
                   {"interval", ""},
                   {"verdict", "verdict"},
                   {"effect", "A12 of steps", true},
                   {"basis", "basis"},
                   {"note", "note"}};
  for (const char* name :
       {"set_a",  "unit",  "dtype",           "tier",        "form",       "device_a", "device_b", "a_low",
        "a_high", "b_low", "b_high",          "ratio_low",   "ratio_high", "margin",   "runs_a",   "runs_b",
        "part",   "piece", "not_compared_of", "not_compared"}) {
    table.columns.push_back({name, ""});
  }
  for (const Comparison& c : comparisons) {
    for (const PairComparison& p : c.pairs) {
      const std::string basis = p.basis + (p.basis == "reported" ? std::string(" ") + kReportedMark : "");
      std::string shaken;
      for (const std::string& cause : p.disturbed) shaken += (shaken.empty() ? "* disturbed " : "; ") + cause;
      std::string of_pair = of_pair_text(p, shaken);
      // Of one pair alone the environment says in what its sides differ.
      const bool apart = !p.setup.empty() && std::count_if(c.pairs.begin(), c.pairs.end(), [&](const auto& other) {
                                               return other.case_id == p.case_id;
                                             }) > 1;
      for (const MetricDifference& d : p.metrics) {
        const bool first = &d == &p.metrics.front();
        const std::string note =
            d.note + (d.note.empty() || of_pair.empty() || !first ? "" : "; ") + (first ? of_pair : "");
        table.rows.push_back({p.case_id + (apart ? " (" + p.setup + ")" : "") + (shaken.empty() ? "" : " *"),
                              c.name_b,
                              d.metric,
                              value_cell(d.a, d.unit),
                              value_cell(d.b, d.unit),
                              ratio_cell(d.ratio),
                              interval_of(d.ratio),
                              difference_name(d.verdict),
                              {d.effect ? number_text(*d.effect, 3) : "", d.effect},
                              basis,
                              note,
                              c.name_a,
                              d.unit,
                              p.dtype,
                              p.tier,
                              p.form,
                              p.device_a,
                              p.device_b,
                              number(d.a.low),
                              number(d.a.high),
                              number(d.b.low),
                              number(d.b.high),
                              number(d.ratio.low),
                              number(d.ratio.high),
                              number(d.margin),
                              number(static_cast<double>(p.runs_a)),
                              number(static_cast<double>(p.runs_b)),
                              p.part,
                              p.piece,
                              {},
                              {}});
      }
    }
    add_not_compared(c, &table);
  }
  rank_columns(&table);
  return table;
}

SheetCell at_cell(const RateAt& at) {
  SheetCell cell = value_cell(at.rate, "tokens/s");
  if (at.interpolated) cell.text += " (interpolated)";
  return cell;
}

SheetTable equal_loads(const std::vector<Comparison>& comparisons) {
  SheetTable table;
  table.name = "equal_interactivity";
  table.title = "Decode at equal interactivity";
  table.columns = {{"work", "work"},
                   {"set_b", comparisons.size() > 1 ? "B" : ""},
                   {"per_user", "tokens/s per user", true},
                   {"a", "A tokens/s", true},
                   {"b", "B tokens/s", true},
                   {"ratio", "B/A", true},
                   {"interval", ""},
                   {"verdict", "verdict"},
                   {"a_interpolated", ""},
                   {"b_interpolated", ""}};
  for (const char* name : {"a_low", "a_high", "b_low", "b_high"}) table.columns.push_back({name, ""});
  for (const Comparison& c : comparisons) {
    for (const LoadComparison& l : c.loads) {
      for (const EqualLoad& e : l.at) {
        table.rows.push_back({l.work,
                              c.name_b,
                              {number_text(e.per_user, 4), e.per_user},
                              at_cell(e.a),
                              at_cell(e.b),
                              ratio_cell(e.ratio),
                              interval_of(e.ratio),
                              difference_name(e.verdict),
                              e.a.interpolated ? "yes" : "no",
                              e.b.interpolated ? "yes" : "no",
                              number(e.a.rate.low),
                              number(e.a.rate.high),
                              number(e.b.rate.low),
                              number(e.b.rate.high)});
      }
    }
  }
  return table;
}

SheetTable left_out(const std::vector<Comparison>& comparisons) {
  SheetTable table;
  table.name = "not_compared";
  table.title = "Not compared";
  table.columns = {{"set", "set"}, {"case", "case"}, {"reason", "reason"}};
  for (const Comparison& c : comparisons) {
    for (const auto* list : {&c.unmatched, &c.unsupported_on_both}) {
      for (const Unmatched& u : *list) table.rows.push_back({u.side, u.case_id, u.reason});
    }
  }
  return table;
}

SheetTable environments(const std::vector<Comparison>& comparisons) {
  SheetTable table;
  table.name = "environment";
  table.title = "Different around the pairs";
  table.columns = {{"set_b", comparisons.size() > 1 ? "B" : ""}, {"name", "what"}, {"a", "A"}, {"b", "B"}};
  for (const Comparison& c : comparisons) {
    for (const EnvironmentDifference& e : c.environment) table.rows.push_back({c.name_b, e.name, e.a, e.b});
  }
  return table;
}

// What speaks of less than a prompt, a clip or a model must be said, above all where nothing else was compared.
void add_piece_notes(const Comparison& c, std::vector<std::string>* notes) {
  const auto note = [&](const std::string& what, auto of) {
    const auto count = std::count_if(c.pairs.begin(), c.pairs.end(), of);
    if (count > 0) notes->push_back(std::to_string(count) + " of " + std::to_string(c.pairs.size()) + " cases " + what);
  };
  note("are of a chunk of a prompt behind a context, measured apart: no rates of whole prompts",
       [](const PairComparison& p) { return p.piece.starts_with("chunk "); });
  note("are of a part of a clip, measured apart: no times of a clip",
       [](const PairComparison& p) { return p.piece.ends_with(" of a clip"); });
  note("are of a part of the model: no rates of the whole", [](const PairComparison& p) { return !p.part.empty(); });
}

bool any_interval(const std::vector<Comparison>& comparisons) {
  return std::any_of(comparisons.begin(), comparisons.end(), [](const Comparison& c) {
    return std::any_of(c.pairs.begin(), c.pairs.end(), [](const PairComparison& p) {
      return std::any_of(p.metrics.begin(), p.metrics.end(),
                         [](const MetricDifference& d) { return d.a.low || d.b.low; });
    });
  });
}

}  // namespace

Sheet comparison_sheet(const std::vector<Comparison>& comparisons) {
  Sheet sheet;
  sheet.tables = {differences(comparisons), equal_loads(comparisons), left_out(comparisons), environments(comparisons)};
  for (const Comparison& c : comparisons) {
    sheet.notes.push_back("A is " + c.name_a + ", B is " + c.name_b + ": " + std::to_string(c.pairs.size()) +
                          " cases compared; " + std::to_string(count_verdicts(c, Difference::kFaster)) + " FASTER, " +
                          std::to_string(count_verdicts(c, Difference::kSlower)) + " SLOWER, " +
                          std::to_string(count_verdicts(c, Difference::kSame)) + " SAME, " +
                          std::to_string(count_verdicts(c, Difference::kAmbiguous)) + " AMBIGUOUS");
    if (!c.failed_on_b.empty()) {
      const Unmatched& first = c.failed_on_b.front();
      const size_t more = c.failed_on_b.size() - 1;
      sheet.notes.push_back(std::to_string(c.failed_on_b.size()) +
                            " of A's cases gave no figures on B, worse than slow: " + first.case_id + " (" +
                            first.reason + ")" +
                            (more > 0 ? ", " + std::to_string(more) + " more under 'Not compared'" : ""));
    }
    add_piece_notes(c, &sheet.notes);
    for (const LoadComparison& l : c.loads) {
      if (!l.note.empty()) sheet.notes.push_back(l.work + ": " + l.note);
    }
  }
  const CompareOptions options = comparisons.empty() ? CompareOptions{} : comparisons.front().options;
  const std::string margin = percent_text(options.margin);
  if (any_interval(comparisons)) {
    sheet.notes.push_back("ranges with A, B and B/A: their " + percent_text(options.confidence) +
                          " intervals, of each side alone and of the ratio");
  }
  sheet.notes.push_back("FASTER, SLOWER: B's whole " + percent_text(options.confidence) +
                        " interval lies more than the margin (" + margin +
                        ", or the spread between repeats where that is larger) beyond A; SAME: it lies within the "
                        "margin; AMBIGUOUS: neither can be told");
  const bool effects = std::any_of(comparisons.begin(), comparisons.end(), [](const Comparison& c) {
    return std::any_of(c.pairs.begin(), c.pairs.end(), [](const PairComparison& p) {
      return std::any_of(p.metrics.begin(), p.metrics.end(),
                         [](const MetricDifference& d) { return d.effect.has_value(); });
    });
  });
  if (effects) {
    sheet.notes.push_back(
        "A12 of steps: the share of pairs of one step each in which B's takes less time, ties as half (Vargha and "
        "Delaney's effect size; 0.5: neither's tend to be shorter). It says how far the steps lie apart, not how sure "
        "it is that B is faster: that is the verdict");
  }
  const bool unchecked = std::any_of(comparisons.begin(), comparisons.end(), [](const Comparison& c) {
    return std::any_of(c.pairs.begin(), c.pairs.end(), [](const PairComparison& p) { return !p.unchecked.empty(); });
  });
  if (unchecked) {
    sheet.notes.emplace_back(
        "not checked: nothing compared that side's outputs with the reference, so that its speed may be that of wrong "
        "numbers");
  }
  const bool reported = std::any_of(comparisons.begin(), comparisons.end(), [](const Comparison& c) {
    return std::any_of(c.pairs.begin(), c.pairs.end(), [](const PairComparison& p) { return p.basis == "reported"; });
  });
  if (reported) {
    sheet.notes.push_back(
        std::string(kReportedMark) +
        " reported: figures of equal definition as their sources state them, with an interval only where "
        "the source has one or its samples");
  }
  return sheet;
}

}  // namespace assay
