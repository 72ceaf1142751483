#include "reports/curves.h"

#include <algorithm>

#include "reports/format.h"
#include "reports/sheet.h"
#include "results/metrics/context_curve.h"
#include "results/metrics/metrics.h"
#include "results/metrics/skew.h"

namespace assay {
namespace {

constexpr double kThousand = 1000;

std::string shape_text(const std::string& kind, int64_t batch, int64_t tokens) {
  std::string text = kind + ", batch " + std::to_string(batch);
  if (kind == "prefill") text += ", chunks of " + std::to_string(tokens);
  return text;
}

std::string mark_text(const ContextMark& mark) {
  if (!mark.context) return mark.note;
  return std::to_string(*mark.context) + " tokens" + (mark.note.empty() ? "" : ", " + mark.note);
}

std::string signed_time(double ns) { return (ns < 0 ? "-" : "") + time_text(ns < 0 ? -ns : ns); }

std::string slope_text(const Line& line) {
  std::string text = "slope " + signed_time(line.slope * kThousand) + " per 1000 tokens of context";
  if (!line.slope_interval) return text + " (two points, no interval)";
  return text + " (95 %: " + signed_time(line.slope_interval->low * kThousand) + " to " +
         signed_time(line.slope_interval->high * kThousand) + ")";
}

// A figure whose run something disturbed is marked, and a note says what it was.
std::string marked(const std::string& figure, const std::string& case_id, const std::string& disturbed_by,
                   SheetTable* table) {
  if (disturbed_by.empty()) return figure;
  table->notes.push_back("* disturbed: " + case_id + ": " + disturbed_by);
  return figure + " *";
}

std::string kv_text(const ContextCurve& c) {
  std::string text = "KV cache: " + number_text(c.kv_bytes_per_token, 7) + " bytes per token and sequence, whole model";
  if (c.window == 0) return text;
  return text + "; behind the window of " + std::to_string(c.window) + " tokens " +
         number_text(c.kv_bytes_behind_window, 7);
}

SheetTable context_table(const ContextCurve& c) {
  SheetTable t;
  t.title = "context: " + c.model + " " + c.dtype + (c.options.empty() ? "" : " " + c.options) + ", " +
            shape_text(c.step_kind, c.batch, c.tokens) +
            (c.layout.empty() ? "" : ", KV cache in pages (" + c.layout + ")") + ", " + c.device;
  t.columns = {
      {"case", "case"},     {"context", "context", true},     {"step_ns", "step", true}, {"step_low_ns", "95 %", true},
      {"step_high_ns", ""}, {"line_ns", "by the line", true}, {"basis", "basis"},        {"form", "of"},
      {"disturbed_by", ""}};
  for (const ContextPoint& p : c.points) {
    const double line = c.time->intercept + c.time->slope * static_cast<double>(p.context);
    const auto& interval = p.step_interval_ns;
    t.rows.push_back(
        {p.case_id,
         {std::to_string(p.context), static_cast<double>(p.context)},
         {marked(time_text(p.step_ns), p.case_id, p.disturbed_by, &t), p.step_ns},
         interval ? SheetCell(time_text(interval->low) + "–" + time_text(interval->high), interval->low) : SheetCell(),
         interval ? SheetCell("", interval->high) : SheetCell(),
         {time_text(line), line},
         c.basis,
         c.form,
         p.disturbed_by});
  }
  t.notes.insert(t.notes.begin(),
                 {slope_text(*c.time), kv_text(c),
                  "attention overtakes the rest by FLOPs: " + mark_text(c.knee_flops) +
                      "; its cache the weights by bytes: " + mark_text(c.knee_bytes) +
                      "; its time the rest by the line: " + mark_text(c.knee_time),
                  "largest context that fits the device with the whole model: " + mark_text(c.largest)});
  return t;
}

std::string megabytes(double bytes) { return number_text(bytes / 1e6, bytes < 1e9 ? 4 : 7) + " MB"; }

SheetTable skew_table(const SkewCurve& c) {
  SheetTable t;
  const std::string ranks = std::to_string(c.ranks);
  t.title = "skew: " + c.model + " " + c.dtype + (c.options.empty() ? "" : " " + c.options) + ", " +
            shape_text(c.step_kind, c.batch, c.tokens) + ", " + std::to_string(c.top_k) + " of " +
            std::to_string(c.experts) + " experts, " + c.device;
  t.columns = {{"routing", "routing"},
               {"seed", "seed", true},
               {"rate_per_s", c.unit, true},
               {"rate_low_per_s", "95 %", true},
               {"rate_high_per_s", ""},
               {"active_experts", "active", true},
               {"expected_active_experts", "expected", true},
               {"expert_bytes", "expert bytes", true},
               {"gamma_mean", "gamma " + ranks + " ranks", true},
               {"gamma_p95", "p95", true},
               {"basis", "basis"},
               {"form", "of"},
               {"case", "case"},
               {"disturbed_by", ""}};
  for (const SkewPoint& p : c.points) {
    const double half = p.interval ? (p.interval->high - p.interval->low) / 2 : 0;
    const auto rate = [&](double per_s) { return rate_text(per_s, half, c.unit); };
    const auto figure = [](double value, int digits) { return SheetCell(number_text(value, digits), value); };
    t.rows.push_back(
        {p.routing,
         p.seed ? SheetCell(std::to_string(*p.seed), static_cast<double>(*p.seed)) : SheetCell(),
         {marked(rate(p.per_s), p.case_id, p.disturbed_by, &t), p.per_s},
         p.interval ? SheetCell(rate(p.interval->low) + "–" + rate(p.interval->high), p.interval->low) : SheetCell(),
         p.interval ? SheetCell("", p.interval->high) : SheetCell(),
         figure(p.active, 4),
         p.expected ? figure(*p.expected, 4) : SheetCell(),
         {megabytes(p.expert_bytes), p.expert_bytes},
         figure(p.imbalance.mean, 3),
         figure(p.imbalance.p95, 3),
         c.basis,
         c.form,
         p.case_id,
         p.disturbed_by});
  }
  t.notes.insert(t.notes.begin(),
                 {"active, expected: experts with a token, mean of the " + std::to_string(c.layers_run) +
                      " layers that ran; expert bytes: of their weights in those layers",
                  "gamma: fullest rank over mean, experts dealt at random to " + ranks +
                      " ranks, none twice; mean and 95 % of placements",
                  "skew-rated throughput on one rank: " + rate_text(c.rated_one_rank_per_s, 0, c.unit) + " " + c.unit +
                      " (" + c.rated_one_rank_routing + ", basis " + c.basis + ")",
                  "skew-rated throughput with experts on " + ranks + " ranks: " + rate_text(c.rated_per_s, 0, c.unit) +
                      " " + c.unit + " for each rank (" + c.rated_routing +
                      "; the least rate / gamma, as if the whole step waited for the fullest rank; basis projected)"});
  return t;
}

// Curves leave out steps whose caches were flushed: said in the tables of the kinds of step that have some.
void note_cold(const std::vector<Record>& records, const std::string& kind, SheetTable* table) {
  const auto left_out = std::count_if(records.begin(), records.end(), [&](const Record& r) {
    return r.status == "ok" && r.step_kind == kind && cold_cache(r);
  });
  if (left_out == 0) return;
  table->notes.push_back(std::to_string(left_out) + " cold-cache records of " + kind +
                         " are left out: no curve mixes cold and warm steps");
}

}  // namespace

std::string render_context_curves(const std::vector<Record>& records, TableFormat format, const TableOptions& options) {
  std::vector<SheetTable> tables;
  for (const ContextCurve& c : context_curves(records)) {
    tables.push_back(context_table(c));
    note_cold(records, c.step_kind, &tables.back());
  }
  return render_like_tables(tables, format, options);
}

std::string render_skew_curves(const std::vector<Record>& records, int64_t ranks, TableFormat format,
                               const TableOptions& options) {
  std::vector<SheetTable> tables;
  for (const SkewCurve& c : skew_curves(records, ranks)) {
    tables.push_back(skew_table(c));
    note_cold(records, c.step_kind, &tables.back());
  }
  return render_like_tables(tables, format, options);
}

}  // namespace assay
