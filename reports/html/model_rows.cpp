#include "reports/cells.h"
#include "reports/html/model_parts.h"
#include "results/metrics/energy.h"
#include "results/metrics/reported_rate.h"
#include "results/metrics/roofline.h"
#include "results/part.h"

namespace assay {
namespace {

Bounded bounded(const Quantile& q) { return {q.value, q.low, q.high}; }

void add_latency(const Latency& step, ReportRow* row) {
  row->p50 = bounded(step.quantiles[0]);
  row->p90 = bounded(step.quantiles[1]);
  row->p99 = bounded(step.quantiles[2]);
  row->p999 = bounded(step.quantiles[3]);
  row->median = step.median;
  row->mean = step.mean;
  row->max = step.max;
  row->jitter = step.jitter_p99;
  row->tail_ratio = step.tail_ratio;
  row->cov = step.cov;
  row->qcd = step.qcd;
  row->stall_rate = step.stall_rate;
  if (step.n >= 8) row->drift = {step.drift_per_s, step.drift_low, step.drift_high};
  row->period = step.period_steps;
  row->bimodal = step.bimodal;
}

void set_options(const std::string& options, ReportRow* row) {
  row->options = options;
  if (!options.empty()) row->warnings.push_back("ran with adapter options " + options);
}

// A reported rate of tokens, of one accelerator: systems of different size are not ranked.
void add_reported(const Record& r, ReportRow* row) {
  const ReportedRates rates = reported_rates(r);
  row->accelerators = stated_accelerators(*r.reported);
  if (const std::optional<ReportedFigure>& lead = rates.lead()) {
    row->unit = "tokens/s";
    row->rate = {lead->value, lead->low, lead->high};
  } else if (r.status == "ok") {
    row->reason = rates.reason;
  }
  row->joules_per_token = energy_figures(r).joules_per_token;
  // Beside the rate of one accelerator stand the watts of one: its share of the whole system's.
  row->watts = rates.wall_watts;
  if (!rates.wall_watts) return;
  for (const ReportedFigure& f : r.reported->figures) {
    if (f.definition == "mlperf-power/mean-of-system")
      row->energy_source =
          r.reported->producer + ": " + f.source_field + ", an accelerator's share of the whole system";
  }
}

}  // namespace

ReportRow row_of(const Record& r, const Metrics& m) {
  ReportRow row;
  row.id = r.id;
  row.created = r.created;
  row.tier = r.tier;
  row.basis = r.basis;
  row.status = r.status;
  row.reason = r.reason;
  row.form = r.form;
  row.part = part_text(r);
  row.stop = r.stop.reason;
  row.numerics = r.numerics.verdict;
  row.tool_commit = r.tool_commit;
  row.executed = r.executed;
  row.disturbed = r.noise.disturbed;
  row.causes = r.noise.causes;
  row.warnings = r.warnings;
  set_options(adapter_options_text(r), &row);
  row.threads = r.threads;
  row.steps = r.samples.host_ns.size();
  row.timed_s = r.stop.timed_s;
  row.prepare_s = r.prepare_s;
  row.load_s = r.load_s;
  row.unit = m.unit;
  row.projected_rate = m.projected_rate;
  row.energy_source = r.energy.source;
  row.energy_note = m.energy_note;
  row.ceiling_note = m.mfu_note;
  if (r.reported) add_reported(r, &row);
  if (!m.rate || !m.step) return row;
  row.rate.value = m.rate->per_s;
  if (m.rate->n > 1) {
    row.rate = {m.rate->per_s, m.rate->interval.low, m.rate->interval.high};
    row.one_launch = !r.run_launches || !r.run_launches->between;
  }
  add_latency(*m.step, &row);
  row.independent = static_cast<double>(m.step->independent());
  row.stalls = static_cast<double>(m.stalls);
  row.stalls_host = static_cast<double>(m.stalls_from_host);
  row.flops_per_s = m.flops_per_s;
  row.bytes_per_s = m.bytes_per_s;
  row.mfu = m.mfu_attainable;
  row.mbu = m.mbu_attainable;
  const Attainable peaks = attainable(r);
  row.ceiling_flops = peaks.flops_per_s;
  row.ceiling_bytes = peaks.bytes_per_s;
  row.ceiling_shared = r.run_launches && r.run_launches->each.size() > 1 && !peaks.of_each_launch;
  row.ceiling_gemm = ceiling_gemm_text(r.ceiling);
  row.ceiling_read = ceiling_read_text(r.ceiling);
  row.ceiling_measured = r.ceiling.measured;
  row.joules_per_token = m.joules_per_token;
  row.watts = r.energy.watts_mean;
  return row;
}

ReportRow row_of(const Headline& h) {
  ReportRow row;
  row.id = h.id;
  row.created = h.created;
  row.tier = h.tier;
  row.basis = h.basis;
  row.status = h.status;
  row.reason = h.reason;
  row.form = h.form;
  row.part = h.part;
  set_options(h.options, &row);
  row.tool_commit = h.tool_commit;
  row.disturbed = h.disturbed;
  row.steps = h.n;
  row.unit = h.unit;
  row.rate = {h.rate, h.rate_low, h.rate_high};
  row.projected_rate = h.projected_rate;
  row.p50.value = h.p50_ns;
  row.p99 = {h.p99_ns, std::nullopt, h.p99_high_ns};
  row.p999 = {h.p999_ns, std::nullopt, h.p999_high_ns};
  row.jitter = h.jitter_p99_ns;
  row.mfu = h.mfu;
  row.mbu = h.mbu;
  row.joules_per_token = h.joules_per_token;
  return row;
}

}  // namespace assay
