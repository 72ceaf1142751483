#include "reports/html/report_fields.h"

namespace assay {
namespace {

FieldValue maybe(const std::optional<double>& value) { return value ? FieldValue(*value) : FieldValue(); }

template <typename T>
FieldValue number(T value) {
  return static_cast<double>(value);
}

}  // namespace

std::vector<ReportField> report_fields(const ReportRow& r) {
  return {{"chip", number(r.chip)},
          {"case", number(r.test_case)},
          {"id", r.id},
          {"created", r.created},
          {"tier", r.tier},
          {"basis", r.basis},
          {"status", r.status},
          {"reason", r.reason},
          {"form", r.form},
          {"part", r.part},
          {"options", r.options},
          {"accelerators", maybe(r.accelerators)},
          {"stop", r.stop},
          {"numerics", r.numerics},
          {"commit", r.tool_commit},
          {"executed", r.executed},
          {"disturbed", r.disturbed},
          {"causes", r.causes},
          {"warnings", r.warnings},
          {"threads", number(r.threads)},
          {"steps", number(r.steps)},
          {"timed_s", r.timed_s},
          {"prepare_s", r.prepare_s},
          {"load_s", r.load_s},
          {"unit", r.unit},
          {"rate", maybe(r.rate.value)},
          {"rate_low", maybe(r.rate.low)},
          {"rate_high", maybe(r.rate.high)},
          {"one_launch", r.one_launch ? FieldValue(*r.one_launch) : FieldValue()},
          {"projected_rate", maybe(r.projected_rate)},
          {"median_ns", maybe(r.median)},
          {"mean_ns", maybe(r.mean)},
          {"p50_ns", maybe(r.p50.value)},
          {"p50_low_ns", maybe(r.p50.low)},
          {"p50_high_ns", maybe(r.p50.high)},
          {"p90_ns", maybe(r.p90.value)},
          {"p90_low_ns", maybe(r.p90.low)},
          {"p90_high_ns", maybe(r.p90.high)},
          {"p99_ns", maybe(r.p99.value)},
          {"p99_low_ns", maybe(r.p99.low)},
          {"p99_high_ns", maybe(r.p99.high)},
          {"p99_9_ns", maybe(r.p999.value)},
          {"p99_9_low_ns", maybe(r.p999.low)},
          {"p99_9_high_ns", maybe(r.p999.high)},
          {"max_ns", maybe(r.max)},
          {"jitter_ns", maybe(r.jitter)},
          {"tail_ratio", maybe(r.tail_ratio)},
          {"cov", maybe(r.cov)},
          {"qcd", maybe(r.qcd)},
          {"stall_rate", maybe(r.stall_rate)},
          {"stalls", maybe(r.stalls)},
          {"stalls_host", maybe(r.stalls_host)},
          {"drift_per_s", maybe(r.drift.value)},
          {"drift_low_per_s", maybe(r.drift.low)},
          {"drift_high_per_s", maybe(r.drift.high)},
          {"period_steps", maybe(r.period)},
          {"independent_steps", maybe(r.independent)},
          {"bimodal", r.bimodal ? FieldValue(*r.bimodal) : FieldValue()},
          {"flops_per_s", maybe(r.flops_per_s)},
          {"bytes_per_s", maybe(r.bytes_per_s)},
          {"mfu", maybe(r.mfu)},
          {"mbu", maybe(r.mbu)},
          {"ceiling_flops", maybe(r.ceiling_flops)},
          {"ceiling_bytes", maybe(r.ceiling_bytes)},
          {"ceiling_note", r.ceiling_note},
          {"ceiling_gemm", r.ceiling_gemm},
          {"ceiling_read", r.ceiling_read},
          {"ceiling_measured", r.ceiling_measured},
          {"ceiling_shared", r.ceiling_shared},
          {"joules_per_token", maybe(r.joules_per_token)},
          {"watts", maybe(r.watts)},
          {"energy_source", r.energy_source},
          {"energy_note", r.energy_note},
          {"options", r.options}};
}

}  // namespace assay
