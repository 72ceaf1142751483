#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "results/old_int8.h"
#include "results/packed.h"
#include "results/record.h"

namespace assay {
namespace {

using nlohmann::json;

template <typename T>
json maybe(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

// Text that holds JSON goes in as JSON; empty is null; what is no JSON stays a text.
json embedded(const std::string& text) {
  if (text.empty()) return nullptr;
  json value = json::parse(text, nullptr, false);
  return value.is_discarded() ? json(text) : value;
}

json packed_json(const std::vector<uint64_t>& values) {
  const Packed packed = pack(values);
  return {{"count", packed.count}, {"data", packed.data}, {"xxh3", packed.xxh3}};
}

json samples_json(const Samples& s) {
  return {{"encoding", "delta-zigzag-varint-zstd-base64"},
          {"start_ns", packed_json(s.start_ns)},
          {"host_ns", packed_json(s.host_ns)},
          {"device_ns", packed_json(s.device_ns)},
          {"device_clock", s.device_clock},
          {"device_clock_step_ns", s.device_clock_step_ns}};
}

json op_json(const OpNumerics& o) {
  return {{"op", o.op},       {"kind", o.kind},         {"dtype", o.dtype}, {"error", o.error},
          {"limit", o.limit}, {"elements", o.elements}, {"pass", o.pass},   {"detail", o.detail}};
}

json numerics_json(const Numerics& n) {
  json ops = json::array();
  for (const OpNumerics& op : n.ops) ops.push_back(op_json(op));
  return {{"verdict", n.verdict},
          {"reason", n.reason},
          {"seed", n.seed},
          {"ops", std::move(ops)},
          {"whole", n.whole ? op_json(*n.whole) : json(nullptr)}};
}

json counters_json(const std::vector<Counter>& counters) {
  json out = json::array();
  for (const Counter& c : counters) {
    out.push_back({{"name", c.name}, {"value", maybe(c.value)}, {"reason", c.reason}});
  }
  return out;
}

json noise_json(const NoiseReport& n) {
  json out{{"disturbed", n.disturbed},
           {"causes", n.causes},
           {"values", n.values},
           {"host_gap_start_ns", packed_json(n.host_gap_start_ns)},
           {"host_gap_ns", packed_json(n.host_gap_ns)}};
  if (n.throttle_start_ns.empty()) return out;
  out["throttle_start_ns"] = packed_json(n.throttle_start_ns);
  out["throttle_ns"] = packed_json(n.throttle_ns);
  out["throttle_reasons"] = packed_json(n.throttle_reasons);
  return out;
}

// What old records don't say is left out, so that they stay as they are.
json ceiling_json(const Ceiling& c) {
  json out{{"flops_per_s", maybe(c.flops_per_s)},
           {"flops_dtype", c.flops_dtype},
           {"read_bytes_per_s", maybe(c.read_bytes_per_s)},
           {"when", c.when},
           {"reason", c.reason}};
  if (c.gemm_size > 0) out["gemm_size"] = c.gemm_size;
  if (c.read_bytes > 0) out["read_bytes"] = c.read_bytes;
  if (!c.read_dtype.empty()) out["read_dtype"] = c.read_dtype;
  if (!c.measured.empty()) out["measured"] = c.measured;
  for (const LaunchCeiling& l : c.of_launches) {
    out["of_launches"].push_back({{"flops_per_s", maybe(l.flops_per_s)},
                                  {"read_bytes_per_s", maybe(l.read_bytes_per_s)},
                                  {"measured", l.measured}});
  }
  return out;
}

json extrapolation_json(const std::optional<Extrapolation>& e) {
  if (!e) return nullptr;
  json j = {{"layers_run", e->layers_run},
            {"layers_total", e->layers_total},
            {"fewer_layers", e->fewer_layers},
            {"step_ns_run_layers", maybe(e->step_ns_run_layers)},
            {"step_ns_fewer_layers", maybe(e->step_ns_fewer_layers)},
            {"projected_step_ns", maybe(e->projected_step_ns)},
            {"method", e->method},
            {"reason", e->reason}};
  if (e->experts_total > 0) {
    j["experts_run"] = e->experts_run;
    j["experts_total"] = e->experts_total;
  }
  return j;
}

json routing_json(const RoutingReport& r) {
  return {{"distribution", r.distribution},
          {"seed", r.seed},
          {"experts", r.experts},
          {"top_k", r.top_k},
          {"tokens", r.tokens},
          {"expert_bytes", r.expert_bytes},
          {"expected_active", maybe(r.expected_active)},
          {"expert_rows", packed_json(r.expert_rows)}};
}

// Readings as two series of whole numbers, each with its times.
json power_samples_json(const std::vector<PowerSample>& samples) {
  std::vector<uint64_t> power_t, power_mw, energy_t, energy_uj;
  for (const PowerSample& s : samples) {
    if (s.power_w) {
      power_t.push_back(s.t_ns);
      power_mw.push_back(static_cast<uint64_t>(std::llround(std::max(*s.power_w, 0.0) * 1e3)));
    }
    if (s.energy_j) {
      energy_t.push_back(s.t_ns);
      energy_uj.push_back(static_cast<uint64_t>(std::llround(std::max(*s.energy_j, 0.0) * 1e6)));
    }
  }
  return {{"power_t_ns", packed_json(power_t)},
          {"power_mw", packed_json(power_mw)},
          {"energy_t_ns", packed_json(energy_t)},
          {"energy_uj", packed_json(energy_uj)}};
}

json energy_json(const Energy& e) {
  json out{{"joules", maybe(e.joules)},
           {"idle_watts", maybe(e.idle_watts)},
           {"watts_mean", maybe(e.watts_mean)},
           {"source", e.source},
           {"reason", e.reason}};
  if (!e.code.empty()) out["code"] = e.code;
  if (e.power_limit_w) out["power_limit_w"] = *e.power_limit_w;
  if (e.uncertainty_j) out["uncertainty_j"] = *e.uncertainty_j;
  if (e.samples.empty()) return out;
  out["averaging_ns"] = e.averaging_ns;
  out["window_start_ns"] = e.window_start_ns;
  out["window_end_ns"] = e.window_end_ns;
  out["samples"] = power_samples_json(e.samples);
  if (e.pause_ns.empty()) return out;
  out["pause_start_ns"] = packed_json(e.pause_start_ns);
  out["pause_ns"] = packed_json(e.pause_ns);
  return out;
}

json launches_json(const RunLaunches& l) {
  json each = json::array();
  for (const RunLaunch& one : l.each) {
    each.push_back({{"steps", one.steps},
                    {"start_ns", one.start_ns},
                    {"mean_step_ns", one.mean_step_ns},
                    {"relative_error", maybe(one.relative_error)},
                    {"error_dof", one.error_dof}});
  }
  json between;
  if (const std::optional<BetweenLaunches>& b = l.between) {
    between = {{"formula", b->formula},
               {"relative_sd", b->relative_sd},
               {"variance_error", b->variance_error},
               {"dof", b->dof},
               {"cases", b->cases}};
  }
  return {{"planned", l.planned}, {"each", std::move(each)}, {"between", std::move(between)}};
}

json stop_json(const StopReport& s) {
  return {{"reason", s.reason},
          {"target_half_width", s.target_half_width},
          {"achieved_half_width", maybe(s.achieved_half_width)},
          {"warmup_steps", s.warmup_steps},
          {"warmup_s", s.warmup_s},
          {"timed_s", s.timed_s},
          {"warmup_end", s.warmup_end}};
}

json figure_json(const ReportedFigure& f) {
  return {{"name", f.name},
          {"unit", f.unit},
          {"statistic", f.statistic},
          {"definition", f.definition},
          {"source_field", f.source_field},
          {"value", f.value},
          {"low", maybe(f.low)},
          {"high", maybe(f.high)},
          {"n", maybe(f.n)}};
}

json reported_json(const Reported& r) {
  json figures = json::array();
  for (const ReportedFigure& f : r.figures) figures.push_back(figure_json(f));
  return {{"format", r.format},           {"producer", r.producer},        {"producer_version", r.producer_version},
          {"source_file", r.source_file}, {"source_xxh3", r.source_xxh3},  {"source_place", r.source_place},
          {"source_date", r.source_date}, {"figures", std::move(figures)}, {"stated", r.stated}};
}

json made_by_json(const Record& r) {
  return {{"schema_version", r.schema_version},
          {"id", r.id},
          {"created", r.created},
          {"tool_version", r.tool_version},
          {"tool_commit", r.tool_commit},
          {"build_flags", r.build_flags},
          {"tier", r.tier},
          {"basis", r.basis},
          {"status", r.status},
          {"reason", r.reason}};
}

json work_json(const Record& r) {
  return {{"suite", r.suite},
          {"suite_hash", r.suite_hash},
          {"case_id", without_int8_mark(r.case_id)},
          {"case_hash", r.case_hash},
          {"case", embedded(r.case_json)},
          {"form", r.form},
          {"model", r.model},
          {"dtype", without_int8_mark(r.dtype)},
          {"step_kind", r.step_kind},
          {"token_class", r.token_class},
          {"executed", r.executed},
          {"batch", r.batch},
          {"tokens", r.tokens},
          {"context", r.context},
          {"tokens_per_step", r.tokens_per_step},
          {"step_flops", r.step_flops},
          {"step_weight_bytes", r.step_weight_bytes},
          {"step_kv_bytes", r.step_kv_bytes},
          {"step_activation_bytes", r.step_activation_bytes},
          {"seed", r.seed}};
}

json place_json(const Record& r) {
  return {{"adapter", r.adapter},
          {"adapter_version", r.adapter_version},
          {"adapter_vendor", r.adapter_vendor},
          {"adapter_build", embedded(r.adapter_build_json)},
          {"adapter_abi", r.adapter_abi},
          {"device", r.device},
          {"device_product", r.device_product},
          {"device_arch", r.device_arch},
          {"device_driver", r.device_driver},
          {"device_serial_hash", r.device_serial_hash},
          {"device_memory_bytes", r.device_memory_bytes},
          {"support", r.support},
          {"threads", r.threads},
          {"environment", r.environment},
          {"warnings", r.warnings}};
}

json found_json(const Record& r) {
  return {{"prepare_s", r.prepare_s},
          {"load_s", r.load_s},
          {"lowering", r.lowering},
          {"launches", r.launches},
          {"program_bytes", r.program_bytes},
          {"samples", samples_json(r.samples)},
          {"stop", stop_json(r.stop)},
          {"numerics", numerics_json(r.numerics)},
          {"counters", counters_json(r.counters)},
          {"noise", noise_json(r.noise)},
          {"ceiling", ceiling_json(r.ceiling)},
          {"extrapolation", extrapolation_json(r.extrapolation)},
          {"energy", energy_json(r.energy)},
          {"timing_truth", r.timing_truth}};
}

}  // namespace

std::string record_to_json(const Record& record) {
  json out = made_by_json(record);
  out.update(work_json(record));
  out.update(place_json(record));
  out.update(found_json(record));
  if (record.run_launches) out["run_launches"] = launches_json(*record.run_launches);
  if (record.routing) out["routing"] = routing_json(*record.routing);
  // Only where there is something: the ids of records made before the field was known stay what they are.
  if (record.adapter_options) out["adapter_options"] = *record.adapter_options;
  if (record.planned_bytes > 0) out["planned_bytes"] = record.planned_bytes;
  if (record.taken_bytes) out["taken_bytes"] = *record.taken_bytes;
  if (record.reported) out["reported"] = reported_json(*record.reported);
  // A driver's text may be in any encoding: what is no UTF-8 becomes U+FFFD.
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace assay
