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
                      {"routing", p.routing},
                      {"per_s", p.per_s},
                      {"low", low(p.interval)},
                      {"high", high(p.interval)},
                      {"active", p.active},
                      {"expected", p.expected ? ordered_json(*p.expected) : ordered_json(nullptr)},
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
                      {"context", p.context},
                      {"step_ns", p.step_ns},
                      {"low", low(p.step_interval_ns)},
                      {"high", high(p.step_interval_ns)}});
  }
  return {{"chip", of.chip},
          {"model", c.model},
          {"dtype", c.dtype},
          {"kind", c.step_kind},
          {"batch", c.batch},
          {"tokens", c.tokens},
          {"basis", c.basis},
          {"form", c.form},
          {"points", std::move(points)},
          {"slope_ns_per_token", c.time ? ordered_json(c.time->slope) : ordered_json(nullptr)},
          {"slope_low", c.time ? low(c.time->slope_interval) : ordered_json(nullptr)},
          {"slope_high", c.time ? high(c.time->slope_interval) : ordered_json(nullptr)},
          {"kv_bytes_per_token", c.kv_bytes_per_token},
          {"knee_flops", mark_json(c.knee_flops)},
          {"knee_bytes", mark_json(c.knee_bytes)},
          {"knee_time", mark_json(c.knee_time)},
          {"largest", mark_json(c.largest)}};
}

}  // namespace assay
