#include "reports/curves.h"

#include "reports/format.h"
#include "reports/plain_table.h"
#include "results/metrics/context_curve.h"
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

PlainTable context_table(const ContextCurve& c) {
  PlainTable t;
  t.title = "context: " + c.model + " " + c.dtype + ", " + shape_text(c.step_kind, c.batch, c.tokens) + ", " + c.device;
  t.columns = {{"case", "case", false},       {"context", "context", true}, {"step", "step_ns", true},
               {"95 %", "step_low_ns", true}, {"", "step_high_ns", true},   {"by the line", "line_ns", true},
               {"basis", "basis", false},     {"of", "form", false}};
  for (const ContextPoint& p : c.points) {
    const double line = c.time->intercept + c.time->slope * static_cast<double>(p.context);
    const auto bound = [&](double ns) { return number_cell(time_text(ns), ns); };
    t.rows.push_back({text_cell(p.case_id), number_cell(std::to_string(p.context), static_cast<double>(p.context)),
                      bound(p.step_ns), p.step_interval_ns ? bound(p.step_interval_ns->low) : absent_cell(),
                      p.step_interval_ns ? bound(p.step_interval_ns->high) : absent_cell(), bound(line),
                      text_cell(c.basis), text_cell(c.form)});
  }
  t.notes = {slope_text(*c.time),
             "KV cache: " + number_text(c.kv_bytes_per_token, 7) + " bytes per token and sequence, whole model",
             "attention overtakes the rest by FLOPs: " + mark_text(c.knee_flops) +
                 "; its cache the weights by bytes: " + mark_text(c.knee_bytes) +
                 "; its time the rest by the line: " + mark_text(c.knee_time),
             "largest context that fits the device with the whole model: " + mark_text(c.largest)};
  return t;
}

PlainTable skew_table(const SkewCurve& c) {
  PlainTable t;
  const std::string ranks = std::to_string(c.ranks);
  t.title = "skew: " + c.model + " " + c.dtype + ", " + shape_text(c.step_kind, c.batch, c.tokens) + ", " +
            std::to_string(c.top_k) + " of " + std::to_string(c.experts) + " experts, " + c.device;
  t.columns = {{"routing", "routing", false},
               {"rate /s", "rate_per_s", true},
               {"95 %", "rate_low_per_s", true},
               {"", "rate_high_per_s", true},
               {"active", "active_experts", true},
               {"expected", "expected_active_experts", true},
               {"expert bytes", "expert_bytes", true},
               {"gamma " + ranks + " ranks", "gamma_mean", true},
               {"p95", "gamma_p95", true},
               {"basis", "basis", false},
               {"of", "form", false},
               {"case", "case", false}};
  for (const SkewPoint& p : c.points) {
    const auto rate = [&](double per_s) {
      return number_cell(rate_text(per_s, p.interval ? (p.interval->high - p.interval->low) / 2 : 0, c.unit), per_s);
    };
    t.rows.push_back({text_cell(p.routing), rate(p.per_s), p.interval ? rate(p.interval->low) : absent_cell(),
                      p.interval ? rate(p.interval->high) : absent_cell(),
                      number_cell(number_text(p.active, 4), p.active),
                      p.expected ? number_cell(number_text(*p.expected, 4), *p.expected) : absent_cell(),
                      number_cell(number_text(p.expert_bytes, 4), p.expert_bytes),
                      number_cell(number_text(p.imbalance.mean, 3), p.imbalance.mean),
                      number_cell(number_text(p.imbalance.p95, 3), p.imbalance.p95), text_cell(c.basis),
                      text_cell(c.form), text_cell(p.case_id)});
  }
  t.notes = {"active, expected: experts with a token, mean of the " + std::to_string(c.layers_run) +
                 " layers that ran; expert bytes: of their weights in those layers",
             "gamma: fullest rank over mean, experts dealt at random to " + ranks +
                 " ranks, none twice; mean and 95 % of placements",
             "skew-rated throughput on one rank: " + rate_text(c.rated_one_rank_per_s, 0, c.unit) + " " + c.unit +
                 " (" + c.rated_one_rank_routing + ", basis " + c.basis + ")",
             "skew-rated throughput with experts on " + ranks + " ranks: " + rate_text(c.rated_per_s, 0, c.unit) + " " +
                 c.unit + " per rank's share (" + c.rated_routing +
                 "; the least rate / gamma, as if the whole step waited for the fullest rank; basis projected)"};
  return t;
}

}  // namespace

std::string render_context_curves(const std::vector<Record>& records, TableFormat format, const TableOptions& options) {
  std::vector<PlainTable> tables;
  for (const ContextCurve& c : context_curves(records)) tables.push_back(context_table(c));
  return render_plain(tables, format, options);
}

std::string render_skew_curves(const std::vector<Record>& records, int64_t ranks, TableFormat format,
                               const TableOptions& options) {
  std::vector<PlainTable> tables;
  for (const SkewCurve& c : skew_curves(records, ranks)) tables.push_back(skew_table(c));
  return render_plain(tables, format, options);
}

}  // namespace assay
