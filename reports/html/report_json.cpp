#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "reports/html/cost_json.h"
#include "reports/html/curve_json.h"
#include "reports/html/report_fields.h"
#include "results/metrics/metrics.h"
#include "suites/base/visible.h"

namespace assay {
namespace {

using nlohmann::ordered_json;

ordered_json json_or_null(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}
ordered_json json_or_null(const std::optional<size_t>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

// Points of a curve: five digits are finer than any screen.
ordered_json rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return 0;
  const double unit = std::pow(10, std::floor(std::log10(std::abs(value))) - 4);
  const double out = std::round(value / unit) * unit;
  return unit >= 1 ? ordered_json(static_cast<int64_t>(out)) : ordered_json(std::stod(ordered_json(out).dump()));
}

ordered_json rounded_list(const std::vector<double>& values) {
  ordered_json out = ordered_json::array();
  for (const double v : values) out.push_back(rounded(v));
  return out;
}

ordered_json rounded_list(const std::vector<std::optional<double>>& values) {
  ordered_json out = ordered_json::array();
  for (const std::optional<double>& v : values) out.push_back(v ? rounded(*v) : ordered_json(nullptr));
  return out;
}

// A whole number without ".0": shorter, and the same to a reader of JSON.
ordered_json number_json(double v) {
  return std::abs(v) < 1e15 && v == std::floor(v) ? ordered_json(static_cast<int64_t>(v)) : ordered_json(v);
}

ordered_json json_of(const FieldValue& value) {
  return std::visit(
      [](const auto& v) {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>) {
          return ordered_json(nullptr);
        } else if constexpr (std::is_same_v<std::decay_t<decltype(v)>, double>) {
          return number_json(v);
        } else {
          return ordered_json(v);
        }
      },
      value);
}

ordered_json rows_json(const std::vector<ReportRow>& rows) {
  ordered_json out = ordered_json::array();
  for (const ReportRow& row : rows) {
    ordered_json values = ordered_json::array();
    for (const ReportField& field : report_fields(row)) values.push_back(json_of(field.value));
    out.push_back(std::move(values));
  }
  return out;
}

ordered_json row_fields() {
  ordered_json out = ordered_json::array();
  for (const ReportField& field : report_fields(ReportRow{})) out.push_back(field.name);
  return out;
}

ordered_json chip_json(const ReportChip& c) {
  return {{"product", c.product},
          {"adapter", c.adapter},
          {"arch", c.arch},
          {"vendor", c.vendor},
          {"driver", c.driver},
          {"support", c.support},
          {"memory_bytes", c.memory_bytes},
          {"records", c.records}};
}

ordered_json case_json(const ReportCase& c) {
  return {{"id", c.id},
          {"hash", c.hash},
          {"suite", c.suite},
          {"kind", c.kind},
          {"model", c.model},
          {"dtype", c.dtype},
          {"variant", case_variant(c.id)},
          {"piece", c.piece()},
          {"batch", c.batch},
          {"tokens", c.tokens},
          {"context", c.context},
          {"token_class", c.token_class},
          {"tokens_per_step", c.tokens_per_step},
          {"flops", c.flops},
          {"weight_bytes", c.weight_bytes},
          {"kv_bytes", c.kv_bytes},
          {"parameters", c.parameters}};
}

ordered_json group_json(const ReportGroup& g) {
  return {{"chip", g.chip},
          {"case", g.test_case},
          {"row", g.row},
          {"records", g.records},
          {"ok", g.ok},
          {"rate_min", json_or_null(g.rate_min)},
          {"rate_max", json_or_null(g.rate_max)}};
}

ordered_json curve_json(const ReportCurve& c) {
  ordered_json marks = ordered_json::array();
  for (const StepMark m : c.mark) marks.push_back(static_cast<int>(m));
  return {{"row", c.row},
          {"p", c.p},
          {"quantile_ns", rounded_list(c.quantile_ns)},
          {"low_ns", rounded_list(c.low)},
          {"high_ns", rounded_list(c.high)},
          {"start_s", rounded_list(c.start_s)},
          {"step_ns", rounded_list(c.step_ns)},
          {"mark", std::move(marks)},
          {"gap_start_s", rounded_list(c.gap_start_s)},
          {"gap_ns", rounded_list(c.gap_ns)},
          {"launch_s", rounded_list(c.launch_s)}};
}

ordered_json environment_json(const EnvironmentLine& line) {
  return {{"name", line.name}, {"values", line.values}, {"records", line.records}};
}

ordered_json incomparable_json(const Incomparable& i) {
  return {{"kind", i.kind},
          {"chip", json_or_null(i.chip)},
          {"case", json_or_null(i.test_case)},
          {"count", i.count},
          {"detail", i.detail}};
}

ordered_json trend_json(const TrendPlot& plot) { return ordered_json::parse(trend_plot_json(plot)); }

ordered_json answer_json(const ReportAnswer& a) {
  return {{"kind", a.kind}, {"case", json_or_null(a.test_case)}, {"basis", a.basis}, {"groups", a.groups}};
}

template <typename T, typename F>
ordered_json list(const std::vector<T>& items, F to_json) {
  ordered_json out = ordered_json::array();
  for (const T& item : items) out.push_back(to_json(item));
  return out;
}

std::string without_markup(std::string text) {
  for (size_t at = 0; (at = text.find('<', at)) != std::string::npos; at += 6) text.replace(at, 1, "\\u003c");
  return text;
}

}  // namespace

std::string report_json(const ReportModel& m) {
  const ordered_json out = {{"report_version", kReportVersion},
                            {"metrics_version", kMetricsVersion},
                            {"title", m.title},
                            {"created", m.created},
                            {"tool_version", m.tool_version},
                            {"tool_commit", m.tool_commit},
                            {"records", m.records},
                            {"aggregated", m.aggregated},
                            {"answer", answer_json(m.answer)},
                            {"incomparable", list(m.incomparable, incomparable_json)},
                            {"chips", list(m.chips, chip_json)},
                            {"cases", list(m.cases, case_json)},
                            {"row_fields", row_fields()},
                            {"rows", rows_json(m.rows)},
                            {"groups", list(m.groups, group_json)},
                            {"curves", list(m.curves, curve_json)},
                            {"environment", list(m.environment, environment_json)},
                            {"targets", targets_json(m.targets)},
                            {"costs", list(m.costs, cost_json)},
                            {"cost_left_out", m.cost_left_out},
                            {"cost_answer", cost_answer_json(m.cost_answer)},
                            {"skew", list(m.skew, skew_json)},
                            {"context", list(m.context, context_json)},
                            {"ops", list(m.ops, ops_json)},
                            {"clips", list(m.clips, clip_json)},
                            {"trends", list(m.trends, trend_json)},
                            {"trends_unread", m.trends_unread}};
  return without_markup(visible_json(out.dump(-1, ' ', false, ordered_json::error_handler_t::replace)));
}

}  // namespace assay
