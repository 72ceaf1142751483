#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "reports/cells.h"
#include "reports/format.h"
#include "reports/trend.h"
#include "results/part.h"
#include "suites/base/words.h"

namespace assay {
namespace {

SheetCell figure_cell(std::optional<double> value) { return {value ? number_text(*value, 6) : "", value}; }

std::string factor_text(const Ratio& r) { return r.value > 0 ? number_text(r.value, 4) : ""; }
std::string range_text(const Ratio& r) { return r.low ? number_text(*r.low, 4) + "–" + number_text(*r.high, 4) : ""; }

// "-0.70 %" of the logarithm of a factor.
std::string growth_text(double log_factor) {
  char text[32];
  std::snprintf(text, sizeof text, "%+.2f %%", std::expm1(log_factor) * 100);
  return text;
}

std::string name_of(const TrendSeries& s) { return s.case_id + (s.setup.empty() ? "" : " (" + s.setup + ")"); }

std::string rate_of(const BoundedValue& rate, const std::string& unit) {
  return rate_text(rate.value, rate.low && rate.high ? (*rate.high - *rate.low) / 2 : 0, unit);
}

std::string bounds_of(const BoundedValue& rate, const std::string& unit) {
  return rate.low && rate.high ? interval_text({rate.value, {*rate.low, *rate.high}, 0, 2}, unit) : "";
}

// "FASTER" and "SLOWER" of a level against the one before.
std::string change_text(const LevelDifference& c) {
  return std::string(difference_name(c.verdict)) + " from here: " + factor_text(c.ratio) + " (" + range_text(c.ratio) +
         ") of before";
}

const ChangePoint* change_at(const TrendSeries& s, size_t row) {
  const auto found =
      std::find_if(s.changes.begin(), s.changes.end(), [row](const ChangePoint& c) { return c.at == row; });
  return found == s.changes.end() ? nullptr : &*found;
}

std::string note_of(const TrendSeries& s) {
  std::vector<std::string> parts;
  for (const ChangePoint& c : s.changes)
    parts.push_back(minute_text(s.rows[c.at].record->created) + " " + difference_name(c.change.verdict));
  if (s.against_baseline && !s.ends) parts.emplace_back("the baseline has no such case");
  if (!s.against_baseline && !s.ends) parts.emplace_back("one record");
  if (s.without_figures > 0)
    parts.push_back(std::to_string(s.without_figures) + (s.without_figures == 1 ? " record" : " records") +
                    " without figures");
  if (!s.newest_without.empty()) parts.push_back("the newest: " + s.newest_without);
  return joined(parts, "; ");
}

SheetTable summary(const std::vector<TrendSeries>& series) {
  SheetTable t;
  t.name = "trends";
  t.columns = {{"case", "case"},
               {"chip", "chip", false, 3},
               {"records", "records", true, 5},
               {"first", "first /s", true, 2},
               {"last", "last /s", true, 1},
               {"growth_per_day", "a day", true, 4},
               {"ratio", "ratio", true},
               {"interval", "interval"},
               {"verdict", "verdict"},
               {"note", "note", false, 6}};
  for (const char* name : {"dtype", "tier", "basis", "setup", "unit", "from", "to", "growth_per_day_low",
                           "growth_per_day_high", "ratio_low", "ratio_high", "records_before", "records_after"}) {
    t.columns.push_back({name, ""});
  }
  for (const TrendSeries& s : series) {
    const BoundedValue &first = s.rows.front().point.rate, &last = s.rows.back().point.rate;
    const LevelDifference ends = s.ends.value_or(LevelDifference{});
    const bool bounded = s.slope && s.slope->interval;
    const auto growth = [](double log_factor) { return figure_cell(std::expm1(log_factor)); };
    t.rows.push_back({name_of(s),
                      s.device,
                      figure_cell(static_cast<double>(s.rows.size())),
                      {rate_of(first, s.unit), first.value},
                      {rate_of(last, s.unit), last.value},
                      s.slope ? SheetCell(growth_text(s.slope->per_day), std::expm1(s.slope->per_day)) : SheetCell(),
                      s.ends ? SheetCell(factor_text(ends.ratio), ends.ratio.value) : SheetCell(),
                      range_text(ends.ratio),
                      s.ends ? difference_name(ends.verdict) : "",
                      note_of(s),
                      s.dtype,
                      s.tier,
                      s.basis,
                      s.setup,
                      s.unit,
                      s.rows.front().record->created,
                      s.rows.back().record->created,
                      bounded ? growth(s.slope->interval->low) : SheetCell(),
                      bounded ? growth(s.slope->interval->high) : SheetCell(),
                      figure_cell(ends.ratio.low),
                      figure_cell(ends.ratio.high),
                      figure_cell(static_cast<double>(ends.records_before)),
                      figure_cell(static_cast<double>(ends.records_after))});
  }
  return t;
}

// What happened at a record, for people.
std::string events(const TrendSeries& s, size_t row) {
  std::vector<std::string> parts;
  if (const ChangePoint* change = change_at(s, row)) parts.push_back(change_text(change->change));
  const TrendRow& r = s.rows[row];
  parts.insert(parts.end(), r.changed.begin(), r.changed.end());
  if (r.record->noise.disturbed) parts.push_back("* disturbed: " + joined(r.record->noise.causes, ", "));
  if (r.record->numerics.verdict == "not-run") parts.emplace_back("numbers not checked");
  return joined(parts, "; ");
}

SheetTable records_table() {
  SheetTable t;
  t.name = "records";
  t.columns = {{"date", "date, UTC"},         {"rate_per_s", "rate /s", true},       {"rate_bounds", "95 %", true, 2},
               {"to_first", "/ first", true}, {"to_best", "/ best before", true, 1}, {"events", "what changed"}};
  for (const char* name : {"case", "chip", "setup", "unit", "created", "rate_low_per_s", "rate_high_per_s",
                           "to_first_low", "to_first_high", "to_best_low", "to_best_high", "change_point",
                           "change_ratio", "change_low", "change_high", "record"}) {
    t.columns.push_back({name, ""});
  }
  return t;
}

// To the minute, or to the second where records lie within one.
std::string date_text(const TrendSeries& s, const Record& r) {
  for (size_t i = 1; i < s.rows.size(); ++i) {
    if (minute_text(s.rows[i - 1].record->created) != minute_text(s.rows[i].record->created)) continue;
    std::string text = r.created.substr(0, std::string_view("2026-11-26T03:12:59").size());
    std::replace(text.begin(), text.end(), 'T', ' ');
    return text;
  }
  return minute_text(r.created);
}

void add_rows(const TrendSeries& s, SheetTable* t) {
  for (size_t i = 0; i < s.rows.size(); ++i) {
    const TrendRow& r = s.rows[i];
    const BoundedValue& rate = r.point.rate;
    const ChangePoint* change = change_at(s, i);
    const auto ratio = [](const Ratio& x) { return x.value > 0 ? SheetCell(factor_text(x), x.value) : SheetCell(); };
    t->rows.push_back({date_text(s, *r.record) + (r.record->noise.disturbed ? " *" : ""),
                       {rate_of(rate, s.unit), rate.value},
                       bounds_of(rate, s.unit),
                       ratio(r.to_first),
                       ratio(r.to_best),
                       events(s, i),
                       s.case_id,
                       s.device,
                       s.setup,
                       s.unit,
                       r.record->created,
                       figure_cell(rate.low),
                       figure_cell(rate.high),
                       figure_cell(r.to_first.low),
                       figure_cell(r.to_first.high),
                       figure_cell(r.to_best.low),
                       figure_cell(r.to_best.high),
                       change != nullptr ? difference_name(change->change.verdict) : "",
                       change != nullptr ? figure_cell(change->change.ratio.value) : SheetCell(),
                       change != nullptr ? figure_cell(change->change.ratio.low) : SheetCell(),
                       change != nullptr ? figure_cell(change->change.ratio.high) : SheetCell(),
                       r.record->id});
  }
}

std::string slope_note(const TrendSeries& s) {
  const double days = s.rows.back().point.day - s.rows.front().point.day;
  const TrendSlope& slope = *s.slope;
  std::string text = "drift (Theil and Sen): " + growth_text(slope.per_day) + " a day";
  text += slope.interval
              ? " (95 %: " + growth_text(slope.interval->low) + " to " + growth_text(slope.interval->high) + ")"
              : " (without an interval: six records at least)";
  return text + ", " + growth_text(slope.per_day * days) + " over " + number_text(days, 3) + " days";
}

std::vector<std::string> method(const std::vector<TrendSeries>& series, const TrendOptions& options) {
  const std::string margin = percent_text(options.margin), edge = std::to_string(options.edge);
  std::vector<std::string> out{
      "ratio: of the last " + edge + " records to " +
          (!series.empty() && series.front().against_baseline ? "those of the baseline" : "the first " + edge) +
          " (half to half where there are fewer), each level a mean of the logarithm; its interval rests on what "
          "records "
          "of one level differ by, or on their own intervals where those are wider",
      "FASTER, SLOWER: the whole interval lies more than the margin (" + margin +
          ") beyond; SAME: within the margin; AMBIGUOUS: neither can be told",
      "changes: where the records before and after differ so, the split that stands out most, then again on both "
      "sides; "
      "by Bonferroni at most 5 % of series without a change get one; a drift appears as a few steps",
      "/ best before: of the highest rate so far, which is the luckiest of them, so that this ratio is somewhat below "
      "1 "
      "where nothing changed"};
  return out;
}

}  // namespace

Sheet trend_sheet(const std::vector<TrendSeries>& series, const TrendOptions& options, TableFormat format) {
  Sheet sheet;
  if (format == TableFormat::kCsv || format == TableFormat::kJson) {
    SheetTable all = records_table();
    for (const TrendSeries& s : series) add_rows(s, &all);
    sheet.tables = {std::move(all), summary(series)};
  } else {
    sheet.tables = {summary(series)};
    for (const TrendSeries& s : series) {
      if (s.rows.size() < 2) continue;  // all of it stands in the summary
      SheetTable t = records_table();
      t.title = name_of(s) + ", " + s.device + ", " + s.basis;
      add_rows(s, &t);
      if (s.slope) t.notes.push_back(slope_note(s));
      sheet.tables.push_back(std::move(t));
    }
  }
  sheet.notes = method(series, options);
  return sheet;
}

TrendPlot trend_plot(const TrendSeries& s) {
  TrendPlot out{name_of(s), s.device, s.basis, s.unit, {}, {}};
  for (const TrendRow& r : s.rows)
    out.points.push_back({r.record->id, r.point, r.changed, r.record->noise.disturbed, std::nullopt});
  for (const ChangePoint& c : s.changes) out.changes.push_back({c.at, c.change.ratio.value, c.change.verdict});
  return out;
}

std::string trend_plot_json(const TrendPlot& plot) {
  using nlohmann::json;
  const auto maybe = [](const auto& value) { return value ? json(*value) : json(nullptr); };
  json points = json::array(), changes = json::array();
  for (const TrendPlot::Point& p : plot.points) {
    points.push_back({{"day", p.at.day},
                      {"rate", p.at.rate.value},
                      {"low", maybe(p.at.rate.low)},
                      {"high", maybe(p.at.rate.high)},
                      {"row", maybe(p.row)},
                      {"changed", p.changed},
                      {"disturbed", p.disturbed}});
  }
  for (const TrendPlot::Change& c : plot.changes)
    changes.push_back({{"at", c.at}, {"ratio", c.ratio}, {"verdict", difference_name(c.verdict)}});
  return json{{"trend", plot.name}, {"device", plot.device}, {"basis", plot.basis},
              {"unit", plot.unit},  {"points", points},      {"changes", changes}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace assay
