#include "reports/html/curve_json.h"

namespace assay {
namespace {

using nlohmann::ordered_json;

ordered_json low(const std::optional<Interval>& i) { return i ? ordered_json(i->low) : ordered_json(nullptr); }
ordered_json high(const std::optional<Interval>& i) { return i ? ordered_json(i->high) : ordered_json(nullptr); }

ordered_json mark_json(const ContextMark& mark) {
  return {{"context", mark.context ? ordered_json(*mark.context) : ordered_json(nullptr)}, {"note", mark.note}};
}

}  // namespace

ordered_json skew_json(const ReportSkew& of) {
  const SkewCurve& c = of.curve;
  ordered_json points = ordered_json::array();
  for (const SkewPoint& p : c.points) {
    points.push_back({{"case", p.case_id},
                      {"record", p.record},
                      {"routing", p.routing},
                      {"seed", p.seed ? ordered_json(*p.seed) : ordered_json(nullptr)},
                      {"per_s", p.per_s},
                      {"low", low(p.interval)},
                      {"high", high(p.interval)},
                      {"active", p.active},
                      {"expected", p.expected ? ordered_json(*p.expected) : ordered_json(nullptr)},
                      {"expert_bytes", p.expert_bytes},
                      {"gamma", p.imbalance.mean},
                      {"gamma_p95", p.imbalance.p95}});
  }
  return {{"chip", of.chip},
          {"model", c.model},
          {"dtype", c.dtype},
          {"kind", c.step_kind},
          {"unit", c.unit},
          {"batch", c.batch},
          {"tokens", c.tokens},
          {"experts", c.experts},
          {"top_k", c.top_k},
          {"ranks", c.ranks},
          {"basis", c.basis},
          {"form", c.form},
          {"options", c.options},
          {"points", std::move(points)},
          {"rated_per_s", c.rated_per_s},
          {"rated_routing", c.rated_routing},
          {"rated_one_rank_per_s", c.rated_one_rank_per_s},
          {"rated_one_rank_routing", c.rated_one_rank_routing}};
}

ordered_json context_json(const ReportContext& of) {
  const ContextCurve& c = of.curve;
  ordered_json points = ordered_json::array();
  for (const ContextPoint& p : c.points) {
    points.push_back({{"case", p.case_id},
                      {"record", p.record},
                      {"context", p.context},
                      {"step_ns", p.step_ns},
                      {"low", low(p.step_interval_ns)},
                      {"high", high(p.step_interval_ns)}});
  }
  return {{"chip", of.chip},
          {"model", c.model},
          {"dtype", c.layout.empty() ? c.dtype : c.dtype + " " + c.layout},
          {"kind", c.step_kind},
          {"batch", c.batch},
          {"tokens", c.tokens},
          {"basis", c.basis},
          {"form", c.form},
          {"options", c.options},
          {"points", std::move(points)},
          {"slope_ns_per_token", c.time ? ordered_json(c.time->slope) : ordered_json(nullptr)},
          {"slope_low", c.time ? low(c.time->slope_interval) : ordered_json(nullptr)},
          {"slope_high", c.time ? high(c.time->slope_interval) : ordered_json(nullptr)},
          {"kv_bytes_per_token", c.kv_bytes_per_token},
          {"window", c.window},
          {"kv_bytes_behind_window", c.kv_bytes_behind_window},
          {"knee_flops", mark_json(c.knee_flops)},
          {"knee_bytes", mark_json(c.knee_bytes)},
          {"knee_time", mark_json(c.knee_time)},
          {"largest", mark_json(c.largest)}};
}

ordered_json ops_json(const ReportOps& of) {
  ordered_json ops = ordered_json::array();
  for (const RecordOp& op : of.of.ops)
    ops.push_back(ordered_json::array({op.name, op.layer, op.kind, op.count, op.flops, op.bytes}));
  return {{"case", of.test_case}, {"layers", of.of.layers}, {"ops", std::move(ops)}};
}

ordered_json clip_json(const ReportClip& of) {
  const ClipEstimate& c = of.clip;
  ordered_json parts = ordered_json::array();
  for (const ClipPart& p : c.parts) {
    parts.push_back({{"name", p.name},
                     {"count", p.count},
                     {"seconds_each", p.seconds_each},
                     {"basis", p.basis},
                     {"record", p.record},
                     {"note", p.note}});
  }
  const bool priced = of.cost.value.has_value();
  const auto money = [&](double v) { return priced ? ordered_json(v) : ordered_json(nullptr); };
  return {{"chip", of.chip},
          {"model", c.model},
          {"dtype", c.dtype},
          {"assumption", c.assumption},
          {"frames", c.clip.frames},
          {"height", c.clip.height},
          {"width", c.clip.width},
          {"steps", c.schedule.steps},
          {"passes", c.schedule.passes},
          {"basis", c.basis},
          {"parts", std::move(parts)},
          {"missing", c.missing},
          {"seconds", c.seconds()},
          {"seconds_low", c.seconds_interval().low},
          {"seconds_high", c.seconds_interval().high},
          {"cny", money(of.cost.value.value_or(0))},
          {"cny_low", money(of.cost.interval.low)},
          {"cny_high", money(of.cost.interval.high)},
          {"price_basis", of.price_basis},
          {"unpriced", of.cost.reason}};
}

}  // namespace assay
